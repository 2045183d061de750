//! Files that old programs write into the text of a mail (POSIX, `uuencode`). Pure.

use super::mime;

/// A file found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// As it stands there.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The text without its uuencoded files, and those. One whose end is missing stays text.
pub fn take(text: &str) -> (String, Vec<Found>) {
    let mut own = String::new();
    let mut files = Vec::new();
    // Where the text goes on that has not been copied, and where a file may begin.
    let (mut done, mut at) = (0, 0);
    while let Some(line) = text.get(at..).and_then(|rest| rest.split_inclusive('\n').next()) {
        let next = at + line.len();
        let Some((name, rest)) = begin(line).zip(text.get(next..)) else {
            at = next;
            continue;
        };
        if !rest.split_inclusive('\n').next().is_some_and(is_data) {
            at = next;
            continue;
        }
        let Some(length) = end(rest) else {
            break;
        };
        let block = text.get(at..next + length).unwrap_or_default();
        let bytes = mime::uuencode(block.as_bytes()).unwrap_or_default();
        own.push_str(text.get(done..at).unwrap_or_default());
        files.push(Found { name: name.to_owned(), bytes });
        at = next + length;
        done = at;
    }
    own.push_str(text.get(done..).unwrap_or_default());
    (own, files)
}

/// The name in `begin 644 scan.pdf`.
fn begin(line: &str) -> Option<&str> {
    let (mode, name) = line.strip_prefix("begin ")?.trim_end().split_once(' ')?;
    let octal = mode.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    (octal && matches!(mode.len(), 3 | 4) && !name.trim().is_empty()).then_some(name)
}

/// Whether a line is as long as its first character says.
fn is_data(line: &str) -> bool {
    let line = line.trim_end();
    let Some(first) = line.bytes().next().filter(|first| (b' '..=b'`').contains(first)) else {
        return false;
    };
    let octets = usize::from((first - b' ') & 0x3f);
    let most = octets.div_ceil(3) * 4 + 1;
    line.is_ascii() && line.len() <= most + 1
}

/// How many octets lead behind the line `end`; `None` if what comes before is no data.
fn end(rest: &str) -> Option<usize> {
    let mut length = 0;
    for line in rest.split_inclusive('\n') {
        length += line.len();
        if line.trim_end() == "end" {
            return Some(length);
        }
        if !is_data(line) && !line.trim().is_empty() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name of the case, text, what is left of it, names and contents of the files.
    type Case<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

    #[test]
    fn files_are_taken_out_of_the_text() {
        #[rustfmt::skip]
        let cases: &[Case<'_>] = &[
            ("one",        "See:\nbegin 644 a.txt\n%:&5L;&\\\n`\nend\nBye", "See:\nBye", &[("a.txt", "hello")]),
            ("two",        "begin 644 a b.txt\n%:&5L;&\\\nend\nbegin 0600 c\n%:&5L;&\\\nend\n", "", &[("a b.txt", "hello"), ("c", "hello")]),
            ("not closed", "begin 644 a.txt\n%:&5L;&\\\n",                "begin 644 a.txt\n%:&5L;&\\\n", &[]),
            ("a sentence", "begin 644 times\nwith the end of the sentence\nend\n", "begin 644 times\nwith the end of the sentence\nend\n", &[]),
            ("no mode",    "begin the day\nM\nend\n",                      "begin the day\nM\nend\n", &[]),
            ("empty",      "",                                            "", &[]),
        ];
        for (name, text, own, files) in cases {
            let (found, taken) = take(text);
            assert_eq!(found, *own, "{name}");
            let taken: Vec<(String, String)> = taken
                .into_iter()
                .map(|file| (file.name, String::from_utf8_lossy(&file.bytes).into_owned()))
                .collect();
            let taken: Vec<(&str, &str)> =
                taken.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            assert_eq!(taken, *files, "{name}");
        }
        take(&"begin 644 a\n%:&5L;&\\\n".repeat(100_000));
        take(&"begin 644 a\n\n".repeat(100_000));
    }
}
