//! Mails for the tests, and what a process costs.

use jiff::Timestamp;

/// A mail that can be changed where a test is about it; else from a client to `sales@example.com`,
/// written now.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: String,
    /// Without brackets; empty for none.
    pub id: String,
    pub subject: String,
    pub date: Timestamp,
    /// Whole lines with their ends.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Mail {
    pub fn from(from: &str) -> Mail {
        Mail {
            from: from.to_owned(),
            to: "sales@example.com".to_owned(),
            id: String::new(),
            subject: "Price list".to_owned(),
            date: Timestamp::now(),
            headers: "Content-Type: text/plain; charset=utf-8\r\n".to_owned(),
            body: b"How much for a dozen?\r\n".to_vec(),
        }
    }

    pub fn to(self, to: &str) -> Mail {
        Mail { to: to.to_owned(), ..self }
    }

    pub fn id(self, id: &str) -> Mail {
        Mail { id: id.to_owned(), ..self }
    }

    pub fn subject(self, subject: &str) -> Mail {
        Mail { subject: subject.to_owned(), ..self }
    }

    pub fn date(self, date: Timestamp) -> Mail {
        Mail { date, ..self }
    }

    pub fn header(mut self, line: &str) -> Mail {
        self.headers.push_str(line);
        self.headers.push_str("\r\n");
        self
    }

    pub fn body(self, body: impl Into<Vec<u8>>) -> Mail {
        Mail { body: body.into(), ..self }
    }

    pub fn raw(&self) -> Vec<u8> {
        let Mail { from, to, subject, headers, .. } = self;
        let date = self.date.strftime("%a, %d %b %Y %H:%M:%S +0000");
        let id = match self.id.as_str() {
            "" => String::new(),
            id => format!("Message-ID: <{id}>\r\n"),
        };
        let mut raw = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\n{id}{headers}\r\n"
        )
        .into_bytes();
        raw.extend(&self.body);
        raw
    }
}

/// The most memory that a process ever had at once, MiB.
#[track_caller]
pub fn peak_rss_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
    kib / 1024
}
