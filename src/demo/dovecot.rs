//! A private Dovecot on loopback ports, for `mailcrm demo` and for the tests.
//!
//! It needs no privileges, touches nothing of a Dovecot that the system runs, and leaves nothing:
//! it ends with [`Dovecot::stop`], with the drop of its handle, and with the death of this process
//! by whatever cause (see `guard.sh`).

use std::fs::OpenOptions;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::files::Files;
use super::guard::{Guard, find_program};
use super::maildir;
use super::owner::Owner;
use super::port::{free_port, random};
use super::{certificate, dovecot_conf};

/// How long a start may take: seconds on a machine that compiles at the same time.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How often we look whether Dovecot has come.
const LOOK: Duration = Duration::from_millis(10);

/// How many pairs of ports are tried, and how often a restart tries for its former ones. Dovecot
/// itself tries for two seconds.
const PORT_ATTEMPTS: u32 = 4;

/// What a private Dovecot is to be like.
#[derive(Clone, Default)]
pub struct Options {
    /// User and password. A user's name may hold lower-case letters, digits and `._-+@`.
    pub users: Vec<(String, String)>,
    /// Lines added at the end of dovecot.conf, such as `imap_capability = IMAP4rev1`; empty for none.
    pub extra: String,
}

impl Options {
    /// Options with these users and nothing else changed.
    pub fn for_users(users: &[(&str, &str)]) -> Options {
        let owned = |&(user, password): &(&str, &str)| (user.to_owned(), password.to_owned());
        Options { users: users.iter().map(owned).collect(), extra: String::new() }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Options({} users)", self.users.len())
    }
}

/// What kept the private Dovecot from doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("dovecot is not installed; install the package dovecot-imapd")]
    NotInstalled,
    #[error("cannot run the mail server: {reason}")]
    Owner { reason: String },
    #[error("{path} holds something else than a private mail server's files; take an empty folder")]
    NotOurs { path: String },
    #[error("user {user:?} has a name that is no plain word")]
    UserName { user: String },
    #[error("mail server: {doing}")]
    File { doing: &'static str, source: io::Error },
    #[error("mail server's certificate")]
    Certificate { source: certificate::Error },
    #[error("no free port on 127.0.0.1")]
    NoPort,
    #[error("dovecot does not start: {reason}")]
    Start { reason: String },
    #[error("dovecot does not stop: {left} processes are left")]
    Stop { left: usize },
    #[error("doveadm {command}: {text}")]
    Doveadm { command: String, text: String },
}

/// A running private Dovecot.
pub struct Dovecot {
    // Dropped before the files that it works on.
    running: Option<Guard>,
    files: Files,
    program: PathBuf,
    imap_port: u16,
    imaps_port: u16,
    options: Options,
}

/// Why a start did not come to a greeting.
enum NotUp {
    PortLost,
    Failed(Error),
}

impl Dovecot {
    /// Starts a server in `dir`, which is made if missing, and waits until it answers.
    ///
    /// `dir` must be empty or hold the files of a former one, whose mail is then there again. The
    /// certificates are new each time.
    pub async fn start(dir: &Path, options: Options) -> Result<Dovecot, Error> {
        let program = find_program().ok_or(Error::NotInstalled)?;
        // It inherits our limit on open files: a thousand in many shells, and each client costs one.
        drop(rlimit::increase_nofile_limit(u64::MAX));
        let owner = Owner::find().map_err(|reason| Error::Owner { reason })?;
        let users =
            dovecot_conf::passwd_file(&options.users).map_err(|user| Error::UserName { user })?;
        let files = Files::lay_out(dir, owner, &users)?;
        let mut dovecot =
            Dovecot { running: None, files, program, imap_port: 0, imaps_port: 0, options };
        dovecot.start_on_free_ports().await?;
        Ok(dovecot)
    }

    /// Port of IMAP with STARTTLS; on the loopback interface Dovecot takes a login without TLS too.
    pub fn imap_port(&self) -> u16 {
        self.imap_port
    }

    /// Port of IMAP with TLS from the first byte.
    pub fn imaps_port(&self) -> u16 {
        self.imaps_port
    }

    /// The authority, in PEM, by which the server's certificate for `localhost` is verified.
    pub fn ca_file(&self) -> PathBuf {
        self.files.path("ca.pem")
    }

    /// Dovecot's log.
    pub fn log_file(&self) -> PathBuf {
        self.files.path(dovecot_conf::LOG)
    }

    /// Delivers a message that arrives now; the folder is made if it is not there.
    ///
    /// Clients that are in IDLE on the folder, or have asked for its NOTIFY, are told within half a
    /// second, which is Dovecot's own delay.
    pub fn deliver(&self, user: &str, folder: &str, raw: &[u8]) -> Result<(), Error> {
        self.deliver_at(user, folder, raw, SystemTime::now())
    }

    /// Delivers a message with this INTERNALDATE.
    pub fn deliver_at(
        &self,
        user: &str,
        folder: &str,
        raw: &[u8],
        received: SystemTime,
    ) -> Result<(), Error> {
        self.deliver_all(user, folder, [(raw, received)])
    }

    /// Delivers many messages, each with its INTERNALDATE; thousands a second.
    pub fn deliver_all<'m>(
        &self,
        user: &str,
        folder: &str,
        messages: impl IntoIterator<Item = (&'m [u8], SystemTime)>,
    ) -> Result<(), Error> {
        let maildir = self.home(user)?.join("Maildir");
        for (raw, received) in messages {
            maildir::deliver(&maildir, folder, raw, received, &self.files.owner)
                .map_err(|source| Error::File { doing: "deliver a message", source })?;
        }
        // IDLE watches the Maildir of its folder. NOTIFY of other folders watches Dovecot's list
        // index, which somebody who opens the folder brings up to date.
        if !folder.eq_ignore_ascii_case("INBOX") && self.running.is_some() {
            self.doveadm(&["mailbox", "status", "-u", user, "messages", folder])?;
        }
        Ok(())
    }

    /// Runs doveadm on this server and returns what it printed.
    ///
    /// Such as `["expunge", "-u", "sales", "mailbox", "INBOX", "uid", "3"]`.
    pub fn doveadm(&self, args: &[&str]) -> Result<String, Error> {
        let command = || args.first().copied().unwrap_or_default().to_owned();
        let output = self
            .files
            .owner
            .command("doveadm")
            .arg("-c")
            .arg(self.files.path(dovecot_conf::NAME))
            .args(args)
            .current_dir(self.files.all())
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::File { doing: "run doveadm", source })?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Doveadm { command: command(), text });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Gives a folder a new UIDVALIDITY and its messages new UIDs, as a restored server does.
    ///
    /// All connections of the user are closed: a folder is not renumbered under an open one.
    pub fn renumber(&self, user: &str, folder: &str) -> Result<(), Error> {
        let home = self.home(user)?;
        let status = ["mailbox", "status", "-u", user, "uidvalidity", folder];
        let before = self.doveadm(&status)?;
        self.kick(user)?;
        let file = |source| Error::File { doing: "renumber a folder", source };
        let inbox = folder.eq_ignore_ascii_case("INBOX");
        let part =
            format!(".{}", if inbox { "INBOX".to_owned() } else { folder.replace('/', ".") });
        let uid_list = home.join("control").join(&part).join("dovecot-uidlist");
        gone_is_fine(std::fs::remove_file(uid_list)).map_err(file)?;
        // The index knows the former numbers too.
        gone_is_fine(std::fs::remove_dir_all(home.join("index").join(&part))).map_err(file)?;
        let after = self.doveadm(&status)?;
        if before == after {
            let text = format!("{folder} kept its {}", after.trim());
            return Err(Error::Doveadm { command: "renumber".to_owned(), text });
        }
        Ok(())
    }

    /// Puts other users and passwords in the place of the former ones; connections stay open.
    ///
    /// Waits up to a second, until Dovecot will go by them.
    pub fn set_users(&mut self, users: &[(&str, &str)]) -> Result<(), Error> {
        let users = Options::for_users(users).users;
        let text = dovecot_conf::passwd_file(&users).map_err(|user| Error::UserName { user })?;
        // Dovecot looks at the file once in a second of the clock, and knows a changed one by its
        // size and its second of change (passwd_file_sync in db-passwd-file.c).
        let file = |source| Error::File { doing: "write its users", source };
        let path = self.files.path(dovecot_conf::USERS);
        let before = path.metadata().and_then(|meta| meta.modified()).map_err(file)?;
        self.files.write(dovecot_conf::USERS, &text)?;
        let written = OpenOptions::new().append(true).open(&path).map_err(file)?;
        let other_second = SystemTime::now().max(before + Duration::from_secs(1));
        written.set_modified(other_second).map_err(file)?;
        self.options.users = users;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let rest = Duration::from_secs(1) - Duration::from_nanos(since.subsec_nanos().into());
        std::thread::sleep(rest + LOOK);
        Ok(())
    }

    /// Closes all connections, as a server does that is restarted in a hurry.
    pub fn kill_connections(&self) -> Result<(), Error> {
        self.kick("*")
    }

    /// Stops the server, if it runs, and starts it again on the same ports.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.halt().await?;
        self.resume().await
    }

    /// Stops the server and keeps all else, for an outage that ends with [`Dovecot::resume`].
    pub async fn halt(&mut self) -> Result<(), Error> {
        let Some(guard) = self.running.take() else { return Ok(()) };
        guard.stop().await.map_err(|left| Error::Stop { left })
    }

    /// Starts the server again on its former ports after [`Dovecot::halt`].
    pub async fn resume(&mut self) -> Result<(), Error> {
        if self.running.is_some() {
            return Ok(());
        }
        for _ in 0..PORT_ATTEMPTS {
            match self.start_process().await {
                Ok(()) => return Ok(()),
                // Somebody has the port for a moment, such as a connection that is being closed.
                Err(NotUp::PortLost) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(NotUp::Failed(error)) => return Err(error),
            }
        }
        Err(Error::NoPort)
    }

    /// Stops every process of the server, waits for them and removes what is not in its folder.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.halt().await?;
        self.files.tidy()
    }

    async fn start_on_free_ports(&mut self) -> Result<(), Error> {
        for _ in 0..PORT_ATTEMPTS {
            self.imap_port = free_port().ok_or(Error::NoPort)?;
            self.imaps_port = free_port().ok_or(Error::NoPort)?;
            match self.start_process().await {
                Ok(()) => return Ok(()),
                Err(NotUp::PortLost) => {}
                Err(NotUp::Failed(error)) => return Err(error),
            }
        }
        Err(Error::NoPort)
    }

    /// Starts the guard with Dovecot, and waits for the greeting.
    async fn start_process(&mut self) -> Result<(), NotUp> {
        let file = |doing| move |source| NotUp::Failed(Error::File { doing, source });
        // The greeting names this very start: another server may have got the port.
        let greeting = format!("mailcrm demo {:016x}", random());
        let conf = dovecot_conf::text(&dovecot_conf::Facts {
            files: self.files.all(),
            run: &self.files.run(),
            owner: &self.files.owner,
            imap_port: self.imap_port,
            imaps_port: self.imaps_port,
            greeting: &greeting,
            extra: &self.options.extra,
        });
        self.files.write(dovecot_conf::NAME, &conf).map_err(NotUp::Failed)?;
        let log =
            OpenOptions::new().append(true).open(self.log_file()).map_err(file("open its log"))?;
        let logged = log.metadata().map_err(file("open its log"))?.len();
        let conf = self.files.path(dovecot_conf::NAME);
        let mut guard =
            Guard::start(&self.files.owner, &self.program, &conf, self.files.short(), log)
                .map_err(file("run sh"))?;
        match self.wait_for_greeting(&greeting, logged).await {
            Ok(master) => {
                guard.watches(master);
                self.running = Some(guard);
                Ok(())
            }
            Err(not_up) => {
                guard.stop().await.map_err(|left| NotUp::Failed(Error::Stop { left }))?;
                Err(not_up)
            }
        }
    }

    /// Waits until Dovecot says who it is; returns the process id of its master.
    async fn wait_for_greeting(&self, greeting: &str, logged: u64) -> Result<u32, NotUp> {
        let start = Instant::now();
        loop {
            if greets(self.imap_port, greeting).await {
                let pid = std::fs::read_to_string(self.files.run().join("master.pid"));
                if let Some(pid) = pid.ok().and_then(|pid| pid.trim().parse().ok()) {
                    return Ok(pid);
                }
            }
            if let Some(line) = self.first_fatal(logged) {
                if line.contains("Address already in use") {
                    return Err(NotUp::PortLost);
                }
                return Err(NotUp::Failed(Error::Start { reason: line }));
            }
            if start.elapsed() > START_LIMIT {
                let reason = format!("no greeting within {} s", START_LIMIT.as_secs());
                return Err(NotUp::Failed(Error::Start { reason }));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The first line of the log, from byte `from`, that says why Dovecot ended.
    fn first_fatal(&self, from: u64) -> Option<String> {
        let log = std::fs::read(self.log_file()).ok()?;
        let log = String::from_utf8_lossy(log.get(usize::try_from(from).ok()?..)?).into_owned();
        // The reason stands in an error line before the fatal one, or in the fatal one itself.
        log.lines().find(|line| line.contains("Fatal: "))?;
        log.lines()
            .find(|line| line.contains("Error: ") || line.contains("Fatal: "))
            .map(|line| line.trim().to_owned())
    }

    fn home(&self, user: &str) -> Result<PathBuf, Error> {
        if !self.options.users.iter().any(|(known, _)| known == user) {
            return Err(Error::UserName { user: user.to_owned() });
        }
        self.files.home(user)
    }

    fn kick(&self, user: &str) -> Result<(), Error> {
        match self.doveadm(&["kick", user]) {
            // Exit code 68: nobody of that name is logged in.
            Ok(_) => Ok(()),
            Err(Error::Doveadm { text, .. }) if text.is_empty() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if let Some(guard) = self.running.take() {
            guard.stop_blocking();
        }
    }
}

/// Whether the server at `port` greets with these words.
async fn greets(port: u16, greeting: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n") && heard.len() < 4096 {
            if stream.read_buf(&mut heard).await? == 0 {
                break;
            }
        }
        Ok::<_, io::Error>(String::from_utf8_lossy(&heard).contains(greeting))
    };
    matches!(tokio::time::timeout(Duration::from_secs(2), ask).await, Ok(Ok(true)))
}

fn gone_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
