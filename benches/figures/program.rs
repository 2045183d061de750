//! The release binary as users run it: the daemon with their defaults, and the sandbox CRM.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailcrm::demo::dovecot::Dovecot;
use mailcrm::demo::port::free_port;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::sandbox::last_lines;
use crate::common::{LIMIT, daemon, http, wait_for};

/// A folder on the disk that the target folder is on: /tmp may lie in memory, where a sync costs
/// nothing.
pub fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

/// Where mailboxes are.
pub struct Server {
    pub port: u16,
    pub ca_file: PathBuf,
}

impl Server {
    pub fn of(dovecot: &Dovecot) -> Server {
        Server { port: dovecot.imaps_port(), ca_file: dovecot.ca_file() }
    }
}

/// A running daemon.
pub struct Program {
    dir: TempDir,
    ledger: PathBuf,
    child: Child,
    pub started: Instant,
    /// From its start to `READY=1`.
    pub ready_after: Duration,
}

impl Program {
    /// Starts a daemon with a new ledger for these users of `server` and waits until it is ready.
    /// `crm` are lines for `[crm]` beside the URL; what they do not name has its default.
    pub fn start(crm_url: &str, crm: &str, server: &Server, users: &[String]) -> Program {
        let dir = folder();
        let ledger = dir.path().join("ledger.sqlite");
        Program::start_in(dir, ledger, crm_url, crm, server, users)
    }

    /// The same with a ledger that is there.
    pub fn on(
        ledger: &Path,
        crm_url: &str,
        crm: &str,
        server: &Server,
        users: &[String],
    ) -> Program {
        Program::start_in(folder(), ledger.to_owned(), crm_url, crm, server, users)
    }

    fn start_in(
        dir: TempDir,
        ledger: PathBuf,
        crm_url: &str,
        crm: &str,
        server: &Server,
        users: &[String],
    ) -> Program {
        let config = configuration(dir.path(), &ledger, crm_url, crm, server, users);
        let config_path = dir.path().join("mailcrm.toml");
        std::fs::write(&config_path, config).expect("a configuration");
        let notify = dir.path().join("notify.sock");
        let socket = UnixDatagram::bind(&notify).expect("a socket");
        socket.set_read_timeout(Some(LIMIT)).expect("a socket");
        let log = std::fs::File::create(dir.path().join("mailcrm.log")).expect("a log");
        let started = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_mailcrm"))
            .arg("--config")
            .arg(&config_path)
            .arg("run")
            .env("NOTIFY_SOCKET", &notify)
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon");
        let mut program = Program { dir, ledger, child, started, ready_after: Duration::ZERO };
        let mut word = [0; 4096];
        loop {
            let heard = socket.recv(&mut word);
            let heard = heard.unwrap_or_else(|error| panic!("{error}: {}", program.log()));
            if String::from_utf8_lossy(&word[..heard]).lines().any(|line| line == "READY=1") {
                program.ready_after = started.elapsed();
                return program;
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The ledger, for looking only; the daemon does not notice.
    pub fn ledger(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let ledger = Connection::open_with_flags(&self.ledger, flags).expect("the ledger");
        ledger.busy_timeout(Duration::from_secs(5)).expect("the ledger");
        ledger
    }

    /// Waits until a count in the ledger is reached; returns when that was, since the start.
    #[track_caller]
    pub fn until(&mut self, count: &str, wanted: usize, limit: Duration) -> Duration {
        self.until_each(Duration::from_millis(10), count, wanted, limit)
    }

    /// The same, looking so often.
    #[track_caller]
    pub fn until_each(
        &mut self,
        pause: Duration,
        count: &str,
        wanted: usize,
        limit: Duration,
    ) -> Duration {
        let ledger = self.ledger();
        let mut statement = ledger.prepare(count).expect(count);
        loop {
            let counted: i64 = statement.query_row([], |row| row.get(0)).expect(count);
            let at = self.started.elapsed();
            if counted >= wanted as i64 {
                return at;
            }
            let ended = self.child.try_wait().expect("the daemon").is_some();
            assert!(!ended, "the daemon ended: {}", self.log());
            assert!(at < limit, "{counted} of {wanted} after {at:?}: {}", self.log());
            std::thread::sleep(pause);
        }
    }

    /// Waits until so many mailboxes are idle; returns when that was, since the start.
    #[track_caller]
    pub fn until_idle(&mut self, mailboxes: usize) -> Duration {
        const IDLE: &str = "SELECT count(*) FROM mailbox WHERE state = 'idle'";
        self.until(IDLE, mailboxes, Duration::from_secs(300))
    }

    fn log(&self) -> String {
        last_lines(&self.dir.path().join("mailcrm.log"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(
    dir: &Path,
    ledger: &Path,
    crm_url: &str,
    crm: &str,
    server: &Server,
    users: &[String],
) -> String {
    let quoted = |path: &Path| format!("{:?}", path.to_str().expect("a path"));
    let secret = dir.join("password");
    daemon::write_secret(&secret, "secret");
    let http_port = free_port().expect("a port");
    let mut text = format!(
        "[crm]\nkind = \"bitrix24\"\nurl = {crm_url:?}\n{crm}\n\
         [ledger]\npath = {}\n[daemon]\nsocket = {}\n[http]\nlisten = \"127.0.0.1:{http_port}\"\n",
        quoted(ledger),
        quoted(&dir.join("mailcrm.sock")),
    );
    for user in users {
        text.push_str(&format!(
            "[[mailbox]]\nname = {user:?}\naddress = \"{user}@example.com\"\nowner = 1\n\
             [mailbox.imap]\nhost = \"localhost\"\nport = {}\nca_file = {}\n\
             username = {user:?}\npassword_file = {}\n\
             [mailbox.crm]\ninternal_domains = [\"example.com\"]\n",
            server.port,
            quoted(&server.ca_file),
            quoted(&secret),
        ));
    }
    text
}

/// The sandbox CRM as a process of its own.
pub struct Crm {
    dir: TempDir,
    port: u16,
    child: Child,
}

impl Crm {
    /// A portal without limits.
    pub fn start() -> Crm {
        let (dir, port) = (folder(), free_port().expect("a port"));
        let child = Crm::spawn(&dir.path().join("sandbox.sqlite"), port, &[]);
        let crm = Crm { dir, port, child };
        crm.wait();
        crm
    }

    /// The same portal with other options.
    pub fn restart(&mut self, options: &[&str]) {
        // The counts of the last second are written at a proper end only.
        let pid = self.child.id().to_string();
        let _ = Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &pid]).status();
        let _ = self.child.wait();
        self.child = Crm::spawn(&self.path(), self.port, options);
        self.wait();
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("sandbox.sqlite")
    }

    fn spawn(path: &Path, port: u16, options: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_mailcrm"))
            .args(["sandbox", "--listen", &format!("127.0.0.1:{port}"), "--path"])
            .arg(path)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the sandbox CRM")
    }

    fn wait(&self) {
        wait_for("the sandbox CRM to answer", LIMIT, || {
            http::post(self.port, "/rest/1/sandbox/sandbox.counts", &json!({})).is_ok()
        });
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn call(&self, method: &str, params: &Value) -> Value {
        let answer = http::post(self.port, &format!("/rest/1/sandbox/{method}"), params);
        let mut answer = answer.expect("an answer").json();
        let Some(result) = answer.get_mut("result") else { panic!("{method}: {answer}") };
        result.take()
    }
}

impl Drop for Crm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The webhook URL of a CRM, or of what stands before it.
pub fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/rest/1/sandbox/")
}
