//! The real binary with a configuration of its own, to be killed and started again on one ledger.

use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use mailcrm::demo::dovecot::Dovecot;
use mailcrm::demo::port::free_port;
use serde_json::Value;
use tempfile::TempDir;

use super::sandbox::last_lines;
use super::{LIMIT, wait_for};

/// One `[[mailbox]]`. The snippets are TOML lines; a key in one takes the place of the default.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pub name: String,
    pub address: String,
    pub username: String,
    pub password: String,
    pub port: u16,
    pub ca_file: PathBuf,
    /// For `[[mailbox]]`, such as `aliases = ["info@example.com"]`.
    pub head: String,
    pub imap: String,
    pub folders: String,
    pub crm: String,
    /// Whole further tables, such as `[mailbox.smtp]` with its keys.
    pub tables: String,
}

impl Mailbox {
    /// The user `name` of a private Dovecot, with implicit TLS and the password `secret`.
    pub fn on(dovecot: &Dovecot, name: &str) -> Mailbox {
        Mailbox {
            name: name.to_owned(),
            address: format!("{name}@example.com"),
            username: name.to_owned(),
            password: "secret".to_owned(),
            port: dovecot.imaps_port(),
            ca_file: dovecot.ca_file(),
            head: String::new(),
            imap: String::new(),
            folders: String::new(),
            crm: String::new(),
            tables: String::new(),
        }
    }

    /// The same through another port of 127.0.0.1, such as a [`super::cutter::Cutter`]'s.
    pub fn through(self, port: u16) -> Mailbox {
        Mailbox { port, ..self }
    }

    /// The same with lines for `[mailbox.crm]`.
    pub fn crm(self, lines: &str) -> Mailbox {
        Mailbox { crm: lines.to_owned(), ..self }
    }

    /// The same with lines for `[mailbox.folders]`.
    pub fn folders(self, lines: &str) -> Mailbox {
        Mailbox { folders: lines.to_owned(), ..self }
    }

    fn toml(&self, password_file: &Path) -> String {
        let quoted = |path: &Path| format!("{:?}", path.to_str().unwrap());
        let head = table(
            &[
                ("name", format!("{:?}", self.name)),
                ("address", format!("{:?}", self.address)),
                ("owner", "1".to_owned()),
                ("access", "[1]".to_owned()),
            ],
            &self.head,
        );
        let imap = table(
            &[
                ("host", "\"localhost\"".to_owned()),
                ("port", self.port.to_string()),
                ("tls", "\"implicit\"".to_owned()),
                ("ca_file", quoted(&self.ca_file)),
                ("username", format!("{:?}", self.username)),
                ("password_file", quoted(password_file)),
            ],
            &self.imap,
        );
        let crm = table(
            &[
                ("internal_domains", "[\"example.com\"]".to_owned()),
                ("history_days", "7".to_owned()),
            ],
            &self.crm,
        );
        let mut text = format!("[[mailbox]]\n{head}[mailbox.imap]\n{imap}[mailbox.crm]\n{crm}");
        if !self.folders.is_empty() {
            text.push_str(&format!("[mailbox.folders]\n{}", table(&[], &self.folders)));
        }
        text.push_str(&self.tables);
        text.push('\n');
        text
    }
}

/// The lines of a table: the defaults whose key the snippet does not name, then the snippet.
fn table(defaults: &[(&str, String)], snippet: &str) -> String {
    let named = |key: &str| {
        snippet.lines().any(|line| line.split('=').next().is_some_and(|named| named.trim() == key))
    };
    let mut lines = String::new();
    for (key, value) in defaults.iter().filter(|(key, _)| !named(key)) {
        lines.push_str(&format!("{key} = {value}\n"));
    }
    lines.push_str(snippet);
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}

/// What a command line call came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// -1 if a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// The one JSON document of the standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(json) => json,
            Err(error) => panic!("{error}: {self:?}"),
        }
    }

    /// The JSON objects of the standard output, one a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| match serde_json::from_str(line) {
                Ok(json) => json,
                Err(error) => panic!("{error}: {self:?}"),
            })
            .collect()
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A daemon with its configuration, ledger and log in a folder of its own.
pub struct Daemon {
    dir: TempDir,
    crm_url: String,
    http_port: u16,
    /// Lines for `[crm]`, such as `follow_responsible_secs = 1`; takes effect with [`Daemon::write_config`].
    pub crm: String,
    pub ledger: String,
    pub daemon: String,
    /// Whole further tables, such as `[[crm.employee]]` with its keys.
    pub tables: String,
    pub mailboxes: Vec<Mailbox>,
    /// For the environment of the daemon and of the command line.
    pub env: Vec<(String, String)>,
    child: Option<Child>,
}

impl Daemon {
    /// Writes a configuration for these mailboxes and this CRM, and starts nothing.
    pub fn new(crm_url: &str, mailboxes: &[Mailbox]) -> Daemon {
        let daemon = Daemon {
            dir: TempDir::new().unwrap(),
            crm_url: crm_url.to_owned(),
            http_port: free_port().unwrap(),
            crm: String::new(),
            ledger: String::new(),
            daemon: String::new(),
            tables: String::new(),
            mailboxes: mailboxes.to_vec(),
            env: Vec::new(),
            child: None,
        };
        daemon.write_config();
        daemon
    }

    /// Writes a configuration and starts the daemon on it.
    pub fn running(crm_url: &str, mailboxes: &[Mailbox]) -> Daemon {
        let mut daemon = Daemon::new(crm_url, mailboxes);
        daemon.start();
        daemon
    }

    /// Writes the configuration again after a field was changed.
    pub fn write_config(&self) {
        let path = |name: &str| format!("{:?}", self.dir.path().join(name).to_str().unwrap());
        let crm = table(
            &[
                ("kind", "\"bitrix24\"".to_owned()),
                ("url", format!("{:?}", self.crm_url)),
                ("requests_per_second", "1000.0".to_owned()),
                ("burst", "1000".to_owned()),
            ],
            &self.crm,
        );
        let ledger = table(&[("path", path("ledger.sqlite"))], &self.ledger);
        let daemon = table(
            &[("socket", path("mailcrm.sock")), ("timezone", "\"UTC\"".to_owned())],
            &self.daemon,
        );
        let http = format!("listen = \"127.0.0.1:{}\"\n", self.http_port);
        let mut text = format!(
            "[crm]\n{crm}[ledger]\n{ledger}[daemon]\n{daemon}[http]\n{http}{}\n",
            self.tables
        );
        for mailbox in &self.mailboxes {
            let password_file = self.dir.path().join(format!("{}.password", mailbox.name));
            write_secret(&password_file, &mailbox.password);
            text.push_str(&mailbox.toml(&password_file));
        }
        // The webhook's URL in it is a secret.
        write_secret(&self.config_path(), &text);
    }

    pub fn config_path(&self) -> PathBuf {
        self.dir.path().join("mailcrm.toml")
    }

    pub fn ledger_path(&self) -> PathBuf {
        self.dir.path().join("ledger.sqlite")
    }

    /// The folder with the configuration, the ledger and the log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Port of the status page and the API.
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// Starts the daemon on its ledger, a first time or again, and waits until it says `READY=1`.
    #[track_caller]
    pub fn start(&mut self) {
        let ready = self.spawn();
        let mut words = String::new();
        wait_for("the daemon to be ready", LIMIT, || {
            let mut word = [0; 4096];
            while let Ok(heard) = ready.recv(&mut word) {
                words.push_str(&String::from_utf8_lossy(&word[..heard]));
                words.push('\n');
            }
            let is_ready = words.lines().any(|line| line == "READY=1");
            assert!(is_ready || self.is_running(), "the daemon ended: {}", self.log_end());
            is_ready
        });
    }

    /// Starts the daemon and waits for nothing.
    pub fn start_unheard(&mut self) {
        // What it says of itself is lost with the socket.
        drop(self.spawn());
    }

    /// Starts the daemon and waits until it has ended, as with a wrong configuration.
    #[track_caller]
    pub fn start_and_fail(&mut self) -> ExitStatus {
        let _ready = self.spawn();
        self.wait_for_end(LIMIT)
    }

    /// Spawns the process; returns the socket on which it tells what systemd is told.
    fn spawn(&mut self) -> UnixDatagram {
        assert!(!self.is_running(), "the daemon runs already");
        let notify = self.dir.path().join("notify.sock");
        let _ = std::fs::remove_file(&notify);
        let ready = UnixDatagram::bind(&notify).unwrap();
        ready.set_nonblocking(true).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        let child = self
            .command(&["--log-level", "debug", "run"])
            .env("NOTIFY_SOCKET", &notify)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        ready
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills the daemon without a word (SIGKILL).
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the daemon to end (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_for_end(LIMIT)
    }

    /// Sends a signal by its name, such as `HUP`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let pid = self.pid().expect("a daemon").to_string();
        // The shell's own `kill`: the program is not on every machine.
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success(), "kill -s {name} {pid}");
    }

    /// Waits until the daemon has ended by itself.
    #[track_caller]
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        // It stays ours while it is waited for: in vain, it is killed with us.
        let mut ended = None;
        wait_for("the daemon to end", limit, || {
            ended = self.child.as_mut().expect("a daemon").try_wait().unwrap();
            ended.is_some()
        });
        self.child = None;
        ended.unwrap()
    }

    /// Runs another command of the program on the same configuration.
    pub fn mailcrm(&self, args: &[&str]) -> Answer {
        self.command(args).stdin(Stdio::null()).output().unwrap().into()
    }

    /// Begins another command of the program, to be ended by the test.
    pub fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// The same as [`Daemon::mailcrm`] with `--json`.
    pub fn mailcrm_json(&self, args: &[&str]) -> Answer {
        let args: Vec<&str> = ["--json"].iter().chain(args).copied().collect();
        self.mailcrm(&args)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailcrm"));
        command
            .arg("--config")
            .arg(self.config_path())
            .args(args)
            .current_dir(self.dir.path())
            // What the tests themselves run under must not reach the program.
            .env_remove("RUNTIME_DIRECTORY")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `status --json`; null while it cannot be asked.
    pub fn status(&self) -> Value {
        let answer = self.mailcrm_json(&["status"]);
        serde_json::from_str(&answer.stdout).unwrap_or(Value::Null)
    }

    /// Messages of the ledger, newest first, filtered as the command filters them.
    #[track_caller]
    pub fn messages(&self, filters: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = ["messages"].iter().chain(filters).copied().collect();
        let answer = self.mailcrm_json(&args);
        assert_eq!(answer.code, 0, "{answer:?}");
        answer.json_lines()
    }

    /// Waits until the ledger holds `count` messages and nothing is owed or being read.
    #[track_caller]
    pub fn wait_until_settled(&self, count: usize, limit: Duration) {
        wait_for(&format!("{count} messages and an empty outbox"), limit, || {
            // In this order: what is recorded between the two looks is owed in the second.
            let recorded = self.messages(&[]).len() >= count;
            let status = self.status();
            let nothing_owed = status["outbox"]["queued"] == 0 && status["outbox"]["deferred"] == 0;
            recorded && nothing_owed
        });
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("mailcrm.log")
    }

    /// Everything that the daemon wrote to standard error, over all its starts.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn log_end(&self) -> String {
        last_lines(&self.log_path())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("the daemon's last words:\n{}", self.log_end());
        }
    }
}

/// Writes a secret that only we may read.
pub fn write_secret(path: &Path, secret: &str) {
    use std::io::Write;
    let mut options = std::fs::File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    writeln!(file, "{secret}").unwrap();
}
