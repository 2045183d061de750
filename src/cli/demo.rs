//! `mailcrm demo`: a private mail server, the sandbox CRM and the daemon, on sample mail.

use std::collections::{HashMap, HashSet};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Demo, Trouble, load};
use crate::crm::bitrix24::{self, Portal};
use crate::crm::sandbox::{self, Sandbox};
use crate::daemon;
use crate::demo::dovecot::{Dovecot, Options};
use crate::demo::samples::{
    EXCLUDE, Expect, INTERNAL_DOMAIN, KNOWN_CLIENTS, MAILBOXES, SYNC, Sample, samples,
};
use crate::ledger::{Filter, Ledger, MessageView};
use crate::message;
use crate::unix_now;

const PASSWORD: &str = "demo";
/// How long the samples may take, on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(200);
/// The page's port if it is free.
const PAGE_PORT: u16 = 8026;
/// What tells our folder from one that is none of ours.
const MARK: &str = "mailcrm-demo";

pub(super) async fn demo(asked: Demo) -> Result<(), Trouble> {
    let folder = Folder::make(&asked.folder)?;
    let done = in_folder(&folder.path, asked.once).await;
    folder.remove();
    done
}

#[expect(clippy::print_stdout, reason = "a demonstration is for looking at")]
async fn in_folder(folder: &Path, once: bool) -> Result<(), Trouble> {
    let users: Vec<(&str, &str)> =
        MAILBOXES.iter().map(|mailbox| (mailbox.name, PASSWORD)).collect();
    println!("mail     starting a private Dovecot with {} mailboxes", MAILBOXES.len());
    let dovecot = Dovecot::start(&folder.join("mail"), Options::for_users(&users)).await?;
    let (sandbox, listener, url) = open_sandbox(folder).await?;
    let page = format!("http://{}/", listener.local_addr()?);
    let config_file = write_config(folder, &dovecot, &url)?;
    let config = load(&config_file)?;
    println!("mail     IMAP on 127.0.0.1:{} (TLS), password {PASSWORD}", dovecot.imaps_port());
    println!("crm      {page}");
    let ledger = config.ledger.path.clone();
    let (stop, mut stopped) = watch::channel(false);
    let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let play = async {
        let played = play(&dovecot, &ledger, &url).await;
        match (&played, once) {
            (Ok(_), false) => {
                println!("\ncards    {page}");
                println!("mail     write into a mailbox and watch; Ctrl-C ends it");
                std::future::pending::<()>().await;
            }
            (Ok(_), true) | (Err(_), _) => {}
        }
        stop.send_replace(true);
        played
    };
    let (ran, played) = daemon::with_sandbox(Some((sandbox, listener)), async {
        let daemon = daemon::run(config_file.clone(), config, until);
        tokio::pin!(daemon);
        tokio::pin!(play);
        tokio::select! {
            ran = &mut daemon => (ran, None),
            played = &mut play => (daemon.await, Some(played)),
        }
    })
    .await;
    let ended = dovecot.stop().await;
    ran?;
    ended?;
    match played {
        // Ctrl-C: the person has seen enough.
        None => Ok(()),
        Some(played) => {
            let wrong = played?;
            if wrong == 0 { Ok(()) } else { Err(Trouble::Told) }
        }
    }
}

async fn open_sandbox(folder: &Path) -> Result<(Sandbox, TcpListener, String), Trouble> {
    let path = folder.join("sandbox.sqlite");
    let sandbox = Sandbox::open(sandbox::Options { path, limits: None, simple_mode: false })?;
    let listener = match TcpListener::bind(("127.0.0.1", PAGE_PORT)).await {
        Ok(listener) => listener,
        Err(_taken) => TcpListener::bind(("127.0.0.1", 0)).await?,
    };
    let url = format!("http://{}{}", listener.local_addr()?, sandbox::WEBHOOK_PATH);
    Ok((sandbox, listener, url))
}

/// A configuration as an administrator would write it.
fn write_config(folder: &Path, dovecot: &Dovecot, url: &str) -> Result<PathBuf, Trouble> {
    use std::fmt::Write;
    let mut text = "[crm]\nkind = \"bitrix24\"\nurl_file = \"crm.url\"\n\
         requests_per_second = 1000.0\nburst = 1000\n\n[ledger]\npath = \"ledger.sqlite\"\n"
        .to_owned();
    write_private(&folder.join("crm.url"), url)?;
    write_private(&folder.join("password"), PASSWORD)?;
    for mailbox in &MAILBOXES {
        // Writing to a String cannot go wrong.
        let _ok = write!(
            text,
            "\n[[mailbox]]\nname = {:?}\naddress = {:?}\naliases = {:?}\nowner = 7\n\
             [mailbox.imap]\nhost = \"localhost\"\nport = {}\nca_file = {:?}\nusername = {:?}\n\
             password_file = \"password\"\n[mailbox.folders]\nsync = {SYNC:?}\n\
             [mailbox.crm]\nqueue = [7, 9, 12]\ninternal_domains = [{INTERNAL_DOMAIN:?}]\n\
             exclude = [{EXCLUDE:?}]\n",
            mailbox.name,
            mailbox.address,
            mailbox.aliases,
            dovecot.imaps_port(),
            dovecot.ca_file(),
            mailbox.name,
        );
    }
    let path = folder.join("mailcrm.toml");
    write_private(&path, &text)?;
    Ok(path)
}

fn write_private(path: &Path, text: &str) -> Result<(), Trouble> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

/// Delivers the samples wave by wave and prints the fate of each. Returns how many went another
/// way than they should.
#[expect(clippy::print_stdout, reason = "a demonstration is for looking at")]
async fn play(dovecot: &Dovecot, ledger: &Path, url: &str) -> Result<usize, Trouble> {
    known_clients(url).await?;
    let samples = samples(unix_now());
    let waves = samples.iter().map(|sample| sample.wave).max().unwrap_or(0);
    let mut fates = Fates::default();
    println!("\n{:8} {:8} {:<13} WHAT -> WHERE", "MAILBOX", "FOLDER", "FATE");
    for wave in 0..=waves {
        for sample in samples.iter().filter(|sample| sample.wave == wave) {
            dovecot.deliver(sample.mailbox, sample.folder, &sample.raw)?;
        }
        let so_far: Vec<&Sample> = samples.iter().filter(|sample| sample.wave <= wave).collect();
        fates.wait_for(ledger, &so_far).await?;
    }
    Ok(fates.summary(&samples))
}

/// Clients that the CRM knows before the first mail.
async fn known_clients(url: &str) -> Result<(), Trouble> {
    let portal = Portal::new(bitrix24::Options {
        url: url.to_owned(),
        originator: "demo".to_owned(),
        requests_per_second: 1000.0,
        burst: 1000,
        edition_cloud: true,
        spent: 0,
    })?;
    for client in &KNOWN_CLIENTS {
        let mail = json!([{"typeId": "EMAIL", "valueType": "WORK", "value": client.email}]);
        let fields = json!({"name": client.name, "assignedById": 9, "fm": mail});
        let params = json!({"entityTypeId": 3, "fields": fields});
        let made = portal.raw_call("crm.item.add", params).await?;
        if let Some(title) = client.deal {
            let contact = made.pointer("/item/id").cloned().unwrap_or_default();
            let fields = json!({"title": title, "contactId": contact, "assignedById": 12});
            let params = json!({"entityTypeId": 2, "fields": fields});
            portal.raw_call("crm.item.add", params).await?;
        }
    }
    Ok(())
}

/// What became of the samples so far, by fingerprint.
#[derive(Default)]
struct Fates {
    of: HashMap<[u8; 32], MessageView>,
    told: HashSet<usize>,
    open: Option<Ledger>,
}

impl Fates {
    async fn wait_for(&mut self, ledger: &Path, samples: &[&Sample]) -> Result<(), Trouble> {
        let start = Instant::now();
        loop {
            if self.open.is_none() && ledger.exists() {
                self.open = Ledger::open_read_only(ledger).ok();
            }
            if let Some(open) = &self.open {
                let messages = open.messages(Filter::default()).await?;
                self.of = messages.into_iter().map(|view| (view.fingerprint, view)).collect();
            }
            self.tell(samples);
            if self.told.len() >= samples.len() {
                return Ok(());
            }
            if start.elapsed() > LIMIT {
                let left = samples.len() - self.told.len();
                return Err(Trouble::Failed(format!(
                    "{left} of {} mails had no fate after {} s",
                    samples.len(),
                    LIMIT.as_secs()
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    #[expect(clippy::print_stdout, reason = "a demonstration is for looking at")]
    fn tell(&mut self, samples: &[&Sample]) {
        for (index, sample) in samples.iter().enumerate() {
            if self.told.contains(&index) {
                continue;
            }
            let Some(fate) = fate(sample, &self.of) else { continue };
            let wrong = if as_expected(sample, &self.of) { "" } else { "   <- not as expected" };
            println!(
                "{:8} {:8} {fate:<13} {} -> {}{wrong}",
                sample.mailbox,
                sample.folder,
                sample.what,
                whereto(sample, &self.of)
            );
            self.told.insert(index);
        }
    }

    #[expect(clippy::print_stdout, reason = "a demonstration is for looking at")]
    fn summary(&self, samples: &[Sample]) -> usize {
        let wrong = samples.iter().filter(|sample| !as_expected(sample, &self.of)).count();
        let saved = self.of.values().filter(|view| view.state == "saved").count();
        let skipped = self.of.values().filter(|view| view.state == "skipped").count();
        println!(
            "\n{} mails delivered: {saved} saved, {skipped} skipped, {} further copies; {wrong} not \
             as expected",
            samples.len(),
            samples.iter().filter(|sample| sample.expect == Expect::SecondPlace).count(),
        );
        wrong
    }
}

fn view<'a>(sample: &Sample, of: &'a HashMap<[u8; 32], MessageView>) -> Option<&'a MessageView> {
    let parsed = message::parse(&sample.raw).ok()?;
    of.get(&parsed.fingerprint)
}

/// What to print, once it is settled.
fn fate(sample: &Sample, of: &HashMap<[u8; 32], MessageView>) -> Option<String> {
    let view = view(sample, of)?;
    let lies_there = view
        .places
        .iter()
        .any(|place| place.mailbox == sample.mailbox && place.folder == sample.folder);
    if !lies_there || view.state == "queued" {
        return None;
    }
    if sample.expect == Expect::SecondPlace {
        return Some("further copy".to_owned());
    }
    Some(view.reason.clone().unwrap_or_else(|| view.state.clone()))
}

fn whereto(sample: &Sample, of: &HashMap<[u8; 32], MessageView>) -> String {
    let Some(view) = view(sample, of) else { return String::new() };
    if view.cards.is_empty() {
        return view.state.clone();
    }
    let cards: Vec<String> = view.cards.iter().map(ToString::to_string).collect();
    let responsible = view.responsible.map(|id| format!(", employee {id}")).unwrap_or_default();
    format!("{}{responsible}", cards.join(" "))
}

fn as_expected(sample: &Sample, of: &HashMap<[u8; 32], MessageView>) -> bool {
    let Some(view) = view(sample, of) else { return false };
    match sample.expect {
        Expect::Saved => view.state == "saved" && view.activity_id.is_some(),
        Expect::Skipped(reason) => {
            view.state == "skipped" && view.reason.as_deref() == Some(reason)
        }
        Expect::SecondPlace => view.places.len() >= 2,
    }
}

/// Everything the demo writes; removed at the end.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make(path: &Path) -> Result<Folder, Trouble> {
        let mark = path.join(MARK);
        if path.exists() && !mark.exists() {
            return Err(Trouble::Failed(format!(
                "{} is no folder of the demo; name another with --folder",
                path.display()
            )));
        }
        if path.exists() {
            // Of a demo that was cut off.
            std::fs::remove_dir_all(path)?;
        }
        std::fs::create_dir_all(path)?;
        std::fs::write(&mark, "made by `mailcrm demo`, which removes this folder\n")?;
        Ok(Folder { path: path.canonicalize()? })
    }

    fn remove(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path)
            && std::io::stderr().is_terminal()
        {
            eprintln!("mailcrm: {} is left: {error}", self.path.display());
        }
    }
}
