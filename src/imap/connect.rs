//! From a host name to an open session: TCP, TLS, login.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_imap::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, CertificateError};

use super::failed::{is_busy, lost, of_codec, says_any, silent};
use super::guard::Guard;
use super::link::{Capabilities, Link, Wire};
use super::trust::TrustStore;
use super::{Error, names};
use crate::config::{Imap, Secret, Tls};

const CONNECT: Duration = Duration::from_secs(20);
const HANDSHAKE: Duration = Duration::from_secs(20);
const GREETING: Duration = Duration::from_secs(30);
/// A login may take long where the server delays wrong passwords on purpose.
const LOGIN: Duration = Duration::from_secs(60);
/// Octets of one line before login.
const LINE: usize = 8192;
/// Connections opened a second by the whole process, and at once to one host: a start with
/// thousands of mailboxes must not look like an attack.
const OPENED_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);
const OPENED_AT_ONCE: usize = 20;
/// Names looked up at once: each takes a thread, and where DNS is dead for half a minute.
const LOOKED_UP_AT_ONCE: usize = 16;
/// All of it together: a peer that talks and talks holds up others of its host.
const WHOLE: Duration = Duration::from_secs(180);
/// The write buffer: one command in one packet, and little memory in a thousand mailboxes.
const WRITE_BUFFER: usize = 1024;

/// Lets connections through one after another.
pub struct Gate {
    /// By host: one that does not answer holds up nobody else.
    at_once: Mutex<HashMap<String, Arc<Semaphore>>>,
    rate: DefaultDirectRateLimiter,
    names: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            at_once: Mutex::default(),
            rate: RateLimiter::direct(Quota::per_second(OPENED_PER_SECOND)),
            names: Arc::new(Semaphore::new(LOOKED_UP_AT_ONCE)),
        }
    }
}

impl Gate {
    fn of_host(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.at_once.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Semaphore::new(OPENED_AT_ONCE));
        Arc::clone(hosts.entry(host.to_owned()).or_insert_with(new))
    }
}

/// Opens a session.
pub(super) async fn connect(
    imap: &Imap,
    secret: &Secret,
    trust: &TrustStore,
    gate: &Gate,
) -> Result<Link, Error> {
    let at_once = gate.of_host(&imap.host);
    // Never closed, so this cannot fail; a failure would only mean no limit.
    let _permit = at_once.acquire().await;
    gate.rate.until_ready().await;
    match timeout(WHOLE, open(imap, secret, trust, gate)).await {
        Err(_) => Err(silent("connect", WHOLE)),
        Ok(opened) => opened,
    }
}

async fn open(
    imap: &Imap,
    secret: &Secret,
    trust: &TrustStore,
    gate: &Gate,
) -> Result<Link, Error> {
    let tcp = reach(&imap.host, imap.port, gate).await?;
    let (wire, capabilities) = match imap.tls {
        Tls::Implicit => greet(secure(tcp, imap, trust).await?).await?,
        Tls::Starttls => {
            let tcp = start_tls(tcp).await?;
            let mut wire = secure(tcp, imap, trust).await?;
            let capabilities = capabilities(&mut wire).await?;
            (wire, capabilities)
        }
        Tls::None => greet(Wire::Plain(tcp)).await?,
    };
    login(wire, imap, secret, &capabilities).await
}

/// Tries the host's addresses in turn, IPv6 and IPv4 as the resolver orders them.
async fn reach(host: &str, port: u16, gate: &Gate) -> Result<TcpStream, Error> {
    const DOING: &str = "connect";
    let found = timeout(CONNECT, look_up(host.to_owned(), port, gate)).await;
    let addresses = match found {
        Err(_) => return Err(silent("look up the host", CONNECT)),
        Ok(Err(source)) => return Err(lost("look up the host", source)),
        Ok(Ok(addresses)) => addresses,
    };
    let mut last = lost(DOING, io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Err(_) => last = silent(DOING, CONNECT),
            Ok(Err(source)) => last = lost(DOING, source),
            Ok(Ok(stream)) => {
                tune(&stream).map_err(|source| lost(DOING, source))?;
                return Ok(stream);
            }
        }
    }
    Err(last)
}

/// The addresses of a host. The permit goes with the thread, which outlives whoever waits for it.
async fn look_up(host: String, port: u16, gate: &Gate) -> io::Result<Vec<SocketAddr>> {
    let permit = Arc::clone(&gate.names).acquire_owned().await;
    let looking = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        Ok((host.as_str(), port).to_socket_addrs()?.collect())
    });
    looking.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
}

/// A network that swallows packets gives a socket that looks alive for ever: the kernel finds
/// that out within two minutes.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(120)))
}

async fn secure(tcp: TcpStream, imap: &Imap, trust: &TrustStore) -> Result<Wire, Error> {
    let config = trust.config(imap.ca_file.as_deref())?;
    let name = ServerName::try_from(imap.host.clone())
        .map_err(|_| Error::Blocked(format!("imap.host {}: no host name", imap.host)))?;
    let handshake = TlsConnector::from(config).connect(name, tcp);
    match timeout(HANDSHAKE, handshake).await {
        Err(_) => Err(silent("begin TLS", HANDSHAKE)),
        Ok(Ok(stream)) => Ok(Wire::Tls(Box::new(stream))),
        Ok(Err(source)) => {
            let of_tls = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match of_tls {
                Some(rustls::Error::InvalidCertificate(why)) => {
                    #[expect(
                        clippy::wildcard_enum_match_arm,
                        reason = "rustls may name more reasons; the mend of all others is one"
                    )]
                    let mend = match why {
                        CertificateError::NotValidForName
                        | CertificateError::NotValidForNameContext { .. } => {
                            "set imap.host to a name that it is for"
                        }
                        CertificateError::Expired
                        | CertificateError::ExpiredContext { .. }
                        | CertificateError::NotValidYet
                        | CertificateError::NotValidYetContext { .. } => {
                            "renew it, or set the clock"
                        }
                        _ => "give it or its CA as imap.ca_file",
                    };
                    Err(Error::Blocked(format!(
                        "the certificate of {} is not trusted: {why}; {mend}",
                        imap.host
                    )))
                }
                // Plain text on a TLS port, an old TLS, and the like: a person must look.
                Some(error @ rustls::Error::InvalidMessage(_)) => Err(Error::Blocked(format!(
                    "no TLS on port {}: {error}; for STARTTLS set imap.tls = \"starttls\"",
                    imap.port
                ))),
                _ => Err(lost("begin TLS", source)),
            }
        }
    }
}

/// Reads the greeting and what the server can do before login.
async fn greet(mut wire: Wire) -> Result<(Wire, Capabilities), Error> {
    let greeting = line(&mut wire).await?;
    check_greeting(&greeting)?;
    let capabilities = match in_brackets(&greeting) {
        Some(words) => words,
        None => capabilities(&mut wire).await?,
    };
    Ok((wire, capabilities))
}

fn check_greeting(greeting: &str) -> Result<(), Error> {
    const DOING: &str = "greet";
    if greeting.starts_with("* OK") {
        return Ok(());
    }
    let text: String = greeting.chars().take(200).collect();
    if greeting.starts_with("* PREAUTH") {
        // Whoever is logged in here, it is not the configured user; and before STARTTLS it is
        // how an attacker keeps a client in the clear (RFC 2595 §2.4).
        return Err(Error::Blocked("the server greets with PREAUTH".to_owned()));
    }
    if greeting.starts_with("* BYE") {
        return Err(Error::Busy { doing: DOING, text });
    }
    Err(Error::Blocked(format!("no IMAP server: {text:?}")))
}

/// `[CAPABILITY …]` of a greeting.
fn in_brackets(greeting: &str) -> Option<Capabilities> {
    let (_, rest) = greeting.split_once("[CAPABILITY ")?;
    let (words, _) = rest.split_once(']')?;
    Some(Capabilities::from_words(words.split_ascii_whitespace()))
}

async fn capabilities(wire: &mut Wire) -> Result<Capabilities, Error> {
    send(wire, "c0 CAPABILITY").await?;
    let mut found = Capabilities::default();
    for _ in 0..100 {
        let answer = line(wire).await?;
        if let Some(words) = answer.strip_prefix("* CAPABILITY ") {
            found = Capabilities::from_words(words.split_ascii_whitespace());
        } else if answer.starts_with("c0 ") {
            break;
        }
    }
    Ok(found)
}

/// Upgrades by hand, octet by octet, so that nothing said in the clear is read as said under
/// TLS (CVE-2011-0411 and its kin).
async fn start_tls(tcp: TcpStream) -> Result<TcpStream, Error> {
    let mut wire = Wire::Plain(tcp);
    check_greeting(&line(&mut wire).await?)?;
    send(&mut wire, "s0 STARTTLS").await?;
    let mut answer = line(&mut wire).await?;
    while answer.starts_with("* ") {
        answer = line(&mut wire).await?;
    }
    if !answer.starts_with("s0 OK") {
        let text: String = answer.chars().take(200).collect();
        return Err(Error::Blocked(format!("the server refuses STARTTLS: {text:?}")));
    }
    let Wire::Plain(tcp) = wire else {
        return Err(Error::Blocked("STARTTLS under TLS".to_owned()));
    };
    let mut early = [0; 1];
    match tcp.try_read(&mut early) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(tcp),
        Ok(0) => Err(lost("begin TLS", io::ErrorKind::UnexpectedEof.into())),
        Ok(_) | Err(_) => Err(Error::Blocked(
            "the server spoke between STARTTLS and TLS: somebody may be in between".to_owned(),
        )),
    }
}

async fn login(
    wire: Wire,
    imap: &Imap,
    secret: &Secret,
    capabilities: &Capabilities,
) -> Result<Link, Error> {
    const DOING: &str = "log in";
    let stream = BufWriter::with_capacity(WRITE_BUFFER, Guard::new(wire));
    let client = Client::new(stream);
    // Quoted strings hold ASCII only (RFC 3501 §9); the rest needs SASL.
    let plain_text = imap.username.is_ascii() && secret.expose().is_ascii();
    let sasl = capabilities.has("LOGINDISABLED") || !plain_text;
    if sasl && capabilities.has("LOGINDISABLED") && !capabilities.has("AUTH=PLAIN") {
        if capabilities.has("STARTTLS") {
            return Err(Error::Blocked(
                "the server takes no password without TLS; set imap.tls = \"starttls\"".to_owned(),
            ));
        }
        return Err(Error::Blocked(
            "the server offers neither LOGIN nor AUTH=PLAIN (OAuth2 only?)".to_owned(),
        ));
    }
    let answer = if sasl {
        let plain = Plain { username: &imap.username, secret };
        timeout(LOGIN, client.authenticate("PLAIN", plain)).await
    } else {
        timeout(LOGIN, client.login(&imap.username, secret.expose())).await
    };
    let session = match answer {
        Err(_) => return Err(silent(DOING, LOGIN)),
        Ok(Ok(session)) => session,
        Ok(Err((error, _client))) => return Err(refused(of_codec(DOING, error), imap, secret)),
    };
    let mut link = Link::new(session);
    link.ask_capabilities().await?;
    if link.capabilities.has("ID") {
        // Coremail (163, 126) lets nobody read who has not said who they are.
        let command = format!(
            "ID (\"name\" \"mailcrm\" \"version\" {})",
            names::quote(env!("CARGO_PKG_VERSION"))
        );
        match link.run("say who we are", &command, |_| {}).await {
            Ok(()) => {}
            Err(Error::No { .. } | Error::Busy { .. }) if !link.broken => {}
            Err(error) => return Err(error),
        }
    }
    Ok(link)
}

/// A refused login: busy servers and wrong words are told apart by the response code, else by
/// what servers are known to say.
fn refused(error: Error, imap: &Imap, secret: &Secret) -> Error {
    match error {
        Error::No { doing, text } => {
            // Some repeat the command that they refuse.
            let text = readable(&without_secret(&text, imap, secret));
            if is_passing(&text) {
                Error::Busy { doing, text }
            } else {
                Error::Credentials { text }
            }
        }
        other @ (Error::Lost { .. }
        | Error::Timeout { .. }
        | Error::Busy { .. }
        | Error::Unparsable { .. }
        | Error::Credentials { .. }
        | Error::Held { .. }
        | Error::Secret(_)
        | Error::Blocked(_)
        | Error::Ledger(_)) => other,
    }
}

/// Whether a refused login passes by itself.
fn is_passing(text: &str) -> bool {
    /// Whatever else is said (RFC 5530 §3).
    const WRONG: [&str; 3] = ["[AUTHENTICATIONFAILED]", "[AUTHORIZATIONFAILED]", "[EXPIRED]"];
    /// Exchange, Dovecot and Gmail, when it is their own trouble.
    const TROUBLE: [&str; 6] = [
        "[SERVERBUG]",
        "server unavailable",
        "temporar",
        "internal error",
        "bandwidth limit",
        "service not available",
    ];
    !says_any(text, &WRONG) && (is_busy(text) || says_any(text, &TROUBLE))
}

/// A server's words without the secret, in whatever form it may have come to hear it.
fn without_secret(text: &str, imap: &Imap, secret: &Secret) -> String {
    let plain = secret.expose();
    let quoted = names::quote(plain);
    let quoted = quoted.trim_matches('"');
    let sasl = STANDARD.encode(format!("\0{}\0{plain}", imap.username));
    let mut text = text.to_owned();
    for form in [quoted, plain, sasl.as_str(), &STANDARD.encode(plain)] {
        // The codec hands on what it heard as Rust would write it.
        for form in [&form.escape_debug().to_string(), form] {
            if !form.is_empty() {
                text = text.replace(form, "***");
            }
        }
    }
    text
}

/// The server's words out of async-imap's `code: None, info: Some("…")`.
fn readable(text: &str) -> String {
    let inner = text
        .split_once("info: Some(\"")
        .and_then(|(_, rest)| rest.strip_suffix("\")"))
        .unwrap_or(text);
    inner.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

struct Plain<'a> {
    username: &'a str,
    secret: &'a Secret,
}

impl async_imap::Authenticator for Plain<'_> {
    type Response = String;

    /// RFC 4616: no authorization identity, the name, the password.
    fn process(&mut self, _challenge: &[u8]) -> String {
        format!("\0{}\0{}", self.username, self.secret.expose())
    }
}

async fn send(wire: &mut Wire, command: &str) -> Result<(), Error> {
    let sending = async {
        wire.write_all(format!("{command}\r\n").as_bytes()).await?;
        wire.flush().await
    };
    match timeout(GREETING, sending).await {
        Err(_) => Err(silent("greet", GREETING)),
        Ok(sent) => sent.map_err(|source| lost("greet", source)),
    }
}

/// One line before login, without its end.
async fn line(wire: &mut Wire) -> Result<String, Error> {
    const DOING: &str = "greet";
    let reading = async {
        let mut octets = Vec::new();
        loop {
            match wire.read_u8().await? {
                b'\n' => return Ok(octets),
                octet => octets.push(octet),
            }
            if octets.len() > LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    };
    match timeout(GREETING, reading).await {
        Err(_) => Err(silent(DOING, GREETING)),
        Ok(Err(source)) => Err(lost(DOING, source)),
        Ok(Ok(octets)) => Ok(String::from_utf8_lossy(&octets).trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_login_is_the_servers_trouble_only_where_it_says_so() {
        #[rustfmt::skip]
        let cases = [
            ("[AUTHENTICATIONFAILED] Invalid credentials",                     false),
            ("[AUTHENTICATIONFAILED] Failed, please try again later",          false),
            ("LOGIN failed.",                                                  false),
            ("[UNAVAILABLE] Temporary authentication failure.",                true),
            ("Server Unavailable. 15",                                         true),
            ("[SERVERBUG] Internal error occurred.",                           true),
            ("[ALERT] Account exceeded command or bandwidth limits. (Failure)", true),
            ("[ALERT] Too many simultaneous connections. (Failure)",           true),
        ];
        for (text, passing) in cases {
            assert_eq!(is_passing(text), passing, "{text}");
        }
    }
}
