//! The only file that spawns tasks, handles signals and talks to systemd.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{self, Config, CrmKind, Edition, Mailbox, Mistake};
use crate::control::{self, Answer, Asking, Request, Unasked, Unexplained};
use crate::crm::bitrix24::{self, Portal};
use crate::crm::sandbox::{self, Sandbox};
use crate::filing::{FiledMailbox, Filing, Settings};
use crate::imap::{self, Shared, Watched};
use crate::intake::Intake;
use crate::ledger::{self, Ledger, MailboxId};
use crate::redecide::{Told, redecide};
use crate::rules::RuleSet;
use crate::{events, unix_now};

/// Where the built-in sandbox listens if the port is free; people bookmark its page.
const SANDBOX_PORT: u16 = 8026;
/// The longest that the delivery in hand may take at the end; systemd waits 90 seconds.
const LAST_DELIVERY: Duration = Duration::from_secs(80);
/// Lines for a command that wait until it takes them in.
const TOLD: usize = 10_000;
/// Goodbyes to mail servers.
const GOODBYE: Duration = Duration::from_secs(5);

/// What keeps the daemon from running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error("cannot use the CRM")]
    Crm(#[from] bitrix24::Error),
    #[error("cannot open the sandbox CRM")]
    Sandbox(#[from] sandbox::Error),
    #[error("cannot listen on {address}")]
    Listen { address: String, source: std::io::Error },
    #[error("cannot handle signals")]
    Signal(#[source] std::io::Error),
}

/// How to connect to the CRM that a configuration names.
pub struct CrmAccess {
    pub options: bitrix24::Options,
    /// Kind, host and port: what a ledger belongs to.
    pub identity: String,
    /// Serves the built-in sandbox, if that is the CRM.
    pub sandbox: Option<(Sandbox, TcpListener)>,
}

/// The CRM of a configuration; opens the built-in sandbox beside the ledger if none is named.
///
/// # Errors
/// If the sandbox's file or port cannot be opened.
pub async fn crm_access(config: &Config) -> Result<CrmAccess, Error> {
    let crm = config.crm.as_ref().filter(|crm| crm.kind == CrmKind::Bitrix24);
    let Some(crm) = crm else {
        let path = sandbox_path(&config.ledger.path);
        let sandbox = Sandbox::open(sandbox::Options { path, limits: None, simple_mode: false })?;
        let listener = listen_sandbox().await?;
        let address = listener
            .local_addr()
            .map_err(|source| Error::Listen { address: "127.0.0.1".to_owned(), source })?;
        let originator = config.crm.as_ref().map_or("mailcrm", |crm| crm.originator.as_str());
        return Ok(CrmAccess {
            options: bitrix24::Options {
                url: format!("http://{address}{}", sandbox::WEBHOOK_PATH),
                originator: originator.to_owned(),
                // It is ours and knows no limit.
                requests_per_second: 10_000.0,
                burst: 10_000,
                edition_cloud: true,
                spent: 0,
            },
            identity: "sandbox".to_owned(),
            sandbox: Some((sandbox, listener)),
        });
    };
    Ok(CrmAccess {
        options: bitrix24::Options {
            url: crm.url.as_ref().map(|url| url.expose().to_owned()).unwrap_or_default(),
            originator: crm.originator.clone(),
            requests_per_second: crm.requests_per_second,
            burst: crm.burst,
            edition_cloud: crm.edition == Edition::Cloud,
            spent: 0,
        },
        identity: crm.identity(),
        sandbox: None,
    })
}

/// The sandbox's file lies beside the ledger.
pub fn sandbox_path(ledger: &Path) -> PathBuf {
    ledger.with_file_name("sandbox.sqlite")
}

async fn listen_sandbox() -> Result<TcpListener, Error> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, SANDBOX_PORT)).await {
        Ok(listener) => Ok(listener),
        Err(_taken) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|source| Error::Listen { address: "127.0.0.1:0".to_owned(), source }),
    }
}

/// How much of the burst the last run may have used up: a portal's bucket does not empty because
/// we were started again.
fn spent(options: &bitrix24::Options, last_sent: Option<i64>, now: i64) -> u32 {
    let Some(last) = last_sent else { return 0 };
    let idle = now.saturating_sub(last).max(0);
    let drained = (idle as f64 * options.requests_per_second).min(f64::from(options.burst));
    // Between 0 and burst, so nothing is lost.
    options.burst.saturating_sub(drained as u32)
}

/// A running mailbox.
struct Running {
    config: Arc<Mailbox>,
    rules: watch::Sender<Arc<RuleSet>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What a command needs the daemon itself for; each is answered when it is done.
enum Order {
    /// Take over the configuration as it is now; says whether it was.
    Reload(oneshot::Sender<bool>),
    /// Read these messages; says why that cannot be.
    ReadAgain(Vec<Unexplained>, oneshot::Sender<Result<(), ledger::Error>>),
}

struct Daemon {
    ledger: Ledger,
    max_message: u64,
    shared: Arc<Shared>,
    mailboxes: BTreeMap<String, Running>,
    ids: HashMap<String, MailboxId>,
    settings: watch::Sender<Arc<Settings>>,
    reload: watch::Sender<u64>,
    fatal: mpsc::Sender<ledger::Error>,
}

/// Runs until SIGTERM, SIGINT or the end of `until`.
///
/// # Errors
/// What keeps it from starting, and a ledger that cannot go on.
pub async fn run(
    path: PathBuf,
    config: Config,
    until: impl Future<Output = ()>,
) -> Result<(), Error> {
    let mut signals = Signals::new()?;
    // A connection a mailbox: shells allow a thousand. Without the right to more it stays so.
    drop(rlimit::increase_nofile_limit(u64::MAX));
    let ledger = Ledger::open(&config.ledger.path, config.ledger.spool_max)?;
    let crm = crm_access(&config).await?;
    ledger.bind_crm(crm.identity.clone()).await?;
    for warning in &config.warnings {
        events::configuration_warning(warning);
    }
    let mut options = crm.options;
    let started = ledger.meta("started").await?.and_then(|at| at.parse().ok());
    // Look-ups leave no trace: who was killed and started again at once may have asked a lot.
    let last_sent = ledger.last_sent().await?.max(started);
    options.spent = spent(&options, last_sent, unix_now());
    // For the next start; without room it goes by what was sent alone.
    drop(ledger.set_meta("started", unix_now().to_string()).await);
    let portal = Portal::new(options)?;
    let mut renamed = portal.renamed();
    let (stop, stopped) = watch::channel(false);
    let (stop_sandbox, sandbox_stopped) = watch::channel(false);
    let (reload, reloaded) = watch::channel(0);
    let (fatal, mut failed) = mpsc::channel(1);
    let sandbox = crm.sandbox.map(|(sandbox, listener)| {
        let page = listener.local_addr().map(|address| format!("http://{address}/"));
        events::sandbox_in_use(&page.unwrap_or_default());
        tokio::spawn(sandbox.serve(listener, sandbox_stopped))
    });
    // Mailboxes are noted as connected by whoever was killed. A daemon that systemd starts again
    // must not give up on a full disk.
    while let Err(error) = ledger.stop_all_mailboxes().await {
        if !wait_for_room(error, &mut signals).await? {
            ledger.close().await;
            events::stopped();
            return Ok(());
        }
    }
    let settings = Settings { mailboxes: HashMap::new(), zone: config.daemon.zone() };
    let (settings, settings_seen) = watch::channel(Arc::new(settings));
    let mut daemon = Daemon {
        ledger: ledger.clone(),
        max_message: config.ledger.max_message,
        shared: Arc::new(Shared::default()),
        mailboxes: BTreeMap::new(),
        ids: HashMap::new(),
        settings,
        reload,
        fatal,
    };
    while let Err(error) = daemon.take_over(&config).await {
        if !wait_for_room(error, &mut signals).await? {
            daemon.stop().await;
            ledger.close().await;
            events::stopped();
            return Ok(());
        }
    }
    let (order, mut ordered) = mpsc::channel(1);
    let socket = config.daemon.socket.clone();
    let control = match control::listen(&socket).await {
        Ok(listener) => {
            let desk =
                Desk { path: path.clone(), ledger: ledger.clone(), order, turn: Mutex::new(()) };
            Some(tokio::spawn(serve_commands(listener, Arc::new(desk))))
        }
        Err(error) => {
            events::socket_unavailable(&crate::causes(&error));
            None
        }
    };
    let filing = Filing::new(ledger.clone(), portal, settings_seen);
    let mut filing = tokio::spawn(async move { filing.run(stopped, reloaded).await });
    events::ready(config.mailboxes.len(), &crm.identity, &config.ledger.path.display().to_string());
    tell_systemd(&[sd_notify::NotifyState::Ready]);
    let mut watchdog = watchdog();
    tokio::pin!(until);
    let outcome = loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Asked::Stop(name) => {
                    events::stopping(name);
                    break Ok(());
                }
                Asked::Reload => {
                    if let Err(error) = daemon.reload(&path, &config, false).await {
                        break Err(error.into());
                    }
                }
            },
            Some(order) = ordered.recv() => {
                if let Err(error) = daemon.carry_out(order, &path, &config).await {
                    break Err(error.into());
                }
            }
            () = &mut until => break Ok(()),
            Some(error) = failed.recv() => break Err(error.into()),
            Ok(()) = renamed.changed() => {
                let name = renamed.borrow_and_update().clone().unwrap_or_default();
                events::crm_renamed(&name);
                // Without the note the new name is only not known at the next start.
                drop(ledger.also_crm(format!("bitrix24 {name}")).await);
            }
            ended = &mut filing => break match ended {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(error.into()),
                Err(_panicked) => Err(ledger::Error::Interrupted { doing: "file mail" }.into()),
            },
            () = tick(&mut watchdog) => {
                // Fed only while the ledger answers: a daemon that hangs is started again.
                if ledger.meta("crm").await.is_ok() {
                    tell_systemd(&[sd_notify::NotifyState::Watchdog]);
                }
            }
        }
    };
    tell_systemd(&[sd_notify::NotifyState::Stopping]);
    if let Some(control) = control {
        control.abort();
        drop(std::fs::remove_file(&socket));
    }
    // First no new mail, then the delivery in hand, then the ledger.
    daemon.stop().await;
    stop.send_replace(true);
    if outcome.is_ok() && !filing.is_finished() {
        // What is cut off here is looked up before it is sent again.
        drop(tokio::time::timeout(LAST_DELIVERY, &mut filing).await);
    }
    filing.abort();
    stop_sandbox.send_replace(true);
    if let Some(sandbox) = sandbox {
        drop(tokio::time::timeout(GOODBYE, sandbox).await);
    }
    ledger.close().await;
    events::stopped();
    outcome
}

/// Waits until there may be room on the disk, where that is what went wrong. `false`: the daemon is
/// to end.
async fn wait_for_room(error: ledger::Error, signals: &mut Signals) -> Result<bool, ledger::Error> {
    if !error.is_full() && !error.is_busy() {
        return Err(error);
    }
    events::ledger_full(&crate::causes(&error));
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(10)) => Ok(true),
        asked = signals.next() => Ok(matches!(asked, Asked::Reload)),
    }
}

impl Daemon {
    /// Starts, changes and stops mailboxes until they are those of the configuration. Returns the
    /// names of what was added, changed and removed.
    async fn take_over(&mut self, config: &Config) -> Result<[Vec<String>; 3], ledger::Error> {
        let mut changes: [Vec<String>; 3] = Default::default();
        let [added, changed, removed] = &mut changes;
        let wanted: HashMap<&str, &Mailbox> =
            config.mailboxes.iter().map(|mailbox| (mailbox.name.as_str(), mailbox)).collect();
        let gone: Vec<String> = self
            .mailboxes
            .keys()
            .filter(|name| !wanted.contains_key(name.as_str()))
            .cloned()
            .collect();
        // The ledger first: when it is full, nothing was stopped yet.
        let known_by = |mailbox: &Mailbox| {
            let imap = &mailbox.imap;
            (mailbox.name.clone(), imap.host.clone(), imap.username.clone())
        };
        let ids =
            self.ledger.register_mailboxes(config.mailboxes.iter().map(known_by).collect()).await?;
        let names = config.mailboxes.iter().map(|mailbox| mailbox.name.clone());
        self.ids = names.zip(ids).collect();
        // All at once: each may take seconds to say goodbye.
        let ends: Vec<String> = self
            .mailboxes
            .iter()
            .filter(|(name, running)| {
                wanted.get(name.as_str()).is_none_or(|mailbox| **mailbox != *running.config)
            })
            .map(|(name, _)| name.clone())
            .collect();
        let ended: Vec<Running> =
            ends.iter().filter_map(|name| self.mailboxes.remove(name)).collect();
        futures_util::future::join_all(ended.into_iter().map(Running::end)).await;
        removed.extend(gone);
        let mut filed = HashMap::new();
        let mut begin = Vec::new();
        let own = config.own_addresses();
        for mailbox in &config.mailboxes {
            let rules = Arc::new(mailbox.rules(&own));
            let Some(&id) = self.ids.get(&mailbox.name) else { continue };
            let shared = Arc::new(mailbox.clone());
            filed.insert(
                id,
                FiledMailbox { config: Arc::clone(&shared), rules: Arc::clone(&rules) },
            );
            match self.mailboxes.get(&mailbox.name) {
                Some(running) if *running.config == *mailbox => {
                    // Another mailbox's address may be a new one of ours.
                    running.rules.send_replace(rules);
                }
                Some(_) | None => {
                    let was_there = ends.contains(&mailbox.name);
                    if was_there { &mut *changed } else { &mut *added }.push(mailbox.name.clone());
                    begin.push((id, shared, rules));
                }
            }
        }
        self.settings
            .send_replace(Arc::new(Settings { mailboxes: filed, zone: config.daemon.zone() }));
        // Filing knows their mailboxes again.
        let taken_back = self.ledger.take_back(self.ids.keys().cloned().collect()).await;
        for (id, mailbox, rules) in begin {
            if mailbox.folders.spam_is_inbox() {
                events::spam_folder_is_inbox(
                    &mailbox.name,
                    "choose another folder for folders.spam, then run `mailcrm redecide`",
                );
            }
            let name = mailbox.name.clone();
            let running = self.begin(id, mailbox, rules);
            self.mailboxes.insert(name, running);
        }
        match taken_back {
            // They come back by themselves within the hour.
            Err(error) if error.is_full() || error.is_busy() => Ok(changes),
            other => other.map(|()| changes),
        }
    }

    fn begin(&self, id: MailboxId, mailbox: Arc<Mailbox>, rules: Arc<RuleSet>) -> Running {
        let (rules, rules_seen) = watch::channel(rules);
        let (stop, stopped) = watch::channel(false);
        let watched = Watched {
            intake: Intake {
                ledger: self.ledger.clone(),
                mailbox: id,
                name: Arc::from(mailbox.name.as_str()),
                owner: mailbox.owner,
                rules: rules_seen,
            },
            mailbox: Arc::clone(&mailbox),
            max_message: self.max_message,
            shared: Arc::clone(&self.shared),
        };
        let reload = self.reload.subscribe();
        let fatal = self.fatal.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = imap::watch(watched, stopped, reload).await {
                drop(fatal.try_send(error));
            }
        });
        Running { config: mailbox, rules, stop, task }
    }

    /// Takes over the configuration as it is now; `false` if that cannot be. A command asks for it
    /// without knowing whether anything changed: if not, nothing is said and no credentials are
    /// tried for it.
    async fn reload(
        &mut self,
        path: &Path,
        started: &Config,
        by_command: bool,
    ) -> Result<bool, ledger::Error> {
        let monotonic = sd_notify::NotifyState::monotonic_usec_now().ok();
        let mut states = vec![sd_notify::NotifyState::Reloading];
        states.extend(monotonic);
        tell_systemd(&states);
        let taken = match config::load(path, config::environment()) {
            Err(mistakes) => {
                let first = mistakes.first().map(Mistake::to_string).unwrap_or_default();
                events::configuration_refused(mistakes.len(), &first);
                false
            }
            Ok(config) => {
                for warning in config.warnings.iter().filter(|_| !by_command) {
                    events::configuration_warning(warning);
                }
                for (section, same) in [
                    ("crm", config.crm == started.crm),
                    ("ledger", config.ledger == started.ledger),
                ] {
                    if !same && !by_command {
                        events::configuration_warning(&format!(
                            "{section}: changes are taken over at the next start"
                        ));
                    }
                }
                self.shared.trust.forget();
                let [added, changed, removed] = match self.take_over(&config).await {
                    Ok(changes) => changes,
                    Err(error) if error.is_full() || error.is_busy() => {
                        events::configuration_not_taken_over(&crate::causes(&error));
                        tell_systemd(&[sd_notify::NotifyState::Ready]);
                        return Ok(false);
                    }
                    Err(error) => return Err(error),
                };
                let news = !(added.is_empty() && changed.is_empty() && removed.is_empty());
                if news || !by_command {
                    self.reload.send_modify(|count| *count += 1);
                    events::configuration_taken_over(
                        &added.join(","),
                        &changed.join(","),
                        &removed.join(","),
                    );
                }
                true
            }
        };
        tell_systemd(&[sd_notify::NotifyState::Ready]);
        Ok(taken)
    }

    async fn carry_out(
        &mut self,
        order: Order,
        path: &Path,
        started: &Config,
    ) -> Result<(), ledger::Error> {
        // Whoever asked may be gone.
        match order {
            Order::Reload(done) => {
                let taken = self.reload(path, started, true).await?;
                let _heard = done.send(taken);
            }
            Order::ReadAgain(unexplained, done) => {
                let _heard = done.send(self.read_again(unexplained).await);
            }
        }
        Ok(())
    }

    async fn read_again(&mut self, unexplained: Vec<Unexplained>) -> Result<(), ledger::Error> {
        let names: BTreeSet<String> = unexplained.iter().map(|one| one.mailbox.clone()).collect();
        let mut ended = Vec::new();
        let mut ending = Vec::new();
        for name in names {
            let Some(running) = self.mailboxes.remove(&name) else { continue };
            let (mailbox, rules) =
                (Arc::clone(&running.config), Arc::clone(&running.rules.borrow()));
            ending.push(running.end());
            ended.push((name, mailbox, rules));
        }
        // All at once: each may take seconds to say goodbye.
        futures_util::future::join_all(ending).await;
        // Only now: what is read meanwhile would move the cursor past them again, for it was not
        // listed with them.
        let mut lowered = Ok(());
        for Unexplained { mailbox, folder, uid_validity, from } in unexplained {
            if lowered.is_ok() {
                lowered = self.ledger.read_from(mailbox, folder, uid_validity, from).await;
            }
        }
        for (name, mailbox, rules) in ended {
            if let Some(&id) = self.ids.get(&name) {
                let running = self.begin(id, mailbox, rules);
                self.mailboxes.insert(name, running);
            }
        }
        lowered
    }

    async fn stop(&mut self) {
        for running in self.mailboxes.values() {
            running.stop.send_replace(true);
        }
        let ends = std::mem::take(&mut self.mailboxes).into_values().map(Running::end);
        futures_util::future::join_all(ends).await;
    }
}

impl Running {
    /// Stops the mailbox; one that does not say goodbye in time is cut off.
    async fn end(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(GOODBYE, &mut self.task).await.is_err() {
            self.task.abort();
            drop((&mut self.task).await);
        }
    }
}

/// Where commands are answered that change something.
struct Desk {
    path: PathBuf,
    ledger: Ledger,
    order: mpsc::Sender<Order>,
    /// One at a time.
    turn: Mutex<()>,
}

async fn serve_commands(listener: UnixListener, desk: Arc<Desk>) {
    let mut asking = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let desk = Arc::clone(&desk);
                    asking.spawn(async move { desk.serve(Asking::new(stream)).await });
                }
                // Out of file descriptors: it may pass.
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            },
            Some(_done) = asking.join_next() => {}
        }
    }
}

impl Desk {
    async fn serve(&self, mut asking: Asking) {
        let (of, request) = match asking.request().await {
            Ok(asked) => asked,
            Err(Unasked::Silent) => return,
            Err(why @ (Unasked::TooLong | Unasked::Unreadable(_))) => {
                let text = crate::causes(&why);
                return asking.answer(&Answer::End { code: 1, text }).await;
            }
        };
        let _turn = self.turn.lock().await;
        let own = control::resolved(self.ledger.path());
        let (code, text) = match request {
            // Done here, it would be done to what nobody named.
            Request::Redecide { .. } | Request::Repair { .. } if of != own => {
                let (of, own) = (of.display(), own.display());
                let mend = "give one of the two another daemon.socket";
                (1, format!("the daemon that answers works on {own}, not on {of}; {mend}"))
            }
            Request::Redecide { filter } => self.redecide(&mut asking, filter).await,
            Request::Repair { unexplained } => self.repair(unexplained).await,
        };
        // Whoever asked may be gone; what was done is done.
        asking.answer(&Answer::End { code, text }).await;
    }

    async fn redecide(&self, asking: &mut Asking, filter: ledger::Filter) -> (u8, String) {
        let config = match config::load(&self.path, config::environment()) {
            Ok(config) => config,
            Err(mistakes) => {
                let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
                return (78, lines.join("\n"));
            }
        };
        // What is filed of it must go by the same rules as what is decided.
        match self.ordered(Order::Reload).await {
            Some(true) => {}
            Some(false) => {
                let why = "the daemon did not take over the configuration; its log says why";
                return (1, why.to_owned());
            }
            None => return (1, "the daemon is stopping".to_owned()),
        }
        let (told, mut heard) = mpsc::channel(TOLD);
        let (ledger, config) = (&self.ledger, &config);
        let work = async move {
            let mut untold = 0_u64;
            // The work waits for nobody who listens slowly.
            let tell = |one| untold += u64::from(told.try_send(one).is_err());
            let done = redecide(ledger, config, filter, false, tell).await;
            (done, untold)
        };
        let answers = async {
            while let Some(told) = heard.recv().await {
                let answer = match told {
                    Told::One(one, changed) => {
                        Answer::Line(serde_json::to_value(one).unwrap_or_default(), changed)
                    }
                    Told::Progress(done, all) => Answer::Progress(done, all),
                    Told::Trouble(text) => Answer::Trouble(text),
                };
                // Whoever asked may be gone: what was begun is done all the same.
                asking.answer(&answer).await;
            }
        };
        match tokio::join!(work, answers).0 {
            (Ok(()), 0) => (0, String::new()),
            (Ok(()), untold) => (1, format!("all is done; {untold} lines were read too slowly")),
            (Err(error), _) => (1, crate::causes(&error)),
        }
    }

    async fn repair(&self, unexplained: Vec<Unexplained>) -> (u8, String) {
        match self.ordered(|done| Order::ReadAgain(unexplained, done)).await {
            Some(Ok(())) => (0, String::new()),
            Some(Err(error)) => (1, crate::causes(&error)),
            None => (1, "the daemon is stopping".to_owned()),
        }
    }

    /// Has the daemon do something, and waits for what it says when it is done; `None`: it stops.
    async fn ordered<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (done, when) = oneshot::channel();
        self.order.send(order(done)).await.ok()?;
        when.await.ok()
    }
}

enum Asked {
    Stop(&'static str),
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Signals, Error> {
        let on = |kind| signal(kind).map_err(Error::Signal);
        Ok(Signals {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

/// Serves the sandbox alone, until SIGTERM or SIGINT.
///
/// # Errors
/// If its file or address cannot be opened.
pub async fn serve_sandbox(
    options: sandbox::Options,
    address: &str,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<(), Error> {
    let mut signals = Signals::new()?;
    let listen = |source| Error::Listen { address: address.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    let sandbox = Sandbox::open(options)?;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(sandbox.serve(listener, stopped));
    ready(bound);
    // Nothing to read anew.
    while let Asked::Reload = signals.next().await {}
    stop.send_replace(true);
    drop(tokio::time::timeout(GOODBYE, serving).await);
    Ok(())
}

/// Serves a configuration's built-in sandbox while `work` runs, for commands that ask the CRM
/// without a daemon.
pub async fn with_sandbox<T>(
    sandbox: Option<(Sandbox, TcpListener)>,
    work: impl Future<Output = T>,
) -> T {
    let (stop, stopped) = watch::channel(false);
    let serving = sandbox.map(|(sandbox, listener)| tokio::spawn(sandbox.serve(listener, stopped)));
    let done = work.await;
    stop.send_replace(true);
    if let Some(serving) = serving {
        drop(tokio::time::timeout(GOODBYE, serving).await);
    }
    done
}

/// systemd's watchdog wants a sign of life twice in its time.
fn watchdog() -> Option<tokio::time::Interval> {
    let period = sd_notify::watchdog_enabled()?;
    Some(tokio::time::interval(period / 2))
}

async fn tick(watchdog: &mut Option<tokio::time::Interval>) {
    match watchdog {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

fn tell_systemd(states: &[sd_notify::NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    drop(sd_notify::notify(states));
}
