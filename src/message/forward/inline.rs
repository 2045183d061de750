//! The forward that a text shows: which line begins it, and whom its header names. Pure.

use super::super::address::{self, Address};
use super::super::{address_list, word};
use super::key::{Key, says_wrote};
use super::line::{Line, fold, lines};
use super::marker::Marker;
use super::prefix::Prefix;

/// Lines in which a forward begins. No comment on one is longer.
const MAX_LINES: usize = 10_000;

/// Lines below a marker in which its header begins, and how many of them may say something else:
/// the rest of a marker that was wrapped.
const MAX_AHEAD: usize = 8;
const MAX_STRANGE: usize = 2;

/// Lines of one header, long lists of recipients included.
const MAX_BLOCK: usize = 60;

/// Lines that a value goes on for where it is wrapped; lists of recipients go on for longer.
const MAX_WRAPPED: usize = 2;

/// Bytes of a From line that are read.
const MAX_VALUE: usize = 2_000;

/// Addresses of one From line.
const MAX_ADDRESSES: usize = 20;

/// The senders that the first forward in `text` names; empty if there is none, or if what comes
/// first is the history of an answer.
///
/// `prefix` is the subject's. An answer is no forward, whatever it quotes: only marks in front of
/// the lines would tell how deep, and HTML has none.
pub fn senders(text: &str, prefix: Prefix) -> Vec<Address> {
    if prefix == Prefix::Reply {
        return Vec::new();
    }
    let lines = lines(text, MAX_LINES);
    let mut in_signature = false;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let here = at;
        at += 1;
        if line.depth > 0 {
            if prefix == Prefix::Forward && is_quoted_whole(&lines, here) {
                return below_marker(&lines, here, Marker::Begin).unwrap_or_default();
            }
            continue;
        }
        if line.text.is_empty() {
            continue;
        }
        in_signature = in_signature || line.begins_signature();
        if let Some(marker) = line.marker() {
            if let Some(senders) = below_marker(&lines, here, marker) {
                let counts = begins_forward(marker, line, prefix);
                return if counts { senders } else { Vec::new() };
            }
            continue;
        }
        if let Some(block) = Block::read(&lines, here, 0) {
            // Outlook puts the same header above what it answers and what it forwards.
            if block.is_whole(in_signature) {
                let counts =
                    lines.get(block.from_at).is_some_and(|from| subject_says_so(prefix, from));
                return if counts { block.senders() } else { Vec::new() };
            }
            at = block.end.max(at);
            continue;
        }
        // What stands below is what was answered. Where it is quoted, that is mark enough.
        let follows = lines.iter().skip(at).find(|line| !line.text.is_empty());
        if is_attribution(&lines, here) && follows.is_some_and(|line| line.depth == 0) {
            return Vec::new();
        }
    }
    Vec::new()
}

fn begins_forward(marker: Marker, line: &Line<'_>, prefix: Prefix) -> bool {
    match marker {
        Marker::Forward | Marker::Begin | Marker::By => true,
        Marker::Original => subject_says_so(prefix, line),
    }
}

/// Whether the subject makes a forward of what `line` begins, which answers bear too.
fn subject_says_so(prefix: Prefix, line: &Line<'_>) -> bool {
    match prefix {
        Prefix::Forward => true,
        // Of the languages that answer so, Finnish alone has words of its own to tell it by.
        Prefix::ForwardOrReply => {
            let line = fold(line.text);
            !["lähettäjä", "alkuperäinen viesti"].iter().any(|words| line.contains(words))
        }
        Prefix::Reply | Prefix::None => false,
    }
}

/// Whether this is Apple Mail's plain form of a forward: all of it, marker included, is quoted
/// once (seen since macOS 10.11). The text's first quoted line must be the marker, and nobody
/// said above it that someone wrote.
fn is_quoted_whole(lines: &[Line<'_>], at: usize) -> bool {
    let Some((line, before)) = lines.get(at).zip(lines.get(..at)) else {
        return false;
    };
    let before_it = before.iter().rev().find(|line| !line.text.is_empty());
    line.depth == 1
        && line.marker() == Some(Marker::Begin)
        && before_it.is_none_or(|line| line.depth == 0 && !line.text.ends_with([':', '：']))
        && before.iter().all(|line| line.depth == 0 || line.text.is_empty())
}

/// `On Thu, 2 May 2024, Ana wrote:`, also wrapped; a forwarder's own "the customer wrote:" has
/// neither an address nor a date.
fn is_attribution(lines: &[Line<'_>], at: usize) -> bool {
    let text = |at: usize| lines.get(at).map_or("", |line| line.text);
    let line = fold(text(at));
    let dated = |text: &str| {
        text.contains('@') || text.chars().filter(char::is_ascii_digit).nth(3).is_some()
    };
    says_wrote(&line) && (dated(&line) || at > 0 && dated(&fold(text(at - 1))))
}

/// The senders that the header below a marker names; `None` if no header follows, so that the
/// line was no marker but words.
fn below_marker(lines: &[Line<'_>], at: usize, marker: Marker) -> Option<Vec<Address>> {
    let line = lines.get(at)?;
    let mut strange: Option<&Line<'_>> = None;
    let mut strangers = 0;
    for here in at + 1..=at + MAX_AHEAD {
        let Some(next) = lines.get(here) else {
            break;
        };
        if next.text.is_empty() {
            continue;
        }
        // Older Apple Mail quotes what follows its marker.
        let deeper = usize::from(marker == Marker::Begin);
        if next.depth < line.depth || next.depth > line.depth + deeper {
            break;
        }
        if let Some(block) = Block::read(lines, here, next.depth) {
            if block.from.is_none()
                && let Some(senders) = beside(marker, line, strange)
            {
                return Some(senders);
            }
            return Some(block.senders());
        }
        strange.get_or_insert(next);
        strangers += 1;
        if strangers > MAX_STRANGE {
            break;
        }
    }
    beside(marker, line, strange)
}

/// The sender who stands in no header: `02.05.2024, 12:15, "Ana" <ana@client.example>:` (Yandex)
/// or alone (old Lotus Notes) on the line below the marker, or in it (Mutt).
fn beside(marker: Marker, line: &Line<'_>, next: Option<&Line<'_>>) -> Option<Vec<Address>> {
    let below = match (marker, next) {
        (Marker::Forward | Marker::Begin, Some(next)) if next.text.ends_with(':') => next.text,
        (Marker::By, Some(next)) => next.text,
        _ => "",
    };
    let mut found = addresses(below.trim_end_matches(':'));
    if found.is_empty() && marker == Marker::Forward {
        found = addresses(line.text.trim_matches(['-', ' ']));
        // The marker's own words stand before the name.
        found.iter_mut().for_each(|sender| sender.name.clear());
    }
    (!found.is_empty()).then_some(found)
}

/// A copied header.
#[derive(Debug, Default)]
struct Block {
    /// Value of its From line, with the lines that it goes on for.
    from: Option<String>,
    /// The From line.
    from_at: usize,
    date: bool,
    to: bool,
    subject: bool,
    /// The line behind it.
    end: usize,
}

impl Block {
    /// The header that begins at line `at`; `None` if that is no header line.
    fn read(lines: &[Line<'_>], at: usize, depth: usize) -> Option<Block> {
        let mut block = Block::default();
        let mut last = lines.get(at)?.field()?.0;
        let mut wrapped = 0;
        let mut here = at;
        while let Some(line) = lines.get(here).filter(|line| line.depth == depth)
            && here < at + MAX_BLOCK
        {
            if line.text.is_empty() {
                // Where each line is a paragraph of HTML, empty ones stand between.
                let goes_on = lines.get(here + 1).is_some_and(|next| {
                    next.depth == depth && next.field().is_some_and(|(key, _)| !block.has(key))
                });
                if !goes_on {
                    break;
                }
            } else if let Some((key, value)) = line.field() {
                if block.has(key) {
                    break;
                }
                block.add(key, value, here);
                (last, wrapped) = (key, 0);
            } else {
                let list = matches!(last, Key::To | Key::Other) && line.text.contains(['@', ';']);
                wrapped += usize::from(!list);
                if wrapped > MAX_WRAPPED || line.marker().is_some() {
                    break;
                }
                if let (Key::From, Some(from)) = (last, block.from.as_mut())
                    && !from.contains('@')
                {
                    from.push(' ');
                    from.push_str(line.text);
                }
            }
            here += 1;
        }
        block.end = here;
        Some(block)
    }

    fn has(&self, key: Key) -> bool {
        match key {
            Key::From => self.from.is_some(),
            Key::Date => self.date,
            Key::To => self.to,
            Key::Subject => self.subject,
            Key::Other => false,
        }
    }

    fn add(&mut self, key: Key, value: &str, at: usize) {
        match key {
            Key::From => {
                self.from = Some(value.to_owned());
                self.from_at = at;
            }
            Key::Date => self.date = true,
            Key::To => self.to = true,
            Key::Subject => self.subject = true,
            Key::Other => {}
        }
    }

    /// Whether it is a mail's header without a marker telling so. In a signature (`From: Ana`,
    /// `To: our office`) it must have all four.
    fn is_whole(&self, in_signature: bool) -> bool {
        let rest = usize::from(self.date) + usize::from(self.to) + usize::from(self.subject);
        self.from.is_some() && rest >= if in_signature { 3 } else { 2 }
    }

    fn senders(&self) -> Vec<Address> {
        addresses(self.from.as_deref().unwrap_or_default())
    }
}

/// The addresses of a From line as programs show it, each once.
fn addresses(value: &str) -> Vec<Address> {
    let mut end = value.len().min(MAX_VALUE);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    let value = without_links(value.get(..end).unwrap_or_default());
    let mut found: Vec<Address> = Vec::new();
    for mut sender in address_list::read(&word::sealed(&value), MAX_ADDRESSES) {
        sender.name = shown_name(&sender.name);
        if !found.iter().any(|known| known.email == sender.email) {
            found.push(sender);
        }
    }
    // `Ruiz, Ana <ana@client.example>`: shown without the quotes that keep the name together.
    if let [only] = found.as_mut_slice()
        && let Some((name, _)) = value.split_once(['<', '['])
        && name.contains(',')
        && !name.contains(|c: char| c == '@' || c.is_ascii_digit())
    {
        only.name = shown_name(&address::display_name(name));
    }
    found
}

fn shown_name(name: &str) -> String {
    address::display_name(name.trim_matches(|c: char| c == '*' || c.is_whitespace()))
}

/// `ana@client.example<mailto:ana@client.example>` without the link (Outlook's plain text).
fn without_links(value: &str) -> String {
    let value: String = value.chars().map(|c| if c == '\u{a0}' { ' ' } else { c }).collect();
    let mut text = String::with_capacity(value.len());
    let mut rest = value.as_str();
    while let Some((before, link)) = rest.split_once("<mailto:") {
        text.push_str(before);
        let word = before.rsplit([' ', '<', '[', '(']).next().unwrap_or_default();
        if !word.contains('@') {
            text.push_str("<mailto:");
            rest = link;
            continue;
        }
        rest = link.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}
