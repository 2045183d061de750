//! What was asked: counts by method, and the last requests in so many words. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::moment;
use super::php::Php;

/// How many requests are remembered in full.
const KEPT: usize = 500;
/// How much of a request's body is remembered, in bytes.
pub(super) const BODY_KEPT: usize = 4096;
/// Counts go to the file at most this often: a call must not wait for them.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The name under which requests are counted that the limit turned away.
pub(super) const TURNED_AWAY: &str = "QUERY_LIMIT_EXCEEDED";

/// One HTTP request. A batch is one, whatever is in it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) at: i64,
    pub(super) employee: i64,
    pub(super) method: String,
    pub(super) status: u16,
    pub(super) code: String,
    /// The beginning of query and body, for a test to look at.
    pub(super) body: String,
}

/// The log. Counts outlive the process but for its last second; the requests do not.
#[derive(Debug)]
pub(super) struct Requests {
    counts: BTreeMap<String, i64>,
    last: VecDeque<Request>,
    written: Instant,
    /// Names whose count has changed since it was written.
    owed: Vec<String>,
}

impl Requests {
    pub(super) fn new(counts: BTreeMap<String, i64>) -> Requests {
        Requests { counts, last: VecDeque::new(), written: Instant::now(), owed: Vec::new() }
    }

    pub(super) fn record(&mut self, request: Request) {
        self.count(&request.method.clone());
        if request.code == TURNED_AWAY {
            self.count(TURNED_AWAY);
        }
        if self.last.len() >= KEPT {
            self.last.pop_front();
        }
        self.last.push_back(request);
    }

    fn count(&mut self, name: &str) {
        *self.counts.entry(name.to_owned()).or_default() += 1;
        if !self.owed.iter().any(|owed| owed == name) {
            self.owed.push(name.to_owned());
        }
    }

    /// The counts to be written now; none while the last writing is fresh, unless `all` is set.
    pub(super) fn due(&mut self, all: bool) -> Vec<(String, i64)> {
        if !all && self.written.elapsed() < WRITE_EVERY {
            return Vec::new();
        }
        self.written = Instant::now();
        let owed = std::mem::take(&mut self.owed);
        owed.into_iter()
            .map(|name| {
                let count = self.counts.get(&name).copied().unwrap_or_default();
                (name, count)
            })
            .collect()
    }

    pub(super) fn turned_away(&self) -> i64 {
        self.counts.get(TURNED_AWAY).copied().unwrap_or_default()
    }

    /// The counts by method.
    pub(super) fn by_method(&self) -> Php {
        let methods = self.counts.iter().filter(|(name, _)| *name != TURNED_AWAY);
        Php::Array(methods.map(|(name, count)| (name.clone(), Php::Int(*count))).collect())
    }

    /// The last `limit` requests, the oldest first; 0 means all that are remembered.
    pub(super) fn last(&self, limit: i64) -> Php {
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(KEPT);
        let skipped = self.last.len().saturating_sub(limit);
        Php::list(self.last.iter().skip(skipped).map(|request| {
            Php::map([
                ("at", moment::write(request.at).into()),
                ("employee", request.employee.into()),
                ("method", request.method.as_str().into()),
                ("status", Php::Int(request.status.into())),
                ("code", request.code.as_str().into()),
                ("body", request.body.as_str().into()),
            ])
        }))
    }
}
