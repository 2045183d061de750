//! One finding of `check`.

use std::io::Write;

use serde::Serialize;

use super::super::print::{Colour, Out, cell, clean};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    Warn,
    Fail,
}

/// What was found and how to mend it; the keys are public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub level: Level,
    /// `None` for what concerns no mailbox, or all.
    pub mailbox: Option<String>,
    pub code: &'static str,
    pub text: String,
    /// `None` where nothing is to be mended.
    pub mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(mailbox: Option<&str>, code: &'static str, text: String) -> Finding {
        Finding { level: Level::Ok, mailbox: mailbox.map(str::to_owned), code, text, mend: None }
    }

    pub(super) fn warn(
        mailbox: Option<&str>,
        code: &'static str,
        text: String,
        mend: &str,
    ) -> Finding {
        let mend = Some(mend.to_owned());
        Finding { level: Level::Warn, mend, ..Finding::ok(mailbox, code, text) }
    }

    pub(super) fn fail(
        mailbox: Option<&str>,
        code: &'static str,
        text: String,
        mend: &str,
    ) -> Finding {
        let mend = Some(mend.to_owned());
        Finding { level: Level::Fail, mend, ..Finding::ok(mailbox, code, text) }
    }

    /// Level, mailbox and text in columns, and the mend below.
    pub(super) fn lines<W: Write>(&self, out: &Out<W>) -> Vec<String> {
        let level = match self.level {
            Level::Ok => out.paint(Colour::Green, "ok  "),
            Level::Warn => out.paint(Colour::Yellow, "warn"),
            Level::Fail => out.paint(Colour::Red, "fail"),
        };
        let mailbox = cell(self.mailbox.as_deref().unwrap_or_default());
        let mut lines = vec![format!("{level}  {mailbox:<8} {}", clean(&self.text))];
        if let Some(mend) = &self.mend {
            lines.push(format!("{:15}mend: {}", "", clean(mend)));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn finding_is_one_line_with_its_mend_below() {
        let out = Out::new(Vec::new(), false, false);
        let login = "imap.example.com:993, TLS, IDLE, 4 folders".to_owned();
        let cases = [
            (
                Finding::ok(Some("sales"), "login", login),
                vec!["ok    sales    imap.example.com:993, TLS, IDLE, 4 folders"],
            ),
            (
                Finding::fail(None, "crm-access", "no\nanswer \u{1b}[2J".to_owned(), "wait"),
                vec!["fail  -        no answer  [2J", "               mend: wait"],
            ),
        ];
        for (finding, lines) in cases {
            assert_eq!(finding.lines(&out), lines);
        }
    }

    #[test]
    fn json_bears_every_key() {
        let finding = Finding::warn(None, "sandbox", "text".to_owned(), "mend");
        let wanted = serde_json::json!({
            "level": "warn", "mailbox": null, "code": "sandbox", "text": "text", "mend": "mend",
        });
        assert_eq!(serde_json::to_value(finding).unwrap(), wanted);
        let json = serde_json::to_value(Finding::ok(None, "ledger", String::new())).unwrap();
        assert_eq!(json["mend"], serde_json::Value::Null);
    }
}
