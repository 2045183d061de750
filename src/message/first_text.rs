//! The beginning of a message's text, for what is only looked for there. Pure.

use super::{body, header::Headers, line_ends::with_line_feeds};

/// Bytes of text that are looked through.
const MAX_TEXT: usize = 1024 * 1024;

/// Bytes of the message that are taken apart for it: base64 makes four of three, and line ends and
/// the header come on top.
const MAX_RAW: usize = 2 * MAX_TEXT;

/// The first MiB of the text that a reader sees, out of the first 2 MiB of the message: plain, or
/// made of the HTML where only that came.
pub fn first_text(raw: &[u8]) -> String {
    let raw = with_line_feeds(raw.get(..raw.len().min(MAX_RAW)).unwrap_or_default());
    let mut text = body::text(Headers::of_message(&raw));
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        let text = first_text(format!("Subject: s\n\na{}", "é".repeat(800_000)).as_bytes());
        assert_eq!(text.len(), MAX_TEXT - 1);
        assert_eq!(first_text(b"Content-Type: text/html\n\n<p>a<br>b"), "a\nb");
        assert_eq!(first_text(b""), "");
    }
}
