//! An IMAP server on plain TCP that answers honestly until a test teaches it otherwise.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use super::acceptor::Acceptor;
use super::daemon::Mailbox;

/// What the server says instead of its honest answer.
pub enum Play {
    Say(Vec<Vec<u8>>),
    SayAndHangUp(Vec<Vec<u8>>),
    /// What it would say to this command.
    SayTo(String),
    /// In so many pieces with pauses between them: a slow line.
    Drip {
        lines: Vec<Vec<u8>>,
        pieces: usize,
        pause: Duration,
    },
}

/// A command as it came, without its tag.
pub struct Asked<'a> {
    pub command: &'a str,
    pub tag: &'a str,
    /// Connections so far, this one included.
    pub connection: u64,
}

impl Asked<'_> {
    pub fn is(&self, beginning: &str) -> bool {
        self.command.starts_with(beginning)
    }

    /// A FETCH of bodies, not of headers or dates alone.
    pub fn is_for_bodies(&self) -> bool {
        self.is("UID FETCH") && self.command.contains("BODY.PEEK[]")
    }

    pub fn is_for_headers(&self) -> bool {
        self.is("UID FETCH") && self.command.contains("BODY.PEEK[HEADER]")
    }

    /// A tagged line such as `NO not today`.
    pub fn tagged(&self, words: &str) -> Vec<u8> {
        format!("{} {words}\r\n", self.tag).into_bytes()
    }
}

/// Turns an honest answer, line by line with the tagged one last, into another. A FETCH line holds
/// its literals.
pub type Trap = Box<dyn FnMut(&Asked<'_>, Vec<Vec<u8>>) -> Play + Send>;

/// Whether a FETCH line is about this UID.
pub fn about(line: &[u8], uid: u32) -> bool {
    let beginning = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
    beginning.contains(&format!("FETCH (UID {uid} "))
}

pub struct ImapServer {
    acceptor: Acceptor,
    world: Arc<Mutex<World>>,
}

struct World {
    greeting: String,
    capabilities: String,
    trap: Trap,
    /// By name.
    folders: BTreeMap<String, Folder>,
    /// Lines to be said to whoever is in IDLE.
    push: VecDeque<Vec<u8>>,
    commands: Vec<String>,
    connections: u64,
    logins: u64,
    open: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
    closing: bool,
}

/// UIDs with INTERNALDATE and the message.
type Messages = BTreeMap<u32, (String, Vec<u8>)>;

#[derive(Default)]
struct Folder {
    messages: Messages,
    /// The highest UID that was given.
    last: u32,
}

impl ImapServer {
    /// A server with an empty INBOX.
    pub fn start() -> ImapServer {
        let world = World {
            greeting: "* OK ready".to_owned(),
            capabilities: "IMAP4rev1 IDLE".to_owned(),
            trap: Box::new(|_, honest| Play::Say(honest)),
            folders: BTreeMap::from([("INBOX".to_owned(), Folder::default())]),
            push: VecDeque::new(),
            commands: Vec::new(),
            connections: 0,
            logins: 0,
            open: Vec::new(),
            threads: Vec::new(),
            closing: false,
        };
        let world = Arc::new(Mutex::new(world));
        let taken = Arc::clone(&world);
        let acceptor = Acceptor::start(Arc::new(move |stream| take(&taken, stream)));
        ImapServer { acceptor, world }
    }

    /// A mailbox on this server.
    pub fn mailbox(&self, name: &str) -> Mailbox {
        Mailbox {
            name: name.to_owned(),
            address: format!("{name}@example.com"),
            username: name.to_owned(),
            password: "secret".to_owned(),
            port: self.acceptor.port(),
            ca_file: PathBuf::new(),
            head: String::new(),
            imap: "tls = \"none\"\npoll_secs = 1\n".to_owned(),
            folders: String::new(),
            crm: String::new(),
            tables: String::new(),
        }
    }

    pub fn greeting(&self, greeting: &str) {
        self.world().greeting = greeting.to_owned();
    }

    pub fn capabilities(&self, words: &str) {
        self.world().capabilities = words.to_owned();
    }

    pub fn trap(&self, trap: impl FnMut(&Asked<'_>, Vec<Vec<u8>>) -> Play + Send + 'static) {
        self.world().trap = Box::new(trap);
    }

    pub fn honest(&self) {
        self.trap(|_, honest| Play::Say(honest));
    }

    /// Puts a message into a folder, which is made if it is not there; returns its UID.
    pub fn deliver(&self, folder: &str, raw: &[u8]) -> u32 {
        let mut world = self.world();
        let folder = world.folders.entry(folder.to_owned()).or_default();
        folder.last += 1;
        let date = jiff::Timestamp::now().strftime("%d-%b-%Y %H:%M:%S +0000").to_string();
        folder.messages.insert(folder.last, (date, raw.to_vec()));
        folder.last
    }

    /// Takes a message away without a word.
    pub fn remove(&self, folder: &str, uid: u32) {
        let mut world = self.world();
        world.folders.get_mut(folder).unwrap().messages.remove(&uid);
    }

    /// Says a line to a client in IDLE.
    pub fn push(&self, line: &str) {
        self.world().push.push_back(format!("{line}\r\n").into_bytes());
    }

    /// Commands so far, without tags and passwords.
    pub fn commands(&self) -> Vec<String> {
        self.world().commands.clone()
    }

    pub fn connections(&self) -> u64 {
        self.world().connections
    }

    pub fn logins(&self) -> u64 {
        self.world().logins
    }

    fn world(&self) -> MutexGuard<'_, World> {
        held(&self.world)
    }
}

impl Drop for ImapServer {
    fn drop(&mut self) {
        self.acceptor.close();
        let threads = {
            let mut world = self.world();
            world.closing = true;
            for stream in world.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut world.threads)
        };
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn take(world: &Arc<Mutex<World>>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut locked = held(world);
    locked.connections += 1;
    let connection = locked.connections;
    locked.open.push(stream.try_clone().unwrap());
    let serving = Arc::clone(world);
    let thread = std::thread::spawn(move || {
        let mut session = Session {
            world: &serving,
            from: BufReader::new(stream.try_clone().unwrap()),
            to: &stream,
            connection,
            selected: String::new(),
            told: 0,
        };
        // An end of the connection is all that can go wrong, and then there is nothing to do.
        let _ = session.serve();
        let _ = stream.shutdown(Shutdown::Both);
    });
    locked.threads.retain(|thread| !thread.is_finished());
    locked.threads.push(thread);
}

struct Session<'a> {
    world: &'a Mutex<World>,
    from: BufReader<TcpStream>,
    to: &'a TcpStream,
    connection: u64,
    selected: String,
    /// The EXISTS last said.
    told: usize,
}

impl Session<'_> {
    fn serve(&mut self) -> std::io::Result<()> {
        let greeting = held(self.world).greeting.clone();
        self.to.write_all(format!("{greeting}\r\n").as_bytes())?;
        loop {
            let mut line = Vec::new();
            if self.from.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            let (tag, command) = (tag.to_owned(), command.to_owned());
            let play = {
                let mut world = held(self.world);
                let word = command.split(' ').next().unwrap_or_default();
                let kept = if word == "LOGIN" { "LOGIN" } else { &command };
                world.commands.push(kept.to_owned());
                world.logins += u64::from(word == "LOGIN");
                let honest = self.answer(&mut world, &tag, &command);
                let asked = Asked { command: &command, tag: &tag, connection: self.connection };
                match (world.trap)(&asked, honest) {
                    Play::SayTo(other) => Play::Say(self.answer(&mut world, &tag, &other)),
                    play => play,
                }
            };
            match play {
                Play::SayTo(_) => {}
                Play::Say(lines) => {
                    self.to.write_all(&lines.concat())?;
                    let accepted = lines.last().is_some_and(|line| line.starts_with(b"+"));
                    if command == "IDLE" && accepted {
                        self.idle(&tag)?;
                    }
                }
                Play::Drip { lines, pieces, pause } => {
                    let octets = lines.concat();
                    for piece in octets.chunks(octets.len().div_ceil(pieces)) {
                        self.to.write_all(piece)?;
                        std::thread::sleep(pause);
                    }
                }
                Play::SayAndHangUp(lines) => {
                    self.to.write_all(&lines.concat())?;
                    return Ok(());
                }
            }
        }
    }

    fn idle(&mut self, tag: &str) -> std::io::Result<()> {
        self.to.set_read_timeout(Some(Duration::from_millis(20)))?;
        let mut line = Vec::new();
        loop {
            let news = {
                let mut world = held(self.world);
                if world.closing {
                    return Ok(());
                }
                let mut news: Vec<u8> = world.push.drain(..).flatten().collect();
                let exists =
                    world.folders.get(&self.selected).map_or(0, |folder| folder.messages.len());
                if exists != self.told {
                    self.told = exists;
                    news.extend(format!("* {exists} EXISTS\r\n").into_bytes());
                }
                news
            };
            self.to.write_all(&news)?;
            match self.from.read_until(b'\n', &mut line) {
                Ok(_) => break,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        self.to.set_read_timeout(None)?;
        self.to.write_all(format!("{tag} OK done\r\n").as_bytes())
    }

    /// The honest answer.
    fn answer(&mut self, world: &mut World, tag: &str, command: &str) -> Vec<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut say = |line: String| lines.push(format!("{line}\r\n").into_bytes());
        let named = || command.split(' ').nth(1).unwrap_or_default().trim_matches('"');
        match command.split(' ').next().unwrap_or_default() {
            "CAPABILITY" => say(format!("* CAPABILITY {}", world.capabilities)),
            "LIST" => {
                for name in world.folders.keys() {
                    let role = if name == "Sent" { "\\Sent" } else { "" };
                    say(format!("* LIST ({role}) \"/\" {name}"));
                }
            }
            "SELECT" => {
                let Some(folder) = world.folders.get(named()) else {
                    say(format!("{tag} NO there is no such folder"));
                    return lines;
                };
                self.selected = named().to_owned();
                self.told = folder.messages.len();
                say(format!("* {} EXISTS", self.told));
                say("* OK [UIDVALIDITY 7] valid".to_owned());
                say(format!("* OK [UIDNEXT {}] next", folder.last + 1));
            }
            "STATUS" => {
                let name = named();
                if let Some(folder) = world.folders.get(name) {
                    let (count, next) = (folder.messages.len(), folder.last + 1);
                    say(format!("* STATUS {name} (MESSAGES {count} UIDNEXT {next} UIDVALIDITY 7)"));
                }
            }
            "IDLE" => {
                say("+ idling".to_owned());
                return lines;
            }
            "LOGOUT" => say("* BYE see you".to_owned()),
            "UID" => {
                let none = Messages::new();
                let folder = world.folders.get(&self.selected);
                let messages = folder.map_or(&none, |folder| &folder.messages);
                let words: Vec<&str> = command.split(' ').collect();
                match words[..] {
                    ["UID", "SEARCH", "UID", set, ..] => {
                        let found: Vec<String> = messages
                            .keys()
                            .filter(|uid| holds(set, **uid, messages))
                            .map(u32::to_string)
                            .collect();
                        say(format!("* SEARCH {}", found.join(" ")));
                    }
                    ["UID", "FETCH", set, ..] => {
                        let asked = messages.iter().enumerate();
                        for (index, (uid, (date, raw))) in asked {
                            if holds(set, *uid, messages) {
                                lines.push(fetched(index + 1, *uid, date, raw, command));
                            }
                        }
                    }
                    _ => {
                        say(format!("{tag} BAD not known"));
                        return lines;
                    }
                }
            }
            // LOGIN, NOOP, ID, NOTIFY and whatever else.
            _ => {}
        }
        lines.push(format!("{tag} OK done\r\n").into_bytes());
        lines
    }
}

/// Whether a UID set names this UID; `n:*` names the last message always (RFC 3501 section 6.4.8).
fn holds(set: &str, uid: u32, messages: &Messages) -> bool {
    let last = messages.keys().next_back().copied().unwrap_or(0);
    set.split(',').any(|part| {
        let (low, high) = part.split_once(':').unwrap_or((part, part));
        let number = |text: &str| if text == "*" { last } else { text.parse().unwrap_or(0) };
        let (low, high) = (number(low), number(high));
        (low.min(high)..=low.max(high)).contains(&uid)
    })
}

fn fetched(number: usize, uid: u32, date: &str, raw: &[u8], command: &str) -> Vec<u8> {
    let mut line = format!("* {number} FETCH (UID {uid}");
    if command.contains("RFC822.SIZE") {
        line.push_str(&format!(" RFC822.SIZE {}", raw.len()));
    }
    if command.contains("INTERNALDATE") {
        line.push_str(&format!(" INTERNALDATE \"{date}\""));
    }
    let mut line = line.into_bytes();
    let mut section = |name: &str, octets: &[u8]| {
        line.extend(format!(" {name} {{{}}}\r\n", octets.len()).into_bytes());
        line.extend(octets);
    };
    for (name, octets) in [("HEADER", header_of(raw)), ("", raw)] {
        let Some((_, rest)) = command.split_once(&format!("BODY.PEEK[{name}]")) else { continue };
        match rest.strip_prefix('<').and_then(|piece| piece.split_once('>')) {
            Some((piece, _)) => {
                let (start, count) = piece.split_once('.').unwrap();
                let start: usize = start.parse().unwrap();
                let count: usize = count.parse().unwrap();
                let (from, to) = (start.min(octets.len()), (start + count).min(octets.len()));
                section(&format!("BODY[{name}]<{start}>"), &octets[from..to]);
            }
            None => section(&format!("BODY[{name}]"), octets),
        }
    }
    line.extend(b")\r\n");
    line
}

fn header_of(raw: &[u8]) -> &[u8] {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").map_or(raw.len(), |at| at + 4);
    &raw[..end]
}
