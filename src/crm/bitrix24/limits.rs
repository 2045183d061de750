//! What fits into Bitrix24's columns. Pure.
//!
//! MySQL counts characters; we cut between graphemes, so that no half of a letter is left.

use unicode_segmentation::UnicodeSegmentation;

use crate::crm::EmailMeta;

/// TITLE of leads and deals.
pub const TITLE: usize = 255;
/// NAME and LAST_NAME of leads and contacts.
pub const NAME: usize = 50;
/// FULL_NAME of leads and contacts: both names and the blank between them, put together by the portal.
pub const FULL_NAME: usize = 100;
/// POST of leads and contacts.
pub const POST: usize = 255;
/// VALUE of a multifield.
pub const MULTIFIELD: usize = 250;
/// Addresses of one card, and telephones: more than a person has are no person's.
pub const MULTIFIELDS: usize = 20;
/// The column holds 512, but emoji are stored as codes of ten and more characters.
pub const SUBJECT: usize = 200;
/// What an emoji may take in a SUBJECT.
const EMOJI: usize = 12;
/// SOURCE_DESCRIPTION is a TEXT; this is a mailbox's address.
pub const SOURCE_DESCRIPTION: usize = 255;
/// COMMENTS is a TEXT; this is the name of an organisation.
pub const COMMENTS: usize = 255;
/// SETTINGS is a TEXT of 64 KB that holds more than the addresses, in PHP's own notation.
const META_BYTES: usize = 48 * 1024;
/// File names on the portal's disk.
const FILE_NAME: usize = 200;

/// The text without NUL and the other control characters, but with line breaks and tabs.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The text on one line, without control characters, trimmed.
pub fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if matches!(c, '\n' | '\t' | '\r' | '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .filter(|c| !c.is_control())
        .collect();
    spaced.trim().to_owned()
}

/// The text without characters beyond the Basic Multilingual Plane.
///
/// Old on-premise portals keep titles in MySQL's `utf8mb3`, which ends a text at the first of them.
pub fn basic_plane(text: &str) -> String {
    text.chars().filter(|c| c.len_utf8() < 4).collect::<String>().trim().to_owned()
}

/// A text for a column of `max` characters. `cloud`: the portal's database holds every character of Unicode.
pub fn line(text: &str, max: usize, cloud: bool) -> String {
    let line = one_line(text);
    let line = if cloud { line } else { basic_plane(&line) };
    cut(&line, max)
}

/// The first of the texts in which there is something to see; the last if there is none.
pub fn first_text<const N: usize>(texts: [String; N]) -> String {
    let mut last = String::new();
    for text in texts {
        if text.chars().any(|c| !c.is_whitespace() && !is_unseen(c)) {
            return text;
        }
        last = text;
    }
    last
}

/// Characters that take no room: marks of direction, joiners, selectors, fillers.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e01ef}')
}

/// Whether an address, or another value, is one that a multifield can hold. Cut, it would be another.
pub fn fits_multifield(value: &str) -> bool {
    (1..=MULTIFIELD).contains(&one_line(value).chars().count())
}

/// The longest beginning of whole graphemes that weighs at most `max`.
fn cut_by(text: &str, max: usize, weight: fn(char) -> usize) -> &str {
    let mut weighs = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        weighs += grapheme.chars().map(weight).sum::<usize>();
        if weighs > max {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// At most `max` characters, cut between graphemes; an ellipsis shows the cut where there is room.
pub fn cut(text: &str, max: usize) -> String {
    shorten(text, max, |_| 1)
}

/// A subject as an activity can hold it.
pub fn subject(text: &str) -> String {
    shorten(&one_line(text), SUBJECT, |c| if c.len_utf8() == 4 { EMOJI } else { 1 })
}

fn shorten(text: &str, max: usize, weight: fn(char) -> usize) -> String {
    if text.chars().map(weight).sum::<usize>() <= max {
        return text.to_owned();
    }
    let kept = cut_by(text, max.saturating_sub(1), weight);
    if kept.is_empty() {
        // One grapheme longer than the column: letters piled with marks.
        return text.chars().take(max / EMOJI).collect();
    }
    format!("{}…", kept.trim_end())
}

/// At most `max` bytes, cut between graphemes.
fn cut_bytes(text: &str, max: usize) -> &str {
    cut_by(text, max, char::len_utf8)
}

/// The envelope within what SETTINGS can hold: the longest lists give way first.
///
/// A SETTINGS that overflows its column is no longer readable, or the call fails.
pub fn meta(meta: &EmailMeta) -> EmailMeta {
    let mut kept = EmailMeta {
        mailbox: one_line(&meta.mailbox),
        from: one_line(&meta.from),
        reply_to: one_line(&meta.reply_to),
        to: one_line(&meta.to),
        cc: one_line(&meta.cc),
        bcc: one_line(&meta.bcc),
    };
    let fields = [
        &mut kept.mailbox,
        &mut kept.from,
        &mut kept.reply_to,
        &mut kept.to,
        &mut kept.cc,
        &mut kept.bcc,
    ];
    let lengths: Vec<usize> = fields.iter().map(|field| field.len()).collect();
    if lengths.iter().sum::<usize>() <= META_BYTES {
        return kept;
    }
    let most = fair_share(lengths, META_BYTES);
    for field in fields {
        if field.len() > most {
            let short = cut_bytes(field, most.saturating_sub('…'.len_utf8()));
            *field = format!("{short}…");
        }
    }
    kept
}

/// The bound that, put on every length, makes them fit into `room` together.
fn fair_share(mut lengths: Vec<usize>, mut room: usize) -> usize {
    lengths.sort_unstable();
    let mut left = lengths.len();
    for length in lengths {
        let share = room / left.max(1);
        if length > share {
            return share;
        }
        room -= length;
        left -= 1;
    }
    room
}

/// A name for the portal's disk: one line, no path, its ending kept when it is cut.
pub fn file_name(name: &str) -> String {
    let plain: String =
        one_line(name).chars().map(|c| if matches!(c, '/' | '\\') { '_' } else { c }).collect();
    if plain.is_empty() || plain.chars().all(|c| c == '.') {
        return "file".to_owned();
    }
    if plain.chars().count() <= FILE_NAME {
        return plain;
    }
    match plain.rsplit_once('.') {
        Some((stem, ending)) if (1..=10).contains(&ending.chars().count()) => {
            let room = FILE_NAME - ending.chars().count() - 1;
            format!("{}.{ending}", cut(stem, room))
        }
        Some(_) | None => cut(&plain, FILE_NAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_graphemes() {
        let family = "👨‍👩‍👧";
        #[rustfmt::skip]
        let cases: &[(&str, String, usize, String)] = &[
            ("short",            "Ana".into(),                     50, "Ana".into()),
            ("exact",            "a".repeat(50),                   50, "a".repeat(50)),
            ("long",             "a".repeat(51),                   50, format!("{}…", "a".repeat(49))),
            ("family at the end", format!("{}{family}b", "a".repeat(47)), 50, format!("{}…", "a".repeat(47))),
            ("accent at the end", format!("{}e\u{301}bb", "a".repeat(48)), 50, format!("{}…", "a".repeat(48))),
        ];
        for (name, text, max, expected) in cases {
            let cut = cut(text, *max);
            assert_eq!(cut, *expected, "{name}");
            assert!(cut.chars().count() <= *max, "{name}");
        }
    }

    #[test]
    fn one_endless_grapheme_still_leaves_a_text() {
        let zalgo = format!("a{}", "\u{301}".repeat(400));
        let cut = cut(&zalgo, 50);
        assert!(!cut.is_empty() && cut.chars().count() <= 50);
    }

    #[test]
    fn the_first_text_in_which_there_is_something_to_see_counts() {
        #[rustfmt::skip]
        let cases = [
            ("seen",           "Ana",                        "Ana"),
            ("empty",          "",                           "?"),
            ("blank",          " \u{a0}",                    "?"),
            ("marks only",     "\u{200f}\u{2066}\u{2069}",  "?"),
            ("with a mark",    "\u{200f}مرحبا",              "\u{200f}مرحبا"),
            ("an emoji",       "🎉",                         "🎉"),
            ("a family",       "👨‍👩‍👧",                         "👨‍👩‍👧"),
        ];
        for (name, text, expected) in cases {
            assert_eq!(first_text([text.to_owned(), "?".to_owned()]), expected, "{name}");
        }
        assert_eq!(one_line("a\u{2028}b\u{2029}"), "a b");
    }

    #[test]
    fn emoji_count_twelvefold_in_a_subject() {
        assert_eq!(subject(&"x".repeat(200)).chars().count(), 200);
        assert_eq!(subject(&"x".repeat(300)).chars().count(), 200);
        assert_eq!(subject(&"🎉".repeat(100)).chars().filter(|c| *c == '🎉').count(), 16);
        assert_eq!(subject("Oferta\r\n\tnueva\0"), "Oferta   nueva");
    }

    #[test]
    fn control_characters_are_left_out_but_lines_stay() {
        assert_eq!(clean("a\0b\u{1b}[0m\n\tc\r\nd\u{7f}"), "ab[0m\n\tc\nd");
    }

    #[test]
    fn old_databases_get_no_four_byte_characters() {
        assert_eq!(basic_plane("🎉 Oferta ñ €"), "Oferta ñ €");
    }

    #[test]
    fn an_envelope_fits_into_the_settings() {
        let long = EmailMeta {
            mailbox: "ventas@nosotros.es".into(),
            from: "Ana <ana@cliente.es>".into(),
            to: "a@b.example, ".repeat(2300),
            cc: "ñandú@b.example, ".repeat(1700),
            bcc: "c@b.example".into(),
            ..EmailMeta::default()
        };
        let kept = meta(&long);
        assert_eq!((kept.mailbox, kept.from, kept.bcc), (long.mailbox, long.from, long.bcc));
        assert!(kept.to.len() + kept.cc.len() <= META_BYTES);
        assert!(kept.to.len() > 20 * 1024 && kept.cc.len() > 20 * 1024);
        assert!(kept.to.ends_with('…'));
    }

    #[test]
    fn file_names_are_bare_names() {
        #[rustfmt::skip]
        let cases = [
            ("oferta.pdf",     "oferta.pdf"),
            ("../../etc/x",    ".._.._etc_x"),
            ("a\r\nb.txt",     "a  b.txt"),
            ("",               "file"),
            ("..",             "file"),
        ];
        for (name, expected) in cases {
            assert_eq!(file_name(name), expected);
        }
        let long = file_name(&format!("{}.pdf", "n".repeat(300)));
        assert!(long.ends_with(".pdf") && long.chars().count() <= 200);
    }
}
