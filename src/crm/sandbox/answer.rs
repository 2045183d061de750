//! What a method answers, and the words in which the portal says no.

use super::moment;
use super::php::Php;

/// A method's answer. `total` and `next` are given by list methods only.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) result: Php,
    pub(super) total: Option<i64>,
    /// Where the next page starts; `None` on the last one.
    pub(super) next: Option<i64>,
}

impl Answer {
    pub(super) fn of(result: impl Into<Php>) -> Answer {
        Answer { result: result.into(), total: None, next: None }
    }
}

/// A method that did not run.
#[derive(Debug)]
pub(super) enum Fault {
    Refused { status: u16, code: &'static str, text: String },
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(source: rusqlite::Error) -> Fault {
        Fault::Sql(source)
    }
}

impl Fault {
    /// New-style methods name a code; nearly all of their refusals are HTTP 400.
    pub(super) fn coded(code: &'static str, text: impl Into<String>) -> Fault {
        Fault::Refused { status: 400, code, text: text.into() }
    }

    /// Old-style methods say it in words only: their code is an empty string.
    pub(super) fn worded(text: impl Into<String>) -> Fault {
        Fault::coded("", text)
    }

    pub(super) fn with_status(status: u16, code: &'static str, text: impl Into<String>) -> Fault {
        Fault::Refused { status, code, text: text.into() }
    }

    pub(super) fn missing(parameter: &str) -> Fault {
        Fault::coded("100", format!("Could not find value for parameter {{{parameter}}}"))
    }

    pub(super) fn not_valid(field: &str) -> Fault {
        let text = format!("Invalid value of the field \"{field}\"");
        Fault::coded("CRM_FIELD_ERROR_VALUE_NOT_VALID", text)
    }

    pub(super) fn access_denied() -> Fault {
        Fault::coded("ACCESS_DENIED", "You do not have permission to perform this operation")
    }

    pub(super) fn status(&self) -> u16 {
        match self {
            Fault::Refused { status, .. } => *status,
            Fault::Sql(_) => 500,
        }
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Fault::Refused { code, .. } => code,
            Fault::Sql(_) => "INTERNAL_SERVER_ERROR",
        }
    }

    /// The body of version 2: `error` and `error_description` side by side.
    pub(super) fn body(&self) -> Php {
        let text = match self {
            Fault::Refused { text, .. } => text.as_str(),
            Fault::Sql(_) => "Internal server error",
        };
        Php::map([("error", self.code().into()), ("error_description", text.into())])
    }
}

/// When a call began, and how the portal tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    /// Unix seconds with fraction.
    began: f64,
    since: std::time::Instant,
}

impl Watch {
    pub(super) fn start() -> Watch {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let began = now.map_or(0.0, |since_epoch| since_epoch.as_secs_f64());
        Watch { began, since: std::time::Instant::now() }
    }

    /// Unix seconds.
    pub(super) fn now(&self) -> i64 {
        self.began as i64
    }

    /// The `time` of an answer. Only the cloud tells the operating time of a method.
    pub(super) fn time(&self, operating: Option<f64>) -> Php {
        let duration = self.since.elapsed().as_secs_f64();
        let finish = self.began + duration;
        let mut time = Php::map([
            ("start", Php::Float(self.began)),
            ("finish", Php::Float(finish)),
            ("duration", Php::Float(duration)),
            ("processing", Php::Float(duration)),
            ("date_start", moment::write(self.began as i64).into()),
            ("date_finish", moment::write(finish as i64).into()),
        ]);
        if let Some(operating) = operating {
            time.set("operating_reset_at", Php::Int(self.began as i64 + 600));
            time.set("operating", Php::Float(operating));
        }
        time
    }

    pub(super) fn elapsed(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }
}

/// Wraps what a method answered in the envelope of version 2.
pub(super) fn envelope(answer: Answer, time: Php) -> Php {
    let mut body = Php::map([("result", answer.result)]);
    if let Some(next) = answer.next {
        body.set("next", next.into());
    }
    if let Some(total) = answer.total {
        body.set("total", total.into());
    }
    body.set("time", time);
    body
}

/// Rows in a page of any list.
pub(super) const PAGE: usize = 50;

/// Cuts out the page that begins at `start`; a negative `start` switches the counting off.
pub(super) fn page<T>(rows: Vec<T>, start: &Php) -> (Vec<T>, Option<i64>, Option<i64>) {
    let start = start.int();
    if start < 0 {
        return (rows.into_iter().take(PAGE).collect(), None, None);
    }
    let total = rows.len();
    // The portal counts in pages: a start within one is that page's beginning.
    let first = usize::try_from(start).unwrap_or(usize::MAX) / PAGE * PAGE;
    let end = first.saturating_add(PAGE);
    let next = (end < total).then_some(end as i64);
    (rows.into_iter().skip(first).take(PAGE).collect(), Some(total as i64), next)
}
