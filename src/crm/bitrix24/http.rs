//! One portal over HTTPS: sends a call, follows its new name, reads the answer, keeps the secret.
//!
//! Nothing is repeated here but questions on a connection that the portal had closed meanwhile; the outbox
//! repeats the rest, after a look-up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Response, StatusCode, header};
use serde_json::Value;
use tokio::sync::watch;
use url::{Host, Url};

use crate::crm::{Failure, Fate};

use super::answers;
use super::bucket::Bucket;
use super::classify::{self, Effect};
use super::gate;
use super::{Error, Options};

/// Limits in time of one request.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub connect: Duration,
    /// The portal cuts a call at 60 s; this is above it, so that its answer is still heard. What
    /// the upload of a large call takes comes on top.
    pub whole: Duration,
}

/// Octets a second that the slowest line carries upwards on which files still get through.
const UPLOAD: u64 = 64 * 1024;

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { connect: Duration::from_secs(10), whole: Duration::from_secs(75) }
    }
}

/// The largest answer that is read. Promise 9.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// Code of an answer beyond it.
pub const TOO_LARGE: &str = "too-large";
/// A portal that was renamed answers 302; more in a row are a circle.
const MOST_REDIRECTS: usize = 3;
/// What is kept of the portal's words.
const LONGEST_TEXT: usize = 500;
/// Nothing shorter is taken for an echoed secret: it would blot out ordinary words.
const SHORTEST_SECRET: usize = 4;

/// The way to one portal.
pub struct Wire {
    client: Client,
    /// Ends with the secret and a slash; changes when the portal is renamed.
    base: RwLock<Url>,
    /// As configured: what a ledger belongs to.
    host_and_port: String,
    /// Host and port under which the portal answers since it was renamed.
    renamed: watch::Sender<Option<String>>,
    /// `ID/SECRET`.
    key: String,
    pub bucket: Bucket,
    requests: AtomicU64,
    answers: AtomicU64,
    whole: Duration,
}

impl Wire {
    pub fn new(options: &Options, timeouts: Timeouts) -> Result<Wire, Error> {
        let (base, key) = webhook(&options.url)?;
        let bucket = Bucket::new(options.requests_per_second, options.burst, options.spent)
            .ok_or(Error::Rate)?;
        // Another part of the program may have installed it first; it is the same one.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("mailcrm/", env!("CARGO_PKG_VERSION")))
            // A followed redirect would turn POST into GET.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(timeouts.connect)
            // Below the keep-alive of common web servers (nginx 75 s, Apache 5 to 15 s in part).
            .pool_idle_timeout(Duration::from_secs(30));
        if is_loopback(&base) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|source| Error::Client(source.without_url()))?;
        let host_and_port = host_and_port(&base);
        Ok(Wire {
            client,
            base: RwLock::new(base),
            host_and_port,
            renamed: watch::Sender::new(None),
            key,
            bucket,
            requests: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            whole: timeouts.whole,
        })
    }

    pub fn host_and_port(&self) -> &str {
        &self.host_and_port
    }

    /// Host and port under which the portal answers since it was renamed, as soon as it was.
    pub fn renamed(&self) -> watch::Receiver<Option<String>> {
        self.renamed.subscribe()
    }

    /// HTTP requests that were answered so far.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// HTTP requests sent so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Sends one call and returns the whole envelope of a good answer.
    ///
    /// `inside` names the methods of a batch's commands, so that a method that pauses is not asked that way either.
    pub async fn call(
        &self,
        method: &str,
        body: Bytes,
        effect: Effect,
        inside: &[&'static str],
    ) -> Result<Value, Failure> {
        if let Err(why) = gate::check(method, &body) {
            return Err(self.plain_failure(method, gate::CODE, why, Fate::Refused));
        }
        let pause = self.bucket.paused(method);
        let pause = pause.or_else(|| inside.iter().find_map(|one| self.bucket.paused(one)));
        if let Some(retry_after) = pause {
            let fate =
                Fate::Deferred { retry_after: Some(retry_after), ambiguous: false, suspect: false };
            let why = "the method is still over its operating time";
            return Err(self.plain_failure(method, "OPERATION_TIME_LIMIT", why, fate));
        }
        let (status, text) = self.exchange(method, body, effect).await?;
        self.read(method, status, &text, effect)
    }

    /// One call with its redirects, as status and body.
    async fn exchange(
        &self,
        method: &str,
        body: Bytes,
        effect: Effect,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let limit = self.whole + Duration::from_secs(body.len() as u64 / UPLOAD);
        let mut redirects = 0;
        let mut repeated = effect != Effect::Reads;
        loop {
            let url = self.address_of(method);
            self.bucket.ready().await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let request = self
                .client
                .post(url.clone())
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::ACCEPT, "application/json")
                .timeout(limit)
                .body(body.clone());
            let response = match request.send().await {
                Ok(response) => response,
                // A pooled connection that the portal closed in the same moment.
                Err(error) if !repeated && !error.is_connect() && !error.is_timeout() => {
                    repeated = true;
                    continue;
                }
                Err(error) => return Err(self.network_failure(method, error, effect)),
            };
            self.answers.fetch_add(1, Ordering::Relaxed);
            let status = response.status();
            if !is_redirect(status) {
                return Ok((status.as_u16(), self.body(method, response, effect).await?));
            }
            redirects += 1;
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            match to.and_then(|to| renamed(&url, to)) {
                Some(to) if redirects <= MOST_REDIRECTS => self.move_to(to, method),
                Some(_) | None => {
                    // Whoever answers so did not run the call.
                    let why = "the portal redirects to a place that is no webhook";
                    let code = classify::page_code(status.as_u16());
                    let fate = Fate::Blocked { retry_after: None };
                    return Err(self.plain_failure(method, &code, why, fate));
                }
            }
        }
    }

    async fn body(
        &self,
        method: &str,
        mut response: Response,
        effect: Effect,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_ANSWER => {
                    let why = "the answer is larger than 32 MiB";
                    let fate = classify::lost(effect, true);
                    return Err(self.plain_failure(method, TOO_LARGE, why, fate));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) => return Err(self.network_failure(method, error, effect)),
            }
        }
    }

    fn read(
        &self,
        method: &str,
        status: u16,
        body: &[u8],
        effect: Effect,
    ) -> Result<Value, Failure> {
        // The body first, the status second: handlers answer errors with HTTP 200 too.
        let envelope: Option<Value> = serde_json::from_slice(body).ok();
        let Some(envelope) = envelope.filter(Value::is_object) else {
            let words = words_of_page(&String::from_utf8_lossy(body));
            let fate = classify::classify_page(effect, status);
            return Err(self.plain_failure(method, &classify::page_code(status), &words, fate));
        };
        if let Some((code, text)) = answers::error(&envelope) {
            return Err(self.failure(method, status, &code, &text, effect));
        }
        if !(200..300).contains(&status) {
            let fate = classify::classify(effect, status, "", "");
            let code = classify::page_code(status);
            return Err(self.plain_failure(method, &code, "an answer without words", fate));
        }
        if envelope.get("result").is_none() {
            return Err(self.not_understood(method, effect));
        }
        self.bucket.passed();
        if let Some(time) = envelope.get("time") {
            self.note_time(method, time);
        }
        Ok(envelope)
    }

    /// Notes when the portal counts this method's operating time anew. By the portal's own clock alone: ours may
    /// differ.
    pub fn note_time(&self, method: &str, time: &Value) {
        let at = |key| time.get(key).and_then(answers::seconds);
        let Some((reset, finish)) = at("operating_reset_at").zip(at("finish")) else { return };
        if let Ok(wait) = Duration::try_from_secs_f64(reset - finish) {
            self.bucket.counted_anew_in(method, wait.min(classify::OPERATING_WINDOW));
        }
    }

    /// What an error answer means; also slows down where it asks for it. `status` is 0 inside a batch.
    pub fn failure(
        &self,
        method: &str,
        status: u16,
        code: &str,
        text: &str,
        effect: Effect,
    ) -> Failure {
        let fate = match (classify::classify(effect, status, code, text), code) {
            (Fate::Deferred { ambiguous, suspect, .. }, "QUERY_LIMIT_EXCEEDED") => {
                let retry_after = Some(self.bucket.overflowed());
                Fate::Deferred { retry_after, ambiguous, suspect }
            }
            (Fate::Deferred { ambiguous, suspect, .. }, "OPERATION_TIME_LIMIT") => {
                let retry_after = Some(self.bucket.over_operating_time(method));
                Fate::Deferred { retry_after, ambiguous, suspect }
            }
            (fate, _) => fate,
        };
        self.plain_failure(method, code, text, fate)
    }

    /// A good answer without what it should hold: what it means is not known.
    pub fn not_understood(&self, method: &str, effect: Effect) -> Failure {
        let why = "the answer is not what the method answers";
        self.plain_failure(method, "not-json", why, classify::classify_page(effect, 200))
    }

    fn network_failure(&self, method: &str, error: reqwest::Error, effect: Effect) -> Failure {
        let sent = !error.is_connect() && !error.is_builder();
        let code = if error.is_timeout() { crate::crm::TIMEOUT } else { "network" };
        // Its text would name the address, and that is the secret.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.plain_failure(method, code, &text, classify::lost(effect, sent))
    }

    fn plain_failure(&self, method: &str, code: &str, text: &str, fate: Fate) -> Failure {
        // Redacted before it is cut: half a secret is one too.
        let text = self.redact(text);
        let text =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TEXT).collect();
        Failure { method: method.to_owned(), code: self.redact(code), text, fate }
    }

    /// The text without the webhook's secret, should a peer echo it.
    fn redact(&self, text: &str) -> String {
        let secret = self.key.rsplit('/').next().unwrap_or_default();
        let mut text = text.replace(&self.key, "***");
        if secret.len() >= SHORTEST_SECRET {
            text = text.replace(secret, "***");
        }
        text
    }

    fn address_of(&self, method: &str) -> Url {
        let mut url = self.base.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut path = format!("{}{method}", url.path());
        // Mail methods exist in REST 3 only, under a path of its own (REST reference, "REST 3.0").
        if method.starts_with("mail.") {
            let at = path.len() - self.key.len() - 1 - method.len();
            path.insert_str(at, "api/");
        }
        url.set_path(&path);
        url
    }

    /// Keeps the portal's new name. `to` is where the redirected call went.
    fn move_to(&self, mut to: Url, method: &str) {
        let path = to.path().strip_suffix(method).unwrap_or_default().to_owned();
        let path = if method.starts_with("mail.") {
            path.replacen("/rest/api/", "/rest/", 1)
        } else {
            path
        };
        to.set_path(&path);
        self.renamed.send_replace(Some(host_and_port(&to)));
        *self.base.write().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

/// Base and `ID/SECRET` of a webhook's address, such as `https://host/rest/1/secret/`.
fn webhook(address: &str) -> Result<(Url, String), Error> {
    let mut url = Url::parse(address.trim()).map_err(|_| Error::Url("it is no URL"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(Error::Url("it must begin with https:, or be on the loopback interface")),
    }
    if !url.username().is_empty() || url.password().is_some() || !url.has_host() {
        return Err(Error::Url("it must be https://HOST/rest/ID/SECRET/"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    // People copy the address with `profile.json` at its end, as the portal shows it.
    let path = path.strip_suffix("/profile.json").unwrap_or(&path).to_owned();
    let parts: Vec<&str> = path.rsplit('/').take(3).collect();
    let key = match parts.as_slice() {
        [secret, id, "rest"]
            if !secret.is_empty() && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{id}/{secret}")
        }
        _ => return Err(Error::Url("its path must end with /rest/ID/SECRET/")),
    };
    url.set_path(&format!("{path}/"));
    Ok((url, key))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a renamed portal wants this call, if that is the same call under another name.
///
/// The secret goes along, so never to plain HTTP from HTTPS, and never to another kind of page: a login form, a
/// provider's notice.
fn renamed(from: &Url, location: &str) -> Option<Url> {
    let mut to = from.join(location).ok()?;
    to.set_query(None);
    to.set_fragment(None);
    let safe = match to.scheme() {
        "https" => true,
        "http" => is_loopback(&to) && is_loopback(from),
        _ => false,
    };
    let same = to.path().trim_end_matches('/') == from.path() && to.username().is_empty();
    (safe && same && to.password().is_none()).then(|| {
        to.set_path(from.path());
        to
    })
}

/// The first words of a page, without its marks.
fn words_of_page(page: &str) -> String {
    let mut words = String::new();
    let mut inside = false;
    for c in page.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                words.push(' ');
            }
            c if !inside => words.push(c),
            _ => {}
        }
        if words.len() > 2 * LONGEST_TEXT {
            break;
        }
    }
    let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_webhook_is_taken_apart_or_refused_without_being_named() {
        #[rustfmt::skip]
        let cases = [
            ("https://x.bitrix24.es/rest/1/s3cret0000000000/",             Some(("/rest/1/s3cret0000000000/", "1/s3cret0000000000"))),
            ("https://x.bitrix24.es/rest/1/s3cret0000000000",              Some(("/rest/1/s3cret0000000000/", "1/s3cret0000000000"))),
            ("https://x.bitrix24.es/rest/1/s3cret0000000000/profile.json", Some(("/rest/1/s3cret0000000000/", "1/s3cret0000000000"))),
            (" https://box.example/portal/rest/12/abcd/?x#y\n",            Some(("/portal/rest/12/abcd/", "12/abcd"))),
            ("http://127.0.0.1:8080/rest/1/abcd/",                         Some(("/rest/1/abcd/", "1/abcd"))),
            ("http://localhost:8080/rest/1/abcd/",                         Some(("/rest/1/abcd/", "1/abcd"))),
            ("http://x.bitrix24.es/rest/1/s3cret/",                        None),
            ("https://x.bitrix24.es/",                                     None),
            ("https://x.bitrix24.es/rest/1/",                              None),
            ("https://x.bitrix24.es/rest/me/s3cret/",                      None),
            ("https://u:p@x.bitrix24.es/rest/1/s3cret/",                   None),
            ("ftp://x/rest/1/s3cret/",                                     None),
            ("s3cret",                                                     None),
        ];
        for (address, expected) in cases {
            match (webhook(address), expected) {
                (Ok((base, key)), Some((path, expected))) => {
                    assert_eq!((base.path(), key.as_str()), (path, expected), "{address}");
                    assert_eq!((base.query(), base.fragment()), (None, None));
                }
                (Err(error), None) => assert!(!format!("{error} {error:?}").contains("s3cret")),
                (got, expected) => panic!("{address}: {} {expected:?}", got.is_ok()),
            }
        }
    }

    #[test]
    fn only_the_same_call_on_a_safe_host_is_followed() {
        let from = Url::parse("https://old.bitrix24.es/rest/1/abcd/crm.item.add").unwrap();
        #[rustfmt::skip]
        let cases = [
            ("https://new.bitrix24.es/rest/1/abcd/crm.item.add",  true),
            ("https://new.bitrix24.es/rest/1/abcd/crm.item.add/", true),
            ("https://new.bitrix24.es/rest/1/abcd/crm.item.add?redirected=1", true),
            ("//new.bitrix24.es/rest/1/abcd/crm.item.add",        true),
            ("http://new.bitrix24.es/rest/1/abcd/crm.item.add",   false),
            ("http://127.0.0.1/rest/1/abcd/crm.item.add",         false),
            ("https://new.bitrix24.es/auth/",                     false),
            ("https://new.bitrix24.es/",                          false),
            ("https://new.bitrix24.es/rest/1/other/crm.item.add", false),
            ("https://u:p@new.bitrix24.es/rest/1/abcd/crm.item.add", false),
            ("javascript:alert(1)",                               false),
            ("https://",                                          false),
        ];
        for (location, followed) in cases {
            assert_eq!(renamed(&from, location).is_some(), followed, "{location}");
        }
    }

    #[test]
    fn a_page_is_told_in_its_words() {
        let page =
            "<html>\r\n<head><title>502 Bad Gateway</title></head><body><hr><center>nginx</center>";
        assert_eq!(words_of_page(page), "502 Bad Gateway nginx");
    }
}
