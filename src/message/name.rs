//! Names of attached files, safe to show and to write anywhere. Pure.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::charset;

/// Characters of a name, its extension included; file systems allow 255 bytes.
const MAX_NAME: usize = 120;

/// Characters of an extension that a cut keeps.
const MAX_EXTENSION: usize = 12;

/// A file's name without path, control characters, direction overrides and characters that some file
/// system refuses; `None` if nothing of it is left.
pub fn clean(name: &str) -> Option<String> {
    let name = unpercent(name);
    // Old browsers and Outlook send whole paths. `Offer 1/2.pdf` is none, and without its slash it
    // leads nowhere else.
    let name = name.trim().trim_end_matches(['/', '\\']);
    let drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let is_path = drive
        || name.contains('\\')
        || name.starts_with(['/', '~'])
        || name.split('/').any(|part| matches!(part.trim(), "." | ".."));
    if !is_path {
        return clean_title(name);
    }
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty())?;
    clean_title(last)
}

/// A name as a web form writes it (`%D0%9F.pdf`), or as RFC 2231 does behind a star that was lost.
/// A per cent sign that means itself (`50%.pdf`, `100%25.pdf`) stays.
fn unpercent(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    let bare = match name.get(..7) {
        Some(label) if label.eq_ignore_ascii_case("utf-8''") => name.get(7..).unwrap_or(name),
        Some(_) | None => name,
    };
    let Ok(plain) = percent_decode_str(bare).decode_utf8() else {
        return Cow::Borrowed(name);
    };
    let meant = !plain.is_ascii() && bare.is_ascii() || bare.contains("%20") && !bare.contains(' ');
    if meant { Cow::Owned(plain.into_owned()) } else { Cow::Borrowed(name) }
}

/// The same for a text that is no path, such as a subject.
pub fn clean_title(title: &str) -> Option<String> {
    let line = charset::one_line(title, 10_000);
    let safe: String = line
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}'))
        .map(|c| if r#"/\<>:"|?*"#.contains(c) { '_' } else { c })
        .collect();
    // Windows drops dots and blanks at the end, and `..` is a path.
    let safe = safe.trim().trim_end_matches(['.', ' ']);
    if safe.is_empty() || safe.chars().all(|c| matches!(c, '.' | '_' | ' ')) {
        return None;
    }
    Some(cut(safe))
}

fn cut(name: &str) -> String {
    if name.chars().count() <= MAX_NAME {
        return name.to_owned();
    }
    let extension = match name.rsplit_once('.') {
        Some((_, extension)) if extension.chars().count() <= MAX_EXTENSION => extension,
        _ => "",
    };
    let dot = usize::from(!extension.is_empty());
    let room = MAX_NAME - extension.chars().count() - dot;
    let mut short: String = name.chars().take(room).collect();
    if dot == 1 {
        short.push('.');
        short.push_str(extension);
    }
    short
}

/// A name for the `number`-th file of a mail that gives none.
pub fn by_type(content_type: &str, number: usize) -> String {
    match content_type {
        "text/calendar" => format!("invitation-{number}.ics"),
        "message/rfc822" | "message/global" => format!("message-{number}.eml"),
        _ => format!("attachment-{number}.{}", extension(content_type)),
    }
}

/// Types and their extensions; of several for one the usual one first.
#[rustfmt::skip]
const EXTENSIONS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"), ("application/zip", "zip"), ("application/json", "json"),
    ("application/xml", "xml"), ("application/rtf", "rtf"), ("application/msword", "doc"),
    ("application/gzip", "gz"), ("application/x-zip-compressed", "zip"),
    ("application/vnd.ms-excel", "xls"), ("application/vnd.ms-powerpoint", "ppt"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/ms-tnef", "dat"), ("application/pgp-signature", "asc"),
    ("application/pgp-keys", "asc"), ("application/pkcs7-signature", "p7s"),
    ("application/x-pkcs7-signature", "p7s"), ("application/pkcs7-mime", "p7m"),
    ("application/x-pkcs7-mime", "p7m"), ("application/ics", "ics"),
    ("text/plain", "txt"), ("text/html", "html"), ("text/csv", "csv"), ("text/calendar", "ics"),
    ("text/vcard", "vcf"), ("text/x-vcard", "vcf"), ("text/directory", "vcf"),
    ("text/xml", "xml"), ("text/rtf", "rtf"), ("text/rfc822-headers", "txt"),
    ("message/rfc822", "eml"), ("message/global", "eml"), ("message/delivery-status", "txt"),
    ("message/disposition-notification", "txt"), ("message/partial", "txt"),
    ("message/external-body", "txt"), ("application/vnd.ms-tnef", "dat"), ("message/feedback-report", "txt"),
    ("image/jpeg", "jpg"), ("image/jpg", "jpg"), ("image/pjpeg", "jpg"), ("image/png", "png"),
    ("image/gif", "gif"), ("image/webp", "webp"), ("image/bmp", "bmp"), ("image/tiff", "tif"),
    ("image/svg+xml", "svg"), ("image/heic", "heic"), ("audio/mpeg", "mp3"),
    ("audio/wav", "wav"), ("audio/x-wav", "wav"), ("audio/ogg", "ogg"), ("audio/amr", "amr"),
    ("video/mp4", "mp4"), ("video/quicktime", "mov"), ("video/webm", "webm"),
];

/// The usual extension of a type, `bin` if there is none.
fn extension(content_type: &str) -> &'static str {
    let found = EXTENSIONS.iter().find(|(known, _)| *known == content_type);
    found.map_or("bin", |(_, extension)| extension)
}

/// The usual type of a file with this name.
pub fn type_by_extension(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    let found = EXTENSIONS.iter().find(|(_, known)| extension.eq_ignore_ascii_case(known));
    found.map(|(content_type, _)| *content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_anywhere() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain",          "price list.pdf",           Some("price list.pdf")),
            ("unix path",      "../../etc/passwd",         Some("passwd")),
            ("windows path",   r"C:\docs\a.pdf",           Some("a.pdf")),
            ("slash in words", "Offer 1/2.pdf",            Some("Offer 1_2.pdf")),
            ("slashes in words", "03/05/2024 a.pdf",       Some("03_05_2024 a.pdf")),
            ("path within",    "a/../../etc/passwd",       Some("passwd")),
            ("share",          r"\\server\docs\a.pdf",    Some("a.pdf")),
            ("absolute path",  "/etc/passwd",              Some("passwd")),
            ("home",           "~/a.pdf",                  Some("a.pdf")),
            ("drive",          "C:a.pdf",                  Some("C_a.pdf")),
            ("ends in slash",  "docs/",                    Some("docs")),
            ("override",       "exe.\u{202e}fdp",          Some("exe.fdp")),
            ("controls",       "a\r\nb\0.pdf",             Some("a b .pdf")),
            ("reserved",       "a:b?.pdf",                 Some("a_b_.pdf")),
            ("dots",           "..",                       None),
            ("blank",          " \t ",                     None),
            ("empty",          "",                         None),
            ("only reserved",  "???",                      None),
            ("trailing dots",  "a.pdf...",                 Some("a.pdf")),
            ("zero width",     "a\u{200b}.pdf",            Some("a.pdf")),
            ("other script",   "Прайс-лист.xlsx",          Some("Прайс-лист.xlsx")),
            ("emoji",          "🎉.png",                   Some("🎉.png")),
            ("per cent signs", "%D0%9F%D1%80%D0%B8.pdf",   Some("При.pdf")),
            ("star lost",      "UTF-8''%D0%9F%20x.pdf",    Some("П x.pdf")),
            ("blanks of the web", "price%20list.pdf",      Some("price list.pdf")),
            ("path of the web", "..%2F..%2F%D0%9F.pdf",    Some("П.pdf")),
            ("per cent",       "50%.pdf",                  Some("50%.pdf")),
            ("per cent, escaped", "100%25.pdf",            Some("100%25.pdf")),
            ("no utf-8",       "%CF%F0%E8.pdf",            Some("%CF%F0%E8.pdf")),
        ];
        for (name, raw, cleaned) in cases {
            assert_eq!(clean(raw).as_deref(), *cleaned, "{name}");
        }
        assert_eq!(clean_title("Offer 1/2: price").as_deref(), Some("Offer 1_2_ price"));
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = clean(&format!("{}.pdf", "я".repeat(500))).unwrap_or_default();
        assert_eq!(name.chars().count(), MAX_NAME);
        assert!(name.ends_with(".pdf"));
    }

    #[test]
    fn nameless_files_are_named_by_their_type() {
        assert_eq!(by_type("application/pdf", 1), "attachment-1.pdf");
        assert_eq!(by_type("text/calendar", 2), "invitation-2.ics");
        assert_eq!(by_type("application/x-unknown", 3), "attachment-3.bin");
    }
}
