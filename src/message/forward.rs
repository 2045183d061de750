//! Whose mail a message forwards. Pure.
//!
//! What is found here is what the forwarder's program wrote, and anyone can write it: it counts
//! only for forwards of colleagues, where the mailbox's configuration says so.

mod inline;
mod key;
mod line;
mod marker;
pub mod prefix;

use super::{
    Address, address,
    first_text::first_text,
    header::Headers,
    line_ends::with_line_feeds,
    mime::{self, Entity, Part},
    text_of,
};

/// Senders that one message names. A digest of a day's mail has a few.
const MAX_SENDERS: usize = 20;

/// Bytes of an attached mail in which its header is read.
const MAX_HEADER: usize = 1024 * 1024;

/// The senders of the mails that a message forwards, in their order, each once, at most 20; empty
/// if it forwards none.
///
/// First the one that the text shows, if it shows a forward: only the outermost counts, what stands
/// below or quoted in it is history. Then From (else Sender) of each attached mail, at the top or
/// directly in the outermost multipart/mixed or multipart/digest.
pub fn original_senders(raw: &[u8]) -> Vec<Address> {
    let raw = with_line_feeds(raw);
    let headers = Headers::of_message(&raw);
    let rest = headers.body();
    let entity = Entity::new(headers, false, None);
    let mut found = Vec::new();
    // A report brings a mail back, it does not hand one on.
    if entity.content_type.value != "multipart/report" {
        let hint = entity.content_type.get("charset");
        let prefix = prefix::of(&text_of(&entity.headers, "Subject", hint));
        add(&mut found, inline::senders(&first_text(&raw), prefix));
    }
    attached(&mime::walk(entity, rest, None), Level::Root, &mut found);
    found
}

fn add(found: &mut Vec<Address>, senders: Vec<Address>) {
    for sender in senders {
        if found.len() == MAX_SENDERS {
            return;
        }
        if !found.iter().any(|known| known.email == sender.email) {
            found.push(sender);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    InMixed,
    InDigest,
}

/// Three levels deep: a signed mixed digest of mails.
fn attached(part: &Part<'_>, level: Level, found: &mut Vec<Address>) {
    match part {
        Part::Leaf { entity, raw } => {
            let kind = entity.content_type.value.as_str();
            if found.len() < MAX_SENDERS && matches!(kind, "message/rfc822" | "message/global") {
                let head = entity.decode(raw.get(..raw.len().min(MAX_HEADER)).unwrap_or_default());
                add(found, senders_of(&head));
            }
        }
        Part::Multi { entity, parts } => {
            let inner = match (entity.content_type.value.as_str(), level) {
                ("multipart/mixed", Level::Root) => Level::InMixed,
                ("multipart/digest", Level::Root | Level::InMixed) => Level::InDigest,
                // A signature stands around the mail and changes nothing in it (RFC 1847).
                ("multipart/signed", Level::Root) => Level::Root,
                _ => return,
            };
            let parts = if inner == Level::Root { parts.get(..1) } else { parts.get(..) };
            parts.unwrap_or_default().iter().for_each(|part| attached(part, inner, found));
        }
    }
}

fn senders_of(raw: &[u8]) -> Vec<Address> {
    let raw = with_line_feeds(raw);
    let headers = Headers::of_message(&raw);
    let senders = address::of_header(&headers, "From", None);
    if !senders.is_empty() {
        return senders;
    }
    let mut senders = address::of_header(&headers, "Sender", None);
    senders.truncate(1);
    senders
}

#[cfg(test)]
mod tests;
