//! A mailbox's life: connect, read every folder, wait for news, and again after every loss.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::Error;
use super::bounds::Bounds;
use super::by_hand::{Looks, Saving};
use super::catch_up::{CatchUp, CaughtUp, Folder, OPEN};
use super::choose::{chosen, history_days, unlisted};
use super::connect::{Gate, connect};
use super::failed::asked_to_wait;
use super::link::{Link, Listed, Opened, Woke, same_wire};
use super::trouble::{AGAIN, Trouble};
use super::trust::TrustStore;
use crate::config::{Mailbox, Secret};
use crate::intake::Intake;
use crate::ledger;
use crate::retry::{Pauses, STABLE, next_login, still_counting};
use crate::{events, unix_now};

/// Between two tries while the disk is full.
const FULL: Duration = Duration::from_secs(10);
/// Between two looks at a secret that was rejected: a changed one is tried at once.
const SECRET: Duration = Duration::from_secs(15);
/// Before a folder that could not be opened is tried again.
const PARKED: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(300);
/// Between two lists of the folders while one of them is missing or cannot be opened.
const LIST_AGAIN: Duration = Duration::from_secs(600);
/// After news that brought nothing: servers announce mail before they list it.
const LOOKS: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];
/// The longest of those pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// News in vain that is older than this counts no more.
const LONG_AGO: Duration = Duration::from_secs(10);
/// Rounds in a row in which news brought nothing before there are pauses between them.
const IDLE_NEWS: u32 = 3;
/// What a blocked mailbox waits that has no login limit of its own, such as a bad certificate.
const BLOCKED: Duration = Duration::from_secs(600);

const GOODBYE: Duration = Duration::from_secs(2);

/// What all mailboxes of a process share.
#[derive(Default)]
pub struct Shared {
    pub trust: TrustStore,
    pub gate: Gate,
    pub(super) bounds: Bounds,
}

/// A mailbox to watch.
#[derive(Clone)]
pub struct Watched {
    pub mailbox: Arc<Mailbox>,
    pub intake: Intake,
    /// Octets.
    pub max_message: u64,
    pub shared: Arc<Shared>,
}

/// Watches a mailbox until `stop` becomes true. `reload` counts reloads: each one tries rejected
/// credentials at once.
///
/// # Errors
/// Only what stops the daemon: a ledger that is corrupt or cannot be written.
pub async fn watch(
    watched: Watched,
    mut stop: watch::Receiver<bool>,
    mut reload: watch::Receiver<u64>,
) -> Result<(), ledger::Error> {
    let ledger = watched.intake.ledger.clone();
    let id = watched.intake.mailbox;
    let mut trouble = Trouble::default();
    let mut pauses = Pauses::new(Duration::from_secs(1), LONGEST);
    let mut told: Option<String> = None;
    loop {
        let connected = Instant::now();
        // Reloads from before the next refusal are none after it.
        reload.mark_unchanged();
        let ended = tokio::select! {
            ended = AssertUnwindSafe(session(&watched, &mut trouble, &mut told, stop.clone()))
                .catch_unwind() => ended,
            // Time to say goodbye; who is in the middle of a mailbox is cut off.
            () = async { stopped(&mut stop).await; tokio::time::sleep(GOODBYE).await; } => Ok(Ok(())),
        };
        let error = match ended {
            Ok(Ok(())) => {
                return match ledger.mailbox_state(id, "stopped", None).await {
                    Err(error) if error.is_full() || error.is_busy() => Ok(()),
                    other => other,
                };
            }
            Ok(Err(error)) => error,
            // imap-proto 0.17 panics on `INTERNALDATE NIL`, for one.
            Err(_panic) => {
                events::mailbox_panicked(&watched.mailbox.name);
                Error::Unparsable { doing: "read an answer", what: "it ended the codec".into() }
            }
        };
        trouble.note(&error, Instant::now());
        // What was read so far does not wait for folders that are not read soon. On a full disk
        // it does.
        drop(ledger.let_go(id, unix_now()).await);
        if connected.elapsed() > STABLE {
            pauses.reset();
        }
        let (state, delay) = match &error {
            Error::Ledger(error) if error.is_full() => {
                if ledger.is_full_now() {
                    events::ledger_full(&crate::causes(error));
                }
                ("waiting", FULL)
            }
            Error::Ledger(error) if error.is_busy() => ("waiting", pauses.pause()),
            Error::Ledger(_) => {
                let Error::Ledger(error) = error else { return Ok(()) };
                return Err(error);
            }
            Error::Credentials { .. } | Error::Held { .. } | Error::Secret(_) => {
                ("blocked", SECRET)
            }
            Error::Blocked(_) => ("blocked", BLOCKED),
            Error::Lost { .. }
            | Error::Timeout { .. }
            | Error::Busy { .. }
            | Error::No { .. }
            | Error::Unparsable { .. } => ("waiting", pauses.pause()),
        };
        let text = crate::causes(&error);
        let delay = delay.max(asked_to_wait(&text).unwrap_or_default());
        // Said when it changes, not each time it is met; the minutes that are left are no news.
        let held = matches!(error, Error::Held { .. }) && told.is_some();
        if !held && told.as_deref() != Some(&text) {
            if state == "blocked" {
                events::mailbox_blocked(&watched.mailbox.name, &text, delay);
            } else if !matches!(&error, Error::Ledger(error) if error.is_full()) {
                events::mailbox_lost(&watched.mailbox.name, &text, delay);
            }
            told = Some(text.clone());
        }
        // A full disk takes this note neither; the state is only for people.
        drop(ledger.mailbox_state(id, state, Some(text)).await);
        let full = matches!(&error, Error::Ledger(error) if error.is_full());
        tokio::select! {
            () = room(&ledger, full, delay) => {}
            () = stopped(&mut stop) => {
                // Nobody is there to say goodbye to, and no new login is to begin.
                drop(ledger.mailbox_state(id, "stopped", None).await);
                return Ok(());
            }
            Ok(()) = reload.changed() => {
                told = None;
                if let Error::Credentials { .. } | Error::Held { .. } = error {
                    drop(ledger.note_login_refusals(id, Vec::new(), None).await);
                }
            }
        }
    }
}

/// Waits; on a full disk until there is room, without troubling the mail server meanwhile.
async fn room(ledger: &ledger::Ledger, full: bool, delay: Duration) {
    tokio::time::sleep(delay).await;
    while full && !ledger.has_room().await {
        tokio::time::sleep(delay).await;
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    drop(stop.wait_for(|stop| *stop).await);
}

/// One connection, from login to its end. `Ok` only when asked to stop.
async fn session(
    watched: &Watched,
    trouble: &mut Trouble,
    told: &mut Option<String>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let imap = &watched.mailbox.imap;
    let ledger = &watched.intake.ledger;
    let id = watched.intake.mailbox;
    let secret = imap.secret.read().await.map_err(|error| Error::Secret(crate::causes(&error)))?;
    let digest = digest(&watched.mailbox, &secret);
    let (refused, refused_secret) = ledger.login_refusals(id).await?;
    let known = refused_secret.as_ref() == Some(&digest);
    let now = unix_now();
    let at = next_login(&refused, now);
    if known && at > now {
        return Err(Error::Held { minutes: (at - now) / 60 + 1 });
    }
    ledger.mailbox_state(id, "connecting", None).await?;
    // In boxes, here and where folders are read: a mailbox that waits holds no room for either.
    let connecting = Box::pin(connect(imap, &secret, &watched.shared.trust, &watched.shared.gate));
    let link = match connecting.await {
        Err(error @ Error::Credentials { .. }) => {
            let mut refused = if known { still_counting(&refused, now) } else { Vec::new() };
            refused.push(unix_now());
            ledger.note_login_refusals(id, refused, Some(digest)).await?;
            // The password was just rejected for the first time, or again: that is news.
            *told = None;
            return Err(error);
        }
        other => other?,
    };
    drop(secret);
    if !refused.is_empty() {
        ledger.note_login_refusals(id, Vec::new(), None).await?;
    }
    let mut link = link;
    link.keyword = watched.mailbox.crm.save_keyword.as_deref().map(Arc::from);
    let mut missing = None;
    loop {
        match serve(watched, &mut link, trouble, told, &mut missing, &mut stop).await? {
            Ended::Stop => break,
            Ended::ListAgain => {}
        }
    }
    link.logout().await;
    Ok(())
}

/// Why serving ended.
enum Ended {
    Stop,
    /// A folder that was missing may be there now.
    ListAgain,
}

/// Serves the folders that there are. `said` are the missing ones that were named already;
/// `None` when the connection is new.
async fn serve(
    watched: &Watched,
    link: &mut Link,
    trouble: &mut Trouble,
    told: &mut Option<String>,
    said: &mut Option<HashSet<String>>,
    stop: &mut watch::Receiver<bool>,
) -> Result<Ended, Error> {
    let mailbox = &watched.mailbox;
    let ledger = &watched.intake.ledger;
    let id = watched.intake.mailbox;
    let mut listed = if trouble.cannot_list(Instant::now()) {
        unlisted(mailbox)
    } else {
        let listed = link.list().await?;
        trouble.listed();
        listed
    };
    if !listed.iter().any(|folder| folder.name.is_inbox()) {
        // Every mailbox has one (RFC 3501 §5.1), listed or not.
        listed.insert(0, Listed::bare("INBOX"));
    }
    let listed_at = Instant::now();
    let folders = chosen(mailbox, &listed);
    let new = said.is_none();
    let known = said.get_or_insert_default();
    let mut news_of_folders = new;
    for missing in &folders.missing {
        if known.insert(missing.clone()) {
            let mend = if mailbox.crm.save_folder.as_ref() == Some(missing) {
                "make it, or name one that `mailcrm check` lists in crm.save_folder"
            } else {
                "name one that `mailcrm check` lists in folders.sync"
            };
            events::folder_missing(&mailbox.name, missing, mend);
        }
    }
    let missing = !folders.missing.is_empty();
    known.retain(|name| {
        let still = folders.missing.contains(name);
        news_of_folders |= !still;
        still
    });
    let folders = folders.watched;
    let Some(main) = folders
        .iter()
        .position(|folder| folder.listed.name.is_inbox())
        .or_else(|| (!folders.is_empty()).then_some(0))
    else {
        return Err(Error::Blocked("none of the folders in folders.sync exists".to_owned()));
    };
    let others: Vec<String> = folders
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != main)
        .map(|(_, folder)| folder.listed.wire.clone())
        .collect();
    let mut idles = link.capabilities.has("IDLE");
    let mut notified = false;
    if idles && !others.is_empty() && link.capabilities.has("NOTIFY") {
        // A server may refuse it for some folders; then they are polled.
        match link.notify(&others).await {
            Ok(()) => notified = true,
            Err(Error::No { .. } | Error::Busy { .. }) if !link.broken => {}
            Err(error) => return Err(error),
        }
    }
    // Dovecot takes such a folder's name and then never reports it (seen with 2.3.19): names
    // outside of ASCII are compared in another encoding there. They are polled besides.
    let unreported = others.iter().any(|wire| wire.contains('&'));
    ledger.mailbox_state(id, "catching-up", None).await?;
    let waits_by = match (idles, notified) {
        (true, true) if unreported => "IDLE, NOTIFY and polling",
        (true, true) => "IDLE and NOTIFY",
        (true, false) if others.is_empty() => "IDLE",
        (true, false) => "IDLE and polling",
        (false, _) => "polling",
    };
    if news_of_folders {
        events::mailbox_connected(&mailbox.name, folders.len(), waits_by);
    }
    *told = None;
    let mut state = Watching::default();
    // The inbox first: a stranger's question makes the card that our answer in Sent belongs on.
    let order: Vec<usize> =
        [main].into_iter().chain((0..folders.len()).filter(|index| *index != main)).collect();
    let mut dirty: Vec<usize> = order.clone();
    let mut sweep = false;
    let mut first_pass = new;
    let mut by_news = false;
    // Rounds in a row in which news brought nothing.
    let mut in_vain: u32 = 0;
    let mut vain_at = Instant::now();
    let mut looks: VecDeque<Duration> = VecDeque::new();
    let mut keyword_told = false;
    // When the wait was to end that the keyword broke off.
    let mut wait_until: Option<Instant> = None;
    loop {
        let mut read = 0;
        for index in std::mem::take(&mut dirty) {
            let Some(folder) = folders.get(index) else { continue };
            let main = index == main;
            let anew = sweep || link.selected.as_ref() != Some(&folder.listed.wire);
            let reading =
                Box::pin(state.read(watched, link, trouble, folder, main, sweep, first_pass));
            let found = reading.await?;
            read += found.as_ref().map_or(0, |found| found.read);
            if found.is_none() || !anew {
                continue;
            }
            if state.looks.due_in_open(folder) {
                let mut saving = watched.saving(link, trouble);
                Box::pin(state.looks.look(&mut saving, folder, index)).await?;
            } else if main {
                // What changed while another folder was open is not told: a look is due soon.
                link.news.keyword |= link.holds_keyword;
            }
        }
        sweep = false;
        if std::mem::take(&mut first_pass) {
            ledger.let_go(id, unix_now()).await?;
        }
        // Also where it brought something: the next look is not about this news.
        let asked_by_news = std::mem::take(&mut by_news);
        if read > 0 {
            in_vain = 0;
            looks.clear();
        } else if asked_by_news {
            // A person who deletes mail makes news now and then, a server that is odd without end.
            if vain_at.elapsed() > LONG_AGO {
                in_vain = 0;
            }
            vain_at = Instant::now();
            in_vain += 1;
            if in_vain == 1 {
                looks = LOOKS.into();
            }
        }
        let main_wire = folders.get(main).map(|folder| folder.listed.wire.clone());
        if link.selected != main_wire {
            // SELECT tells what arrived while another folder was open.
            dirty.push(main);
            continue;
        }
        if link.news.any() {
            if paused(in_vain, stop).await {
                return Ok(Ended::Stop);
            }
            by_news = true;
            notified &= !link.news.overflow;
            dirty = news(link, &folders, &order, main);
            continue;
        }
        if std::mem::take(&mut keyword_told)
            && let Some(folder) = folders.get(main)
        {
            link.news.keyword = false;
            let mut saving = watched.saving(link, trouble);
            Box::pin(state.looks.look(&mut saving, folder, main)).await?;
        }
        if let Some(index) = state.looks.next() {
            // All new mail was read. Main is opened again before anything else is waited for.
            let mut saving = watched.saving(link, trouble);
            Box::pin(state.looks.save(&mut saving, &folders)).await?;
            if link.selected != main_wire && link.news.selected {
                // It came into the folder that is left again.
                dirty.push(index);
            }
            continue;
        }
        if (missing || !state.parked.is_empty()) && listed_at.elapsed() >= LIST_AGAIN {
            return Ok(Ended::ListAgain);
        }
        let limit = if (notified && !unreported) || others.is_empty() {
            mailbox.imap.idle_refresh
        } else {
            mailbox.imap.idle_refresh.min(mailbox.imap.poll)
        };
        let limit = if state.left.is_empty() { limit } else { limit.min(AGAIN) };
        let limit = looks.pop_front().map_or(limit, |look| limit.min(look));
        let begun = Instant::now();
        let until = wait_until.take().unwrap_or(begun + limit);
        let limit = limit.min(until.saturating_duration_since(begun));
        ledger.mailbox_state(id, if idles { "idle" } else { "polling" }, None).await?;
        let woke = if idles {
            let keyword_from = state.looks.told_from(folders.get(main), begun);
            link.idle(limit, keyword_from.into(), stopped(stop)).await?
        } else {
            tokio::select! {
                () = tokio::time::sleep(limit.min(mailbox.imap.poll)) => Woke::Time,
                () = stopped(stop) => Woke::Stop,
            }
        };
        match woke {
            Woke::Stop => return Ok(Ended::Stop),
            Woke::Unwilling => {
                idles = false;
                dirty = order.clone();
            }
            Woke::News => {
                if paused(in_vain, stop).await {
                    return Ok(Ended::Stop);
                }
                by_news = true;
                notified &= !link.news.overflow;
                dirty = news(link, &folders, &order, main);
            }
            Woke::Keyword => {
                keyword_told = true;
                wait_until = Some(until);
            }
            Woke::Time => {
                // Whatever was announced or not: UIDNEXT is compared.
                dirty = order.clone();
                sweep = true;
            }
        }
    }
}

/// Waits before news is followed that brought nothing again and again: a server that announces
/// mail with each of its answers would be asked without end. Returns whether to stop.
async fn paused(in_vain: u32, stop: &mut watch::Receiver<bool>) -> bool {
    let Some(beyond) = in_vain.checked_sub(IDLE_NEWS) else { return false };
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(1 << beyond.min(6)).min(LONGEST_PAUSE)) => false,
        () = stopped(stop) => true,
    }
}

/// Which folders the server's news is about.
fn news(link: &mut Link, folders: &[Folder], order: &[usize], main: usize) -> Vec<usize> {
    let named = std::mem::take(&mut link.news.folders);
    let overflow = std::mem::take(&mut link.news.overflow);
    let selected = std::mem::take(&mut link.news.selected);
    order
        .iter()
        .copied()
        .filter(|index| {
            let Some(folder) = folders.get(*index) else { return false };
            overflow
                || (*index == main && selected)
                || named.iter().any(|name| same_wire(name, &folder.listed.wire))
        })
        .collect()
}

/// Looks at a folder whose last announced message is not listed: it comes late, or was deleted.
const SHORT_LOOKS: u32 = 5;

/// What is remembered of the folders during one session.
#[derive(Default)]
struct Watching {
    /// Folders that could not be opened, until when.
    parked: HashMap<String, Instant>,
    /// What the server last said of each folder that is not selected.
    last: HashMap<String, Opened>,
    /// Folders with messages that are to be tried again.
    left: HashSet<String>,
    /// Folders in which less is listed than was announced, and looks at them that found no more.
    short: HashMap<String, u32>,
    /// Looks for the keyword.
    looks: Looks,
}

impl Watching {
    /// Brings one folder up to date, by the cheapest way that is certain. `None` if there was
    /// nothing to be asked.
    #[expect(clippy::too_many_arguments, reason = "one call, all of it different")]
    async fn read(
        &mut self,
        watched: &Watched,
        link: &mut Link,
        trouble: &mut Trouble,
        folder: &Folder,
        main: bool,
        sweep: bool,
        first_pass: bool,
    ) -> Result<Option<CaughtUp>, Error> {
        let wire = &folder.listed.wire;
        if self.parked.get(wire).is_some_and(|until| Instant::now() < *until) {
            return Ok(None);
        }
        self.parked.remove(wire);
        let selected = link.selected.as_ref() == Some(wire);
        if sweep && !main {
            match link.status(wire).await {
                // Nothing happened since it was last read.
                Ok(now)
                    if now.uid_next != 0
                        && self.last.get(wire) == Some(&now)
                        && !self.left.contains(wire)
                        && !(watched.mailbox.crm.save_keyword.is_some()
                            && self
                                .looks
                                .due_in_other(folder, watched.mailbox.imap.idle_refresh))
                        && self.short.get(wire).is_none_or(|looks| *looks >= SHORT_LOOKS) =>
                {
                    return Ok(None);
                }
                Ok(_) => {}
                Err(Error::No { .. } | Error::Busy { .. }) if !link.broken => {}
                Err(error) => return Err(error),
            }
        }
        let already = match self.last.get(wire) {
            Some(opened) if selected && !sweep => Some(*opened),
            Some(_) | None => None,
        };
        let mut catch_up = CatchUp {
            link,
            intake: &watched.intake,
            bounds: &watched.shared.bounds,
            trouble,
            history_days: history_days(folder.by_hand, watched.mailbox.crm.history_days),
            max_message: watched.max_message,
            gone: Default::default(),
            stretch: Default::default(),
            cursor: 0,
            left: Vec::new(),
            refusals: 0,
            refusing: false,
            last_chance: None,
            first_pass,
        };
        let found = catch_up.folder(folder, already).await;
        match found {
            Ok(found) => {
                let same = self.last.insert(wire.clone(), found.opened) == Some(found.opened);
                if !found.short {
                    self.short.remove(wire);
                } else if same && found.read == 0 {
                    *self.short.entry(wire.clone()).or_default() += 1;
                } else {
                    self.short.insert(wire.clone(), 0);
                }
                if found.left {
                    self.left.insert(wire.clone());
                } else {
                    self.left.remove(wire);
                }
                Ok(Some(found))
            }
            // Listed, but not to be opened: shared folders without rights, phantoms, damage.
            Err(Error::No { doing: OPEN, text } | Error::Busy { doing: OPEN, text })
                if !main && !link.broken =>
            {
                events::folder_unreadable(
                    &watched.mailbox.name,
                    folder.listed.name.as_str(),
                    &text,
                );
                self.parked.insert(wire.clone(), Instant::now() + PARKED);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Watched {
    fn saving<'a>(&'a self, link: &'a mut Link, trouble: &'a mut Trouble) -> Saving<'a> {
        Saving {
            link,
            intake: &self.intake,
            bounds: &self.shared.bounds,
            trouble,
            mailbox: &self.mailbox,
            max_message: self.max_message,
        }
    }
}

/// Tells a changed secret from a refused one without keeping either. The mailbox is the salt.
fn digest(mailbox: &Mailbox, secret: &Secret) -> String {
    let mut digest = Sha256::new();
    for part in [&mailbox.name, &mailbox.imap.host, &mailbox.imap.username] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.update(secret.expose().as_bytes());
    let octets: [u8; 32] = digest.finalize().into();
    octets.iter().take(8).map(|octet| format!("{octet:02x}")).collect()
}
