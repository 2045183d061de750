//! Whom the words of a mail server name as not reached. Pure.

use super::header::{is_well_known, line_at};
use super::told_words::SAYS_BOUNCE;

/// Bytes of the text that are read.
const MAX_TEXT: usize = 256 * 1024;

/// Bytes of a line of text.
const MAX_LINE: usize = 998;

/// Words of one line that may be addresses.
const MAX_WORDS: usize = 1_000;

/// Lines among which a telling sentence stands, and lines that are read.
const MAX_TOLD: usize = 400;
const MAX_LINES: usize = 5_000;

/// Lines after the telling sentence in which addresses are looked for, without blank ones.
const WINDOW: usize = 30;

/// As much of the text as is read.
pub fn beginning(text: &str) -> &str {
    text.get(..floor(text, MAX_TEXT)).unwrap_or_default()
}

/// A line as long as RFC 5322 section 2.1.1 allows.
fn cut(line: &str) -> &str {
    line.get(..floor(line, MAX_LINE)).unwrap_or_default()
}

fn floor(text: &str, max: usize) -> usize {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// Hands over what stands where servers write addresses: before a colon, after a label, below or
/// in the sentence that tells.
pub fn named(text: &str, mut add: impl FnMut(&str)) {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(cut);
    let lines: Vec<&str> = lines.take(MAX_LINES).collect();
    let mut left = 0usize;
    for (at, line) in lines.iter().enumerate() {
        if begins_copy(line) {
            return;
        }
        let lower = line.to_lowercase();
        // qmail and Postfix: `<a@b.example>:`, and `<a@b.example>: host said ...`
        if let Some((address, _)) = line.strip_prefix('<').and_then(|rest| rest.split_once(">:")) {
            add(address);
        }
        if let Some(address) = labelled(line, &lower) {
            add(address);
            continue;
        }
        let next = lines.get(at + 1).copied().unwrap_or_default();
        let pair = format!("{lower} {}", next.to_lowercase());
        let tells = at < MAX_TOLD && SAYS_BOUNCE.are_in(&pair);
        if tells {
            left = WINDOW;
        }
        if left == 0 {
            continue;
        }
        left -= 1;
        if let Some(address) = alone(line) {
            add(address);
        } else if tells && !is_about_the_sender(&lower) {
            within(line).into_iter().for_each(&mut add);
        }
    }
}

/// Hands over what stands on lines of its own: where nothing tells, it is not there by chance.
pub fn alone_on_lines(text: &str, add: impl FnMut(&str)) {
    let lines = text.lines().map(str::trim).map(cut).take_while(|line| !begins_copy(line));
    lines.take(MAX_TOLD).filter_map(alone).for_each(add);
}

/// Words before an address that say that it is the one, lower case.
const LABELS: &[&str] = &[
    "rcpt to:",
    "recipient:",
    "recipient address:",
    "recipients:",
    "failed recipient:",
    "failed recipients:",
    "final-recipient:",
    "original-recipient:",
    "intended recipient:",
    "undeliverable address:",
    "invalid address:",
    "error-for:",
    "could not be delivered to:",
    "could not deliver to:",
    "addressed to",
    "user's mailbox is full:",
    "unknown user:",
    "user unknown:",
    "unknown recipient:",
    "empfänger:",
    "destinataire :",
    "destinataire:",
    "destinatario:",
    "destinatário:",
    "geadresseerde:",
    "ontvanger:",
    "odbiorca:",
    "příjemce:",
    "получатель:",
    "адресат:",
    "одержувач:",
    "alıcı:",
    "宛先:",
    "宛先：",
    "收件人:",
    "收件人：",
    "수신자:",
    "받는 사람:",
];

/// The address after a label: `Recipient: [SMTP:a@b.example]`, `>>> RCPT TO:<a@b.example>`.
fn labelled<'a>(line: &'a str, lower: &str) -> Option<&'a str> {
    // Lower case may have another length; then no label fits.
    if lower.len() != line.len() {
        return None;
    }
    let start = lower.find(|c: char| c.is_alphanumeric())?;
    let head = lower.get(start..)?;
    let label = LABELS.iter().find(|label| head.starts_with(**label)).or_else(|| {
        // Deeper in the line only the command of SMTP is one.
        LABELS.first().filter(|label| head.contains(**label))
    })?;
    let at = lower.find(label)? + label.len();
    line.get(at..).filter(|rest| rest.contains('@'))
}

/// A line that is an address and little else: `  a@b.example`, `* <a@b.example>`,
/// `a@b.example:`, `a@b.example (reason: 550 unknown)`, `(expanded from: <a@b.example>)`.
fn alone(line: &str) -> Option<&str> {
    let bullet = |c: char| c.is_whitespace() || matches!(c, '*' | '•' | '·' | '>');
    let line = line.trim_start_matches(bullet);
    let bullets = ["-> ", "- ", "-- "];
    let line = bullets.iter().find_map(|bullet| line.strip_prefix(bullet)).unwrap_or(line);
    if line.starts_with("(expanded from") || line.starts_with("(ultimately generated") {
        return None;
    }
    let line = line.trim_start();
    // `Ana Ruiz <a@b.example>`, as Exchange writes names.
    if let Some((name, rest)) = line.split_once('<')
        && name.chars().count() <= 60
        && !name.contains(':')
        && name.split_whitespace().count() <= 4
    {
        return rest.split_once('>').map(|(address, _)| address).filter(|a| a.contains('@'));
    }
    let word = line.split_whitespace().next()?;
    let rest = line.get(word.len()..).unwrap_or_default().trim();
    let ends = rest.is_empty()
        || rest.starts_with(['(', '<', '[', ':', '.'])
        || word.ends_with([':', ','])
        || rest.starts_with("on ");
    let once = word.matches('@').count() == 1 && !word.contains(['"', '{']);
    (once && ends).then(|| word.trim_end_matches([':', ',', ';', '.']))
}

/// The addresses in a sentence.
fn within(line: &str) -> Vec<&str> {
    let word = |text: &&str| text.contains('@') && !text.contains("://");
    let words =
        line.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | '\''));
    words.filter(word).take(MAX_WORDS).collect()
}

/// Sentences about the one who wrote: `The message from a@b.example was received ...`.
fn is_about_the_sender(lower: &str) -> bool {
    ["from ", "von ", "reply to", "contact ", "return-path", "message-id", "sender"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Lines after which the mail itself is copied.
fn begins_copy(line: &str) -> bool {
    let lower = line.to_lowercase();
    let marks = [
        "below this line is a copy",
        "below the next line is a copy",
        "this is a copy of",
        "original message",
        "message header",
        "header of the message",
        "original mail as follows",
        "returned message",
        "returned mail follows",
        "message text follows",
        "your message reads",
        "start of returned",
        "copy of your message",
        "headers follow",
    ];
    let dashes = line.starts_with("--") || line.ends_with("--") || line.ends_with(':');
    let marked = dashes || line.ends_with('.');
    marked && marks.iter().any(|mark| lower.contains(mark))
        || ["return-path: ", "received: from", "received: by"]
            .iter()
            .any(|name| lower.starts_with(name))
}

/// The header of the mail, where it stands in the text: two of its fields, one after the other.
pub fn copied_header(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let known = |line: &[u8]| {
        let line = line.trim_ascii_start();
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.len() < line.len() && is_well_known(name)
    };
    let mut at = 0;
    while at < bytes.len() {
        let (line, next) = line_at(bytes, at);
        if known(line) && known(line_at(bytes, next).0) {
            let copy = text.get(at..)?;
            // Indented copies: the indent of the first line is that of all.
            let indent = line.len() - line.trim_ascii_start().len();
            let lines = copy.lines().take_while(|line| !line.trim().is_empty()).take(500);
            let plain: Vec<&str> =
                lines.map(|line| line.get(indent..).unwrap_or(line.trim_start())).collect();
            return Some(plain.join("\n") + "\n\n");
        }
        at = next;
    }
    None
}
