//! Mails for the tests, each with a subject and a text of its own by which it is known again.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// No two mails of a test are of the same second.
static WRITTEN: AtomicI64 = AtomicI64::new(0);

/// A mail in the making.
#[derive(Clone, Debug)]
pub struct Letter {
    from: String,
    to: String,
    id: String,
    subject: String,
    headers: String,
    text: String,
    files: Vec<(String, Vec<u8>)>,
    at: i64,
}

/// A mail with this Message-ID, which also makes its subject and its text.
pub fn letter(from: &str, to: &str, id: &str) -> Letter {
    let before = WRITTEN.fetch_add(1, Ordering::Relaxed) % 3600;
    Letter {
        from: from.to_owned(),
        to: to.to_owned(),
        id: id.to_owned(),
        subject: subject(id),
        headers: String::new(),
        text: text(id),
        files: Vec::new(),
        at: Timestamp::now().as_second() - 7200 + before,
    }
}

/// The subject of the letter with this Message-ID.
pub fn subject(id: &str) -> String {
    format!("Subject of {id}")
}

/// The text of the letter with this Message-ID.
pub fn text(id: &str) -> String {
    format!("Text of {id}, with a word of thanks.")
}

impl Letter {
    pub fn subject(mut self, subject: &str) -> Letter {
        self.subject = subject.to_owned();
        self
    }

    pub fn text(mut self, text: &str) -> Letter {
        self.text = text.to_owned();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Letter {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// In-Reply-To and References.
    pub fn answers(self, id: &str) -> Letter {
        self.header("In-Reply-To", &format!("<{id}>")).header("References", &format!("<{id}>"))
    }

    pub fn file(mut self, name: &str, bytes: &[u8]) -> Letter {
        self.files.push((name.to_owned(), bytes.to_vec()));
        self
    }

    pub fn raw(&self) -> Vec<u8> {
        use base64::Engine;
        let date = Timestamp::from_second(self.at).unwrap().strftime("%a, %d %b %Y %H:%M:%S +0000");
        let mut raw = format!(
            "From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{}>\r\n{}\
             MIME-Version: 1.0\r\n",
            self.from, self.to, self.subject, self.id, self.headers
        );
        let text = "Content-Type: text/plain; charset=utf-8\r\n\
                    Content-Transfer-Encoding: 8bit\r\n\r\n";
        if self.files.is_empty() {
            raw.push_str(&format!("{text}{}\r\n", self.text));
            return raw.into_bytes();
        }
        raw.push_str("Content-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n");
        raw.push_str(&format!("--=_b\r\n{text}{}\r\n", self.text));
        for (name, bytes) in &self.files {
            raw.push_str(&format!(
                "--=_b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: \
                 attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            ));
            let encoded = base64::prelude::BASE64_STANDARD.encode(bytes);
            for line in encoded.as_bytes().chunks(76) {
                raw.push_str(std::str::from_utf8(line).unwrap());
                raw.push_str("\r\n");
            }
        }
        raw.push_str("--=_b--\r\n");
        raw.into_bytes()
    }
}
