//! Text and files of an activity: unpacked from the mail, written once, and without the files where
//! the CRM does not get them.

use tokio::sync::{Mutex, Semaphore};

use super::case::{Case, Mail};
use super::content::{self, Closing, origin};
use super::deliver::{Stop, Undone, delivered};
use super::{Directory, Filing, Knowledge, Step};
use crate::crm::{ActivityContent, Crm, Failure, Fate, Made};
use crate::ledger::{self, Attempt};
use crate::message;
use crate::rules::{Direction, Evidence};
use crate::{events, unix_now};

/// Octets of a raw mail from which on it is large.
const LARGE: u64 = 2 * 1024 * 1024;

/// Two large mails at a time, from being unpacked until the CRM has them: each costs a multiple of
/// its size, and one that is slow to get there does not hold up the next.
static UNPACKED: Semaphore = Semaphore::const_new(2);

/// Tries after which a mail is filed without its files, if the CRM gets other mail meanwhile: a
/// slow line or a small PHP may never take them.
const TRIES_WITH_FILES: u32 = 5;

impl<C: Crm> Filing<C> {
    /// Text, files and completion. Returns the attempt to note, and whether the activity is
    /// completed.
    pub(super) async fn write_content(
        &self,
        directory: &Directory,
        knowledge: &Mutex<Knowledge>,
        case: &Case,
        mail: &Mail,
        activity: u64,
        notes: Vec<String>,
    ) -> Result<(Option<Attempt>, bool), Stop> {
        let completed = mail.admitted.direction == Direction::Outgoing;
        // A look-up that was made in this round tells whether an earlier call got through;
        // writing files twice could append them.
        let origin = origin(Made::Activity, &case.entry.fingerprint);
        let looked = knowledge.lock().await.found.get(&(Made::Activity, origin.clone())).cloned();
        if let Some(Some(found)) = &looked
            && found.has_text
        {
            if completed && !found.completed {
                // Somebody opened it again, or it never got so far; its files are there.
                let undone = |failure| Stop::Undone(Undone { kind: None, failure });
                self.crm.complete_activity(activity).await.map_err(undone)?;
            }
            return Ok((None, completed));
        }
        let lost = case.made("content").filter(|made| made.look_up && made.crm_id.is_none());
        if let Some(lost) = lost {
            let asked_at = knowledge.lock().await.asked_at;
            if !self.settled(case, lost.sent_at, asked_at).await? {
                // Asked in the next round, before anything is sent again.
                self.ledger.postpone(case.entry.id, unix_now()).await?;
                return Err(Stop::Step(Step::Wait));
            }
        }
        let large = case.entry.raw.is_some_and(|raw| raw.length > LARGE);
        let _permit = if large { UNPACKED.acquire().await.ok() } else { None };
        let mut content = self.content(directory, case, mail, completed, notes).await?;
        if lost.is_some() && case.entry.suspicions >= TRIES_WITH_FILES {
            let why = format!("the CRM did not take it in {TRIES_WITH_FILES} tries");
            content = content::without_files(&content, &why);
        }
        let undone = |content: &ActivityContent, mut failure: Failure| {
            if let Fate::Deferred { ambiguous: true, suspect, .. } = &mut failure.fate {
                // It may be the files that never get there.
                *suspect |= !content.files.is_empty();
            }
            Stop::Undone(Undone { kind: Some("content"), failure })
        };
        let now = unix_now();
        let known_before = case.made("activity").is_some_and(|made| made.crm_id.is_some());
        if known_before || matches!(looked, Some(Some(_))) {
            self.ledger.sending(case.entry.id, "content", origin.0, now).await?;
        }
        match self.crm.write_activity(activity, &content).await {
            Ok(()) => {}
            // The CRM has no room for the files, or does not take one of them: the mail is
            // filed without, and says so.
            // A web server that drops a body over its limit makes PHP miss the activity's number.
            Err(failure)
                if matches!(failure.fate, Fate::Refused | Fate::CardGone)
                    && !content.files.is_empty() =>
            {
                let bare = content::without_files(&content, &failure.text);
                let written = self.crm.write_activity(activity, &bare).await;
                written.map_err(|failure| undone(&bare, failure))?;
            }
            Err(failure) => return Err(undone(&content, failure)),
        }
        Ok((Some(delivered(case.entry.id, "crm.activity.update", "text and files")), completed))
    }

    async fn content(
        &self,
        directory: &Directory,
        case: &Case,
        mail: &Mail,
        completed: bool,
        mut notes: Vec<String>,
    ) -> Result<ActivityContent, Stop> {
        let raw = match self.raw(&case.entry).await {
            Err(error @ ledger::Error::Spool { .. }) => {
                self.set_aside_unread(&case.entry, &error).await?;
                return Err(Stop::Step(Step::Wait));
            }
            other => other?,
        };
        let config = &mail.mailbox.config;
        let whole = case.entry.whole;
        if !whole {
            notes.push("The mail is too large; only its beginning was read.".to_owned());
        }
        let who = directory
            .names
            .get(&config.owner)
            .filter(|name| !name.is_empty())
            .cloned()
            .unwrap_or_else(|| format!("employee {}", config.owner));
        let closing =
            Closing { notes, connected_by: format!("Mailbox {}, connected by {who}", config.name) };
        let max_attachment = config.crm.max_attachment;
        // What a forward passes on is what the mail is about, not its history.
        let folds = !message::is_forward(&mail.message.subject);
        let work = move || {
            let mut body = message::body(&raw).map_err(|error| error.to_string())?;
            if folds {
                body.text = message::fold_history(&body.text);
            }
            if !whole {
                // The last of them ends where the reading did, and so does an encrypted original.
                body.attachments.clear();
                body.encrypted = false;
            }
            Ok::<_, String>(content::content(body, &raw, max_attachment, completed, closing))
        };
        let unpacked = tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|_| Err("it ended the parser".to_owned()));
        match unpacked {
            Ok(content) => Ok(content),
            Err(why) => {
                let entry = &case.entry;
                events::message_quarantined(
                    &entry.mailbox_name,
                    &entry.folder,
                    0,
                    entry.message,
                    &why,
                );
                self.suspects.forget(entry.id);
                self.ledger.quarantine(entry.id, vec![Evidence::new("unreadable", why)]).await?;
                Err(Stop::Step(Step::Done))
            }
        }
    }
}
