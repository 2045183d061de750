//! One mistake in the configuration, in one line. Pure.

use std::fmt;

/// A value longer than this says no more than its beginning.
const SHOWN_MAX: usize = 80;

/// What stands for a value that is not there.
pub(super) const ABSENT: &str = "(none)";
/// What stands for a secret's value.
pub(super) const HIDDEN: &str = "***";

/// Something in the configuration that must be mended before the program can run.
///
/// Shown as `mailcrm: FILE: KEY: VALUE: REASON; MEND`, always on one line, with `(none)` where
/// there is no key or no value: scripts split it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file as it was named, or `environment VARIABLE`.
    pub file: String,
    /// Such as `mailbox[sales].imap.port`; a place such as `line 3, column 1` in a file that is no
    /// TOML; empty for the file itself.
    pub key: String,
    /// As written; `***` for a secret; empty if there is none.
    pub value: String,
    /// What is wrong and why.
    pub reason: String,
    /// What to do about it.
    pub mend: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mailcrm: ")?;
        for part in [&self.file, &self.key, &self.value] {
            let part = if part.is_empty() { ABSENT } else { part };
            write!(f, "{}: ", one_line(part))?;
        }
        write!(f, "{}; {}", one_line(&self.reason), one_line(&self.mend))
    }
}

/// The text without anything that could begin a new line or move a terminal's cursor.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text value as it is shown: its beginning, quoted only if it is empty.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let line = one_line(text);
    match line.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_stays_on_one_line_whatever_is_in_it() {
        let mistake = Mistake {
            file: "a\nb.toml".into(),
            key: "crm.kind".into(),
            value: shown("x\r\ny\u{1b}[2J"),
            reason: "not one of a\nb".into(),
            mend: "take a".into(),
        };
        assert_eq!(
            mistake.to_string(),
            "mailcrm: a b.toml: crm.kind: x  y [2J: not one of a b; take a"
        );
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(shown(&"ä".repeat(81)), format!("{}…", "ä".repeat(80)));
        assert_eq!(shown(&"ä".repeat(80)), "ä".repeat(80));
    }
}
