//! An open session: one command, its answers, and the tagged word that ends it.
//!
//! Uses async-imap as transport and codec only. Its own `uid_fetch`, `select`, `idle` and the
//! like answer `Ok` when the server said NO or hung up (async-imap 0.12), which would move a
//! cursor over mail that was never read.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "few of the codec's many answers matter here, and its enums may grow"
)]

use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_imap::Session;
use async_imap::imap_proto::{
    MailboxDatum, NameAttribute, Response, ResponseCode, Status, StatusAttribute,
};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;

use super::failed::{lost, of_codec, of_read, of_status, silent, words};
use super::fetch::has_keyword;
use super::guard::Guard;
use super::{Error, names};
use crate::folder::FolderName;

/// Octets asked for at a time of a large message.
pub(super) const CHUNK: u32 = 1024 * 1024;
/// How long the server may stay silent during a command.
const SILENCE: Duration = Duration::from_secs(60);
/// The same for a search by dates, for which some go through all their files.
const LONG_SILENCE: Duration = Duration::from_secs(300);
/// How long one command may take in all, however slowly its octets come: a line of a few KB a
/// second gets there, and nobody holds the memory of others for ever.
const COMMAND: Duration = Duration::from_secs(600);
/// How long it may take to end an IDLE after DONE.
const DONE: Duration = Duration::from_secs(15);
/// Folders of one mailbox that are listened to.
const MOST_FOLDERS: usize = 20_000;
/// Folders that may have news at once; beyond, all are looked at.
const MOST_NEWS: usize = 1_000;
/// Untagged lines of one command; a server that sends more talks for ever.
const MAX_ANSWERS: u32 = 1_000_000;

/// The octets' way: TCP, mostly under TLS.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub(super) type Stream = BufWriter<Guard<Wire>>;

/// What the server can do.
#[derive(Clone, Debug, Default)]
pub struct Capabilities(HashSet<String>);

impl Capabilities {
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Capabilities {
        // Case does not count (RFC 3501 §7.2.1), and servers do vary.
        Capabilities(words.into_iter().map(str::to_ascii_uppercase).collect())
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A folder as LIST names it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: FolderName,
    /// The name as the server writes it.
    pub(super) wire: String,
    pub delimiter: Option<char>,
    /// Such as `\Sent`.
    pub attributes: Vec<String>,
    pub selectable: bool,
}

impl Listed {
    /// A folder of which only the name is known.
    pub(super) fn bare(name: &str) -> Listed {
        Listed {
            name: FolderName::new(name),
            wire: name.to_owned(),
            delimiter: None,
            attributes: Vec::new(),
            selectable: true,
        }
    }
}

/// A folder as SELECT or STATUS describes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// 0 if the server did not say.
    pub uid_validity: u32,
    /// 0 if the server did not say.
    pub uid_next: u32,
    pub exists: u32,
}

/// Why an IDLE ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woke {
    /// The server announced something.
    News,
    /// The time was up.
    Time,
    /// A message of the selected folder bears the keyword.
    Keyword,
    /// `stop` said so.
    Stop,
    /// The server does not idle, whatever it advertises.
    Unwilling,
}

/// What the server said of its own accord.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The selected folder got mail.
    pub selected: bool,
    /// Other folders changed (NOTIFY), by wire name.
    pub folders: HashSet<String>,
    /// The server no longer reports other folders (RFC 5465 §5.8).
    pub overflow: bool,
    /// A message of the selected folder was given the keyword, or has it and another flag changed.
    pub keyword: bool,
}

/// An open session.
pub(super) struct Link {
    session: Session<Stream>,
    pub capabilities: Capabilities,
    pub news: News,
    /// The keyword that is listened to.
    pub keyword: Option<Arc<str>>,
    /// Messages of the selected folder may bear it (PERMANENTFLAGS, RFC 3501 §7.1).
    pub holds_keyword: bool,
    /// Wire name of the selected folder.
    pub selected: Option<String>,
    /// A command was not followed to its end: the next answers would be the wrong ones.
    pub(super) broken: bool,
    /// The server takes the UIDs of a SEARCH for sequence numbers.
    pub(super) counts_in_search: bool,
    /// Folders in which that was tried.
    pub(super) tried: HashSet<String>,
}

impl Link {
    pub(super) fn new(mut session: Session<Stream>) -> Link {
        session.get_mut().get_mut().logged_in();
        Link {
            session,
            capabilities: Capabilities::default(),
            news: News::default(),
            keyword: None,
            holds_keyword: false,
            selected: None,
            broken: false,
            counts_in_search: false,
            tried: HashSet::new(),
        }
    }

    /// Runs a command and hands over each untagged answer; done when the server says OK to it.
    pub(super) async fn run(
        &mut self,
        doing: &'static str,
        command: &str,
        mut each: impl FnMut(&Response<'_>),
    ) -> Result<(), Error> {
        if self.broken {
            return Err(lost(doing, io::ErrorKind::BrokenPipe.into()));
        }
        // Whoever drops this future midway leaves the session unusable, and `broken` says so.
        self.broken = true;
        let slow = command.contains(" SINCE ");
        let silence = if slow { LONG_SILENCE } else { SILENCE };
        let by = Instant::now() + COMMAND;
        let sent = timeout(SILENCE, self.session.run_command(command)).await;
        let tag = match sent {
            Err(_) => return Err(silent(doing, SILENCE)),
            Ok(Err(source)) => return Err(of_codec(doing, source)),
            Ok(Ok(tag)) => tag,
        };
        for _ in 0..MAX_ANSWERS {
            let mut heard = self.heard();
            let answer = loop {
                let until = by.min(Instant::now() + silence);
                match timeout_at(until, self.session.read_response()).await {
                    Ok(answer) => break of_read(doing, answer)?,
                    // A large answer on a slow line is on its way as long as octets come.
                    Err(_) if self.heard() != heard && Instant::now() < by => heard = self.heard(),
                    Err(_) => return Err(silent(doing, silence)),
                }
            };
            self.agreed(doing)?;
            let parsed = answer.parsed();
            self.news.note(parsed, self.keyword.as_deref());
            match parsed {
                Response::Done { tag: ended, status, outcome } if *ended == tag => {
                    self.broken = false;
                    each(parsed);
                    return of_status(doing, status, outcome);
                }
                Response::Data { status: Status::Bye, outcome } => {
                    return Err(Error::Busy { doing, text: words(outcome) });
                }
                other => each(other),
            }
        }
        Err(Error::Unparsable { doing, what: "answers without end".to_owned() })
    }

    /// Makes sure that guard and codec see the same end of the answer that was just read.
    fn agreed(&self, doing: &'static str) -> Result<(), Error> {
        if self.session.get_ref().get_ref().at_end() {
            return Ok(());
        }
        Err(Error::Unparsable { doing, what: "an answer without a certain end".to_owned() })
    }

    /// Octets that the server has sent.
    fn heard(&self) -> u64 {
        self.session.get_ref().get_ref().heard()
    }

    /// Asks what the server can do now that it knows who we are.
    pub(super) async fn ask_capabilities(&mut self) -> Result<(), Error> {
        let mut found = HashSet::new();
        self.run("ask for capabilities", "CAPABILITY", |answer| {
            if let Response::Capabilities(list) = answer {
                found.extend(list.iter().map(capability));
            }
        })
        .await?;
        self.capabilities = Capabilities(found);
        if self.capabilities.is_empty() {
            self.capabilities = Capabilities::from_words(["IMAP4REV1"]);
        }
        Ok(())
    }

    /// All folders, with their special uses where the server knows them (RFC 6154).
    pub(super) async fn list(&mut self) -> Result<Vec<Listed>, Error> {
        let command =
            if self.capabilities.has("SPECIAL-USE") && self.capabilities.has("LIST-EXTENDED") {
                "LIST \"\" \"*\" RETURN (SPECIAL-USE)"
            } else {
                "LIST \"\" \"*\""
            };
        let mut folders = Vec::new();
        self.run("list folders", command, |answer| {
            if let Response::MailboxData(MailboxDatum::List(listed)) = answer
                && folders.len() < MOST_FOLDERS
            {
                let attributes: Vec<String> =
                    listed.name_attributes.iter().map(attribute).collect();
                let selectable = !attributes.iter().any(|attribute| {
                    attribute.eq_ignore_ascii_case("\\Noselect")
                        || attribute.eq_ignore_ascii_case("\\NonExistent")
                });
                let wire = names::unescape(&listed.name);
                folders.push(Listed {
                    name: FolderName::new(&names::decode(&wire)),
                    wire,
                    delimiter: listed.delimiter.as_ref().and_then(|text| text.chars().next()),
                    attributes,
                    selectable,
                });
            }
        })
        .await?;
        Ok(folders)
    }

    /// Opens a folder with SELECT: Courier gives UIDs away twice that it handed out under
    /// EXAMINE (Courier 5.0). Only `\Recent` changes, for bodies are fetched with PEEK.
    pub(super) async fn select(&mut self, wire: &str) -> Result<Opened, Error> {
        self.selected = None;
        self.holds_keyword = false;
        let keyword = self.keyword.clone();
        let mut holds = false;
        let mut opened = Opened::default();
        let command = format!("SELECT {}", names::quote(wire));
        self.run(super::catch_up::OPEN, &command, |answer| match answer {
            Response::MailboxData(MailboxDatum::Exists(exists)) => opened.exists = *exists,
            Response::Data { outcome, .. } | Response::Done { outcome, .. } => {
                match &outcome.code {
                    Some(ResponseCode::UidValidity(value)) => opened.uid_validity = *value,
                    Some(ResponseCode::UidNext(value)) => opened.uid_next = *value,
                    Some(ResponseCode::PermanentFlags(flags)) => {
                        holds = keyword.as_ref().is_some_and(|keyword| {
                            flags
                                .iter()
                                .any(|flag| flag == "\\*" || flag.eq_ignore_ascii_case(keyword))
                        });
                    }
                    _ => {}
                }
            }
            _ => {}
        })
        .await?;
        self.selected = Some(wire.to_owned());
        self.holds_keyword = holds;
        self.news.selected = false;
        self.news.folders.remove(wire);
        if opened.uid_next == 0 || opened.uid_validity == 0 {
            // The RFC makes both mandatory (RFC 3501 §6.3.1). Winmail and Coremail leave UIDNEXT
            // out and answer STATUS instead.
            let status = match self.status(wire).await {
                // Not every server takes it for the open folder (RFC 3501 §6.3.10 advises against).
                Err(Error::No { .. } | Error::Busy { .. }) if !self.broken => Opened::default(),
                other => other?,
            };
            opened.uid_next = opened.uid_next.max(status.uid_next);
            // Who gives none at all has one that never changes.
            opened.uid_validity = opened.uid_validity.max(status.uid_validity).max(1);
        }
        Ok(opened)
    }

    /// Asks about a folder that need not be selected.
    pub(super) async fn status(&mut self, wire: &str) -> Result<Opened, Error> {
        let known = self.news.folders.clone();
        let mut ours: Option<(String, Opened)> = None;
        let mut last: Option<(String, Opened)> = None;
        let command = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY)", names::quote(wire));
        self.run("ask about a folder", &command, |answer| {
            if let Response::MailboxData(MailboxDatum::Status { mailbox, status }) = answer {
                let mut opened = Opened::default();
                opened.take(status);
                let name = names::unescape(mailbox);
                if same_wire(&name, wire) {
                    ours = Some((name, opened));
                } else {
                    last = Some((name, opened));
                }
            }
        })
        .await?;
        // Others may come in between (NOTIFY). Servers answer INBOX for inbox, and write names in
        // other ways than LIST does: one answer alone is ours whatever it is called.
        let Some((name, opened)) = ours.or(last) else { return Ok(Opened::default()) };
        // What we asked for is no news: the folder would be read for it, which asks again.
        if !known.contains(&name) {
            self.news.folders.remove(&name);
        }
        Ok(opened)
    }

    /// Lets the server speak; finds a dead connection.
    pub(super) async fn noop(&mut self) -> Result<(), Error> {
        self.run("ask for news", "NOOP", |_| {}).await
    }

    /// Asks to be told about these folders while another is selected (RFC 5465).
    pub(super) async fn notify(&mut self, wires: &[String]) -> Result<(), Error> {
        let folders: Vec<String> = wires.iter().map(|wire| names::quote(wire)).collect();
        // Without being asked for, changes of flags are not told any more.
        let flags = if self.keyword.is_some() { " FlagChange" } else { "" };
        let command = format!(
            "NOTIFY SET (selected (MessageNew MessageExpunge{flags})) (mailboxes ({}) (MessageNew MessageExpunge))",
            folders.join(" ")
        );
        self.run("ask to be notified", &command, |_| {}).await
    }

    /// Says goodbye without waiting for long.
    pub(super) async fn logout(mut self) {
        let bye = self.run("log out", "LOGOUT", |_| {});
        drop(timeout(Duration::from_secs(2), bye).await);
    }

    /// Waits in IDLE (RFC 2177) until the server announces something, `limit` is up, or `stop`
    /// ends. The keyword is no news before `keyword_from`.
    pub(super) async fn idle(
        &mut self,
        limit: Duration,
        keyword_from: Instant,
        stop: impl Future<Output = ()>,
    ) -> Result<Woke, Error> {
        const DOING: &str = "idle";
        if self.broken {
            return Err(lost(DOING, io::ErrorKind::BrokenPipe.into()));
        }
        self.broken = true;
        let end = Instant::now() + limit;
        let tag = match timeout(SILENCE, self.session.run_command("IDLE")).await {
            Err(_) => return Err(silent(DOING, SILENCE)),
            Ok(Err(source)) => return Err(of_codec(DOING, source)),
            Ok(Ok(tag)) => tag,
        };
        tokio::pin!(stop);
        let mut accepted = false;
        let accept_by = Instant::now() + SILENCE;
        let woke = loop {
            // What was announced before the `+` counts as well: nobody repeats it.
            if accepted && self.news.any() {
                break Woke::News;
            }
            let until = match (accepted, self.news.keyword) {
                (false, _) => accept_by,
                (true, false) => end,
                (true, true) => end.min(keyword_from),
            };
            let answer = tokio::select! {
                biased;
                answer = timeout_at(until, self.session.read_response()) => answer,
                () = &mut stop, if accepted => break Woke::Stop,
            };
            let answer = match answer {
                Err(_) if accepted && self.news.keyword && Instant::now() < end => {
                    break Woke::Keyword;
                }
                Err(_) if accepted => break Woke::Time,
                Err(_) => return Err(silent(DOING, SILENCE)),
                Ok(answer) => of_read(DOING, answer)?,
            };
            self.agreed(DOING)?;
            let parsed = answer.parsed();
            self.news.note(parsed, self.keyword.as_deref());
            match parsed {
                Response::Continue(_) => accepted = true,
                Response::Done { tag: ended, status, outcome } if *ended == tag => {
                    self.broken = false;
                    return match of_status(DOING, status, outcome) {
                        // It ends by itself: who goes on asking would ask without a pause.
                        Ok(()) | Err(Error::No { .. }) => Ok(Woke::Unwilling),
                        Err(error) => Err(error),
                    };
                }
                Response::Data { status: Status::Bye, outcome } => {
                    return Err(Error::Busy { doing: DOING, text: words(outcome) });
                }
                _ => {}
            }
        };
        let done = self.session.run_command_untagged("DONE");
        match timeout(DONE, done).await {
            Err(_) => return Err(silent(DOING, DONE)),
            Ok(Err(source)) => return Err(of_codec(DOING, source)),
            Ok(Ok(())) => {}
        }
        let end = Instant::now() + DONE;
        loop {
            let answer = match timeout_at(end, self.session.read_response()).await {
                Err(_) => return Err(silent(DOING, DONE)),
                Ok(answer) => of_read(DOING, answer)?,
            };
            self.agreed(DOING)?;
            let parsed = answer.parsed();
            self.news.note(parsed, self.keyword.as_deref());
            match parsed {
                Response::Done { tag: ended, status, outcome } if *ended == tag => {
                    self.broken = false;
                    of_status(DOING, status, outcome)?;
                    return Ok(woke);
                }
                _ => {}
            }
        }
    }
}

impl Opened {
    fn take(&mut self, status: &[StatusAttribute]) {
        for item in status {
            match item {
                StatusAttribute::Messages(value) => self.exists = *value,
                StatusAttribute::UidNext(value) => self.uid_next = *value,
                StatusAttribute::UidValidity(value) => self.uid_validity = *value,
                _ => {}
            }
        }
    }
}

impl News {
    pub(super) fn any(&self) -> bool {
        self.selected || !self.folders.is_empty() || self.overflow
    }

    fn note(&mut self, answer: &Response<'_>, keyword: Option<&str>) {
        match answer {
            Response::Fetch(_, attributes) => {
                let bears = keyword.and_then(|keyword| has_keyword(attributes, keyword));
                self.keyword |= bears.unwrap_or(false);
            }
            Response::MailboxData(MailboxDatum::Exists(_)) => self.selected = true,
            Response::MailboxData(MailboxDatum::Status { mailbox, .. }) => {
                self.folders.insert(names::unescape(mailbox));
                if self.folders.len() > MOST_NEWS {
                    self.folders.clear();
                    self.overflow = true;
                }
            }
            Response::Data { outcome, .. } => {
                let text = outcome.information.as_deref().unwrap_or_default();
                if text.starts_with("[NOTIFICATIONOVERFLOW]") {
                    self.overflow = true;
                }
            }
            _ => {}
        }
    }
}

/// Whether two names on the wire are one folder's.
pub(super) fn same_wire(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case("INBOX") && other.eq_ignore_ascii_case("INBOX"))
}

fn capability(capability: &async_imap::imap_proto::Capability<'_>) -> String {
    use async_imap::imap_proto::Capability::{Atom, Auth, Imap4rev1};
    match capability {
        Imap4rev1 => "IMAP4REV1".to_owned(),
        Auth(mechanism) => format!("AUTH={}", mechanism.to_ascii_uppercase()),
        Atom(word) => word.to_ascii_uppercase(),
    }
}

fn attribute(attribute: &NameAttribute<'_>) -> String {
    match attribute {
        NameAttribute::NoInferiors => "\\Noinferiors".to_owned(),
        NameAttribute::NoSelect => "\\Noselect".to_owned(),
        NameAttribute::Marked => "\\Marked".to_owned(),
        NameAttribute::Unmarked => "\\Unmarked".to_owned(),
        NameAttribute::All => "\\All".to_owned(),
        NameAttribute::Archive => "\\Archive".to_owned(),
        NameAttribute::Drafts => "\\Drafts".to_owned(),
        NameAttribute::Flagged => "\\Flagged".to_owned(),
        NameAttribute::Junk => "\\Junk".to_owned(),
        NameAttribute::Sent => "\\Sent".to_owned(),
        NameAttribute::Trash => "\\Trash".to_owned(),
        NameAttribute::Extension(name) => name.to_string(),
        _ => String::new(),
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
