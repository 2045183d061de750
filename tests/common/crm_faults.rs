//! An HTTP proxy before the sandbox CRM, which loses calls and answers and remembers every call.

use std::collections::VecDeque;
use std::io::BufReader;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use serde_json::{Map, Value, json};

use super::acceptor::Acceptor;
use super::http;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is forwarded, and its answer too.
    None,
    /// The CRM takes the call; the answer is lost with the connection.
    AnswerLost,
    /// The connection is closed before the CRM hears of the call.
    CallLost,
    /// 503 `QUERY_LIMIT_EXCEEDED`.
    TooMany,
    /// 500 with an HTML page, as a web server's error.
    HtmlError,
    /// 502, as a gateway's whose CRM is down.
    BadGateway,
    /// An error answer of the CRM itself.
    Says { status: &'static str, code: &'static str, text: &'static str },
}

/// Looks at a call before it is forwarded; may change the CRM meanwhile, or name a fault.
pub type Before = Box<dyn FnMut(&Call) -> Option<Fault> + Send>;

/// How probable each fault is, from 0.0 to 1.0; together at most 1.0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odds {
    pub answer_lost: f64,
    pub call_lost: f64,
    pub too_many: f64,
    pub html_error: f64,
    pub bad_gateway: f64,
}

/// One call that mailcrm made, a batch's commands each by itself.
#[derive(Clone, Debug)]
pub struct Call {
    /// In lower case, such as `crm.activity.add`.
    pub method: String,
    pub params: Value,
    pub in_batch: bool,
    /// What became of its request.
    pub fault: Fault,
}

impl Call {
    /// Whether Bitrix24 would send the mail of this call again: an outgoing e-mail that is added
    /// completed.
    pub fn sends_mail(&self) -> bool {
        let field = |name: &str| {
            let fields = self.params.as_object()?.iter();
            let (_, fields) =
                fields.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("fields"))?;
            let mut known = fields.as_object()?.iter();
            let (_, value) = known.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        self.method == "crm.activity.add"
            && field("TYPE_ID").as_deref() == Some("4")
            && field("DIRECTION").as_deref() == Some("2")
            && !matches!(field("COMPLETED").as_deref(), None | Some("N"))
    }
}

pub struct CrmFaults {
    acceptor: Acceptor,
    shared: Arc<Shared>,
}

struct Shared {
    crm_port: u16,
    state: Mutex<State>,
    before: Mutex<Option<Before>>,
    stall: Mutex<Option<Stall>>,
}

type Stall = Arc<dyn Fn(&Call) + Send + Sync>;

struct State {
    odds: Odds,
    /// State of the generator.
    seed: u64,
    /// Faults for the next calls of a method, before chance is asked.
    scripted: Vec<(String, VecDeque<Fault>)>,
    calls: Vec<Call>,
    requests: u64,
    faults: u64,
    open: Vec<(u64, TcpStream)>,
    next: u64,
    threads: Vec<JoinHandle<()>>,
}

impl CrmFaults {
    /// A proxy to the CRM at 127.0.0.1:`crm_port` that forwards everything until told otherwise.
    pub fn to(crm_port: u16, seed: u64) -> CrmFaults {
        let shared = Arc::new(Shared {
            crm_port,
            state: Mutex::new(State {
                odds: Odds::default(),
                seed,
                scripted: Vec::new(),
                calls: Vec::new(),
                requests: 0,
                faults: 0,
                open: Vec::new(),
                next: 0,
                threads: Vec::new(),
            }),
            before: Mutex::new(None),
            stall: Mutex::new(None),
        });
        let taken = Arc::clone(&shared);
        let acceptor = Acceptor::start(Arc::new(move |stream| Shared::take(&taken, stream)));
        CrmFaults { acceptor, shared }
    }

    pub fn port(&self) -> u16 {
        self.acceptor.port()
    }

    /// The webhook URL by which mailcrm reaches the sandbox through this proxy.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/rest/1/sandbox/", self.port())
    }

    /// How probable faults are from now on.
    pub fn odds(&self, odds: Odds) {
        self.shared.state().odds = odds;
    }

    /// Lets the next calls of `method` meet these faults in turn, whatever the odds.
    ///
    /// A batch meets what is scripted for `batch` or for the first of its commands that has any.
    pub fn script(&self, method: &str, faults: &[Fault]) {
        let faults = faults.iter().copied().collect();
        self.shared.state().scripted.push((method.to_ascii_lowercase(), faults));
    }

    /// Asks `before` about every call, each command of a batch by itself, ahead of script and odds.
    pub fn before(&self, before: impl FnMut(&Call) -> Option<Fault> + Send + 'static) {
        *self.shared.before() = Some(Box::new(before));
    }

    /// Looks at each call before it is forwarded, beside all others, and may take its time.
    pub fn stall(&self, stall: impl Fn(&Call) + Send + Sync + 'static) {
        *self.shared.stall.lock().unwrap() = Some(Arc::new(stall));
    }

    /// Undoes [`CrmFaults::before`].
    pub fn mend(&self) {
        *self.shared.before() = None;
    }

    /// The CRM is down: connections are closed and new ones refused.
    pub fn off(&mut self) {
        self.acceptor.close();
        for (_, stream) in self.shared.state().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// The CRM is up again on the same port.
    pub fn on(&mut self) {
        self.acceptor.open();
    }

    /// All calls since the start, in the order in which they came; also those that met a fault.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// The calls of one method, also within batches.
    pub fn calls_of(&self, method: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.method == method);
        calls
    }

    /// HTTP requests since the start.
    pub fn requests(&self) -> u64 {
        self.shared.state().requests
    }

    /// Requests that met a fault.
    pub fn faults(&self) -> u64 {
        self.shared.state().faults
    }

    /// Panics if any call would have made Bitrix24 send a mail again (promise 4).
    #[track_caller]
    pub fn assert_sends_no_mail(&self) {
        let sending = self.calls().into_iter().find(Call::sends_mail);
        assert!(sending.is_none(), "the CRM would send this mail: {sending:?}");
    }
}

impl Drop for CrmFaults {
    fn drop(&mut self) {
        self.off();
        let threads = std::mem::take(&mut self.shared.state().threads);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn before(&self) -> MutexGuard<'_, Option<Before>> {
        self.before.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take(shared: &Arc<Shared>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut state = shared.state();
        let number = state.next;
        state.next += 1;
        state.open.push((number, stream.try_clone().unwrap()));
        let serving = Arc::clone(shared);
        let thread = std::thread::spawn(move || {
            serving.serve(&stream);
            let _ = stream.shutdown(Shutdown::Both);
            serving.state().open.retain(|(open, _)| *open != number);
        });
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
    }

    /// Serves one connection until it ends or a fault ends it.
    fn serve(&self, stream: &TcpStream) {
        let mut from = BufReader::new(stream);
        while let Ok(Some(mut request)) = http::read(&mut from, true) {
            let fault = self.meet(&request);
            let answer = match fault {
                Fault::CallLost => return,
                Fault::AnswerLost => {
                    let _ = http::exchange(self.crm_port, &request);
                    return;
                }
                Fault::None => {
                    for (name, value) in &mut request.headers {
                        if name.eq_ignore_ascii_case("host") {
                            *value = format!("127.0.0.1:{}", self.crm_port);
                        }
                    }
                    // The CRM behind us is down: so are we.
                    let Ok(answer) = http::exchange(self.crm_port, &request) else { return };
                    answer
                }
                Fault::TooMany => error(
                    "503 Service Unavailable",
                    "application/json",
                    &json!({"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
                        .to_string(),
                ),
                Fault::HtmlError => error(
                    "500 Internal Server Error",
                    "text/html; charset=utf-8",
                    "<html><body><h1>Internal Server Error</h1></body></html>",
                ),
                Fault::BadGateway => error(
                    "502 Bad Gateway",
                    "text/html",
                    "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
                ),
                Fault::Says { status, code, text } => error(
                    status,
                    "application/json",
                    &json!({"error": code, "error_description": text}).to_string(),
                ),
            };
            let mut to = stream;
            if answer.write(&mut to).is_err() {
                return;
            }
        }
    }

    /// Writes the call down and decides what becomes of it.
    fn meet(&self, request: &http::Message) -> Fault {
        let mut calls = calls_in(request);
        let stall = self.stall.lock().unwrap().clone();
        if let Some(stall) = stall {
            calls.iter().for_each(|call| stall(call));
        }
        // All are asked: one of them may do something to the CRM.
        let named: Vec<Fault> = match self.before().as_mut() {
            Some(before) => calls.iter().filter_map(before).collect(),
            None => Vec::new(),
        };
        let mut state = self.state();
        let fault = match named.first() {
            Some(fault) => *fault,
            None => state.fault_for(&calls),
        };
        calls.iter_mut().for_each(|call| call.fault = fault);
        state.calls.extend(calls);
        state.requests += 1;
        if fault != Fault::None {
            state.faults += 1;
        }
        fault
    }
}

impl State {
    fn fault_for(&mut self, calls: &[Call]) -> Fault {
        for call in calls {
            for (method, faults) in &mut self.scripted {
                if *method == call.method
                    && let Some(fault) = faults.pop_front()
                {
                    return fault;
                }
            }
        }
        let odds = [
            (self.odds.answer_lost, Fault::AnswerLost),
            (self.odds.call_lost, Fault::CallLost),
            (self.odds.too_many, Fault::TooMany),
            (self.odds.html_error, Fault::HtmlError),
            (self.odds.bad_gateway, Fault::BadGateway),
        ];
        let mut chance = self.chance();
        for (odds, fault) in odds {
            if chance < odds {
                return fault;
            }
            chance -= odds;
        }
        Fault::None
    }

    /// A number from 0.0 to below 1.0: SplitMix64, so that a seed gives the same faults again.
    fn chance(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn error(status: &str, content_type: &str, body: &str) -> http::Message {
    http::Message {
        first_line: format!("HTTP/1.1 {status}"),
        headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

/// The call of a request, and after a batch its commands.
fn calls_in(request: &http::Message) -> Vec<Call> {
    let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let params = match request.json() {
        Value::Null => {
            let form = String::from_utf8_lossy(&request.body);
            from_query(if form.is_empty() { query } else { &form })
        }
        json => json,
    };
    let call = |method: &str, params: Value, in_batch: bool| {
        let method = method.trim_end_matches(".json").to_ascii_lowercase();
        Call { method, params, in_batch, fault: Fault::None }
    };
    let mut calls = vec![call(last, params.clone(), false)];
    if calls[0].method == "batch" {
        let commands: Vec<&Value> = match params.get("cmd") {
            Some(Value::Object(commands)) => commands.values().collect(),
            Some(Value::Array(commands)) => commands.iter().collect(),
            _ => Vec::new(),
        };
        for command in commands.into_iter().filter_map(Value::as_str) {
            let (method, query) = command.split_once('?').unwrap_or((command, ""));
            calls.push(call(method, from_query(query), true));
        }
    }
    calls
}

/// A query in PHP's bracket syntax: `fields[EMAIL][0][VALUE]=a@b.c`. All lists are objects.
pub fn from_query(query: &str) -> Value {
    let mut root = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let mut keys = name.split('[').map(|key| key.trim_end_matches(']').to_owned());
        let mut at = &mut root;
        let Some(mut key) = keys.next() else { continue };
        for next in keys {
            let inner = at.entry(key).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            at = inner.as_object_mut().unwrap();
            // `[]` counts on.
            key = if next.is_empty() { at.len().to_string() } else { next };
        }
        at.insert(key, Value::String(value.into_owned()));
    }
    Value::Object(root)
}
