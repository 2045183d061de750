//! `mailcrm reconcile`: the server's UIDs against the ledger, folder by folder, and the CRM's cards
//! that are ours against the ledger.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use futures_util::StreamExt;
use serde::Serialize;

use super::named::folder_row;
use super::print::{self, Colour, Out, cell, clean};
use super::progress::Progress;
use super::run::of_this_crm;
use super::{Trouble, load, named};
use crate::config::{Config, Mailbox};
use crate::control::{self, Request};
use crate::imap::{self, FolderProbe, Probe};
use crate::ledger::{self, FolderRow, Ledger};

mod cards;

use cards::UnknownCard;

/// Mailboxes looked at at once.
const AT_ONCE: usize = 8;
/// UIDs compared with the ledger at a time.
const WINDOW: usize = 10_000;
/// Headers asked for at a time.
const HEADERS: usize = 200;
/// Unexplained messages of a folder that are shown to people; in JSON all are.
const TOLD: usize = 20;

/// The document; its keys are public.
#[derive(Debug, Serialize)]
struct Reconciled {
    folders: Vec<FolderLine>,
    unknown_cards: Vec<UnknownCard>,
}

#[derive(Debug, Serialize)]
struct FolderLine {
    mailbox: String,
    folder: String,
    on_server: usize,
    in_ledger: usize,
    unexplained: Vec<Unexplained>,
    #[serde(skip)]
    uid_validity: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Unexplained {
    uid: u32,
    message_id: Option<String>,
}

/// One mailbox, looked at.
struct Looked {
    folders: Vec<FolderLine>,
    notes: Vec<Note>,
}

/// What is said on standard error.
struct Note {
    text: String,
    /// Something could not be looked at, so that nothing is proved of it.
    unproved: bool,
}

pub(super) async fn reconcile(
    path: &Path,
    mailbox: Option<String>,
    repair: bool,
    json: bool,
) -> Result<(), Trouble> {
    let config = load(path)?;
    let only = match &mailbox {
        None => None,
        Some(name) => Some(named::mailbox(&config, name).map_err(Trouble::Failed)?),
    };
    let mailboxes: Vec<&Mailbox> =
        config.mailboxes.iter().filter(|known| only.is_none_or(|only| *known == only)).collect();
    let ledger = Ledger::open_read_only(&config.ledger.path)?;
    let progress = Progress::new();
    let each = 1.0 / mailboxes.len().max(1) as f64;
    let looks: Vec<(&Mailbox, Result<Looked, imap::Error>)> = futures_util::stream::iter(mailboxes)
        .map(|mailbox| {
            let (ledger, progress) = (&ledger, &progress);
            async move { (mailbox, imap::safely(look(ledger, mailbox, json, each, progress)).await) }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    // Cards belong to no mailbox.
    let (unknown_cards, untold) = match only {
        None => cards::unknown(&config, &ledger, &progress).await?,
        Some(_) => (Vec::new(), None),
    };
    progress.end();

    let mut folders = Vec::new();
    let mut unproved = false;
    for (mailbox, looked) in looks {
        let looked = looked.unwrap_or_else(|error| Looked {
            folders: Vec::new(),
            notes: vec![Note { text: crate::causes(&error), unproved: true }],
        });
        folders.extend(looked.folders);
        for note in looked.notes {
            unproved |= note.unproved;
            eprintln!("mailcrm: {}: {}", mailbox.name, clean(&note.text));
        }
    }
    if let Some(untold) = untold {
        eprintln!("mailcrm: cards of ours were not compared: {}", clean(&untold));
    }
    let reconciled = Reconciled { folders, unknown_cards };
    let explained = reconciled.folders.iter().all(|folder| folder.unexplained.is_empty());
    let mut out = print::standard();
    if json {
        out.json(&reconciled)?;
    } else {
        write(&mut out, &reconciled)?;
    }
    out.flush()?;
    if repair && !explained {
        drop(ledger);
        read_again(path, &config, &reconciled).await?;
        return if unproved { Err(Trouble::Told) } else { Ok(()) };
    }
    if explained && !unproved { Ok(()) } else { Err(Trouble::Told) }
}

/// Has the daemon read what is unexplained; without one it is read at the next start.
async fn read_again(path: &Path, config: &Config, found: &Reconciled) -> Result<(), Trouble> {
    let unexplained: Vec<control::Unexplained> = found
        .folders
        .iter()
        .filter_map(|folder| {
            let from = folder.unexplained.iter().map(|one| one.uid).min()?;
            Some(control::Unexplained {
                mailbox: folder.mailbox.clone(),
                folder: folder.folder.clone(),
                uid_validity: folder.uid_validity,
                from,
            })
        })
        .collect();
    let request = Request::Repair { unexplained: unexplained.clone() };
    match control::ask(&config.daemon.socket, &config.ledger.path, request, |_| {}).await? {
        Some((0, _)) => eprintln!("mailcrm: the daemon reads them now"),
        Some((_, text)) => return Err(Trouble::Failed(text)),
        None => {
            let ledger = Ledger::open(&config.ledger.path, config.ledger.spool_max)?;
            of_this_crm(path, config, &ledger).await?;
            for one in unexplained {
                let control::Unexplained { mailbox, folder, uid_validity, from } = one;
                ledger.read_from(mailbox, folder, uid_validity, from).await?;
            }
            ledger.close().await;
            eprintln!("mailcrm: they are read at the next start of mailcrm run");
        }
    }
    Ok(())
}

/// Compares the synchronised folders of a mailbox. `all`: with the Message-ID of every
/// unexplained message, else of the first ones.
async fn look(
    ledger: &Ledger,
    mailbox: &Mailbox,
    all: bool,
    part: f64,
    progress: &Progress,
) -> Result<Looked, imap::Error> {
    let mut probe = Probe::open(mailbox).await?;
    let synced: Vec<FolderProbe> =
        probe.folders().iter().filter(|folder| folder.synced).cloned().collect();
    let mut notes: Vec<Note> = probe
        .missing()
        .iter()
        .map(|name| Note {
            text: format!("no folder {name} on the server; mailcrm check lists those there are"),
            unproved: false,
        })
        .collect();
    let mut folders = Vec::with_capacity(synced.len());
    for folder in &synced {
        match look_into(ledger, mailbox, &mut probe, folder, all).await {
            Ok(line) => {
                progress.advance(part / synced.len() as f64, line.on_server);
                folders.push(line);
            }
            // Listed, but not to be opened: the others can be proved all the same.
            Err(imap::Error::No { text, .. }) => notes.push(Note {
                text: format!("cannot open {}: the server says: {text}", folder.name),
                unproved: true,
            }),
            Err(error) => return Err(error),
        }
    }
    probe.close().await;
    Ok(Looked { folders, notes })
}

async fn look_into(
    ledger: &Ledger,
    mailbox: &Mailbox,
    probe: &mut Probe,
    folder: &FolderProbe,
    all: bool,
) -> Result<FolderLine, imap::Error> {
    let (uid_validity, mut uids) = probe.uids(folder).await?;
    // The ledger is read after the server: what a running daemon records in between only helps.
    let row = folder_row(ledger, mailbox, &folder.name).await?;
    let mut without = without_row(ledger, row.as_ref(), uid_validity, &uids).await?;
    let mut unexplained = Vec::new();
    if !without.is_empty() {
        let named = if all { without.len() } else { without.len().min(TOLD) };
        let named = without.get(..named).unwrap_or_default();
        let mut ids = Vec::with_capacity(named.len());
        for some in named.chunks(HEADERS) {
            ids.extend(probe.message_ids(some).await?);
        }
        let answered: BTreeSet<u32> = ids.iter().map(|id| id.uid).collect();
        if named.iter().any(|uid| !answered.contains(uid)) {
            // Some left the server meanwhile, and owe nobody an explanation.
            let (_, now) = probe.uids(folder).await?;
            let now: BTreeSet<u32> = now.into_iter().collect();
            uids.retain(|uid| now.contains(uid));
        }
        // A daemon beside us may have read what had just arrived.
        let row = folder_row(ledger, mailbox, &folder.name).await?;
        without = without_row(ledger, row.as_ref(), uid_validity, &uids).await?;
        unexplained.extend(without.iter().map(|&uid| {
            Unexplained {
                uid,
                message_id: ids
                    .binary_search_by_key(&uid, |id| id.uid)
                    .ok()
                    .and_then(|index| ids.get(index)?.message_id.clone()),
            }
        }));
    }
    Ok(FolderLine {
        mailbox: mailbox.name.clone(),
        folder: folder.name.clone(),
        on_server: uids.len(),
        in_ledger: uids.len().saturating_sub(without.len()),
        unexplained,
        uid_validity,
    })
}

/// The UIDs, in order, that neither have a row nor lie at or under the floor.
async fn without_row(
    ledger: &Ledger,
    row: Option<&FolderRow>,
    uid_validity: u32,
    uids: &[u32],
) -> Result<Vec<u32>, ledger::Error> {
    // 0 is a folder that was never read. After a renumbering the ledger's UIDs mean others.
    let Some(row) = row.filter(|row| row.uid_validity != 0 && row.uid_validity == uid_validity)
    else {
        return Ok(uids.to_vec());
    };
    let mut without = Vec::new();
    for window in uids.chunks(WINDOW) {
        let (Some(&low), Some(&high)) = (window.first(), window.last()) else { continue };
        let placed = if high > row.floor {
            ledger.placed_uids(row.id, uid_validity, low, high).await?
        } else {
            BTreeSet::new()
        };
        without.extend(window.iter().filter(|&&uid| uid > row.floor && !placed.contains(&uid)));
    }
    Ok(without)
}

/// A line a folder, its name last, and below it a line for each unexplained message.
fn write<W: Write>(out: &mut Out<W>, reconciled: &Reconciled) -> Result<(), print::Error> {
    let names = reconciled.folders.iter().map(|folder| cell(&folder.mailbox).chars().count());
    let width = names.max().unwrap_or_default().max("MAILBOX".len());
    out.line(&format!("      {:<width$}  ON-SERVER  IN-LEDGER  UNEXPLAINED  FOLDER", "MAILBOX"))?;
    for folder in &reconciled.folders {
        let level = if folder.unexplained.is_empty() {
            out.paint(Colour::Green, "ok  ")
        } else {
            out.paint(Colour::Red, "fail")
        };
        out.line(&format!(
            "{level}  {:<width$}  {:>9}  {:>9}  {:>11}  {}",
            cell(&folder.mailbox),
            folder.on_server,
            folder.in_ledger,
            folder.unexplained.len(),
            clean(&folder.folder)
        ))?;
        for message in folder.unexplained.iter().take(TOLD) {
            let id = match &message.message_id {
                Some(id) => format!("<{}>", clean(id)),
                None => "no Message-ID".to_owned(),
            };
            let place = format!("{}/{}/{}", folder.mailbox, folder.folder, message.uid);
            out.line(&format!("      unexplained  {}  {id}", clean(&place)))?;
        }
        let more = folder.unexplained.len().saturating_sub(TOLD);
        if more > 0 {
            out.line(&format!("      and {more} more"))?;
        }
    }
    for card in &reconciled.unknown_cards {
        let level = out.paint(Colour::Yellow, "warn");
        out.line(&format!(
            "{level}  {}:{} was made by mailcrm, and this ledger does not know it",
            card.kind.as_str(),
            card.id
        ))?;
    }
    if !reconciled.unknown_cards.is_empty() {
        out.line(
            "      mend: an earlier ledger made them; what lies on the server is taken over when it \
             is read, with --repair if it was not",
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::card::CardKind;

    fn line(folder: &str, on_server: usize, unexplained: u32) -> FolderLine {
        FolderLine {
            mailbox: "sales".to_owned(),
            folder: folder.to_owned(),
            on_server,
            in_ledger: on_server - unexplained as usize,
            unexplained: (1..=unexplained)
                .map(|uid| Unexplained {
                    uid,
                    message_id: (uid > 1).then(|| format!("{uid}\u{1b}@client.example")),
                })
                .collect(),
            uid_validity: 7,
        }
    }

    fn text(folders: Vec<FolderLine>) -> String {
        let mut octets = Vec::new();
        let mut out = Out::new(&mut octets, false, false);
        write(&mut out, &Reconciled { folders, unknown_cards: Vec::new() }).unwrap();
        out.flush().unwrap();
        drop(out);
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn folders_are_told_in_columns_with_what_is_unexplained() {
        let wanted = "      MAILBOX  ON-SERVER  IN-LEDGER  UNEXPLAINED  FOLDER\n\
                      ok    sales          120        120            0  INBOX\n\
                      fail  sales            5          3            2  Sent Items\n\
                      \u{20}     unexplained  sales/Sent Items/1  no Message-ID\n\
                      \u{20}     unexplained  sales/Sent Items/2  <2 @client.example>\n";
        assert_eq!(text(vec![line("INBOX", 120, 0), line("Sent Items", 5, 2)]), wanted);
    }

    #[test]
    fn many_unexplained_messages_are_cut_short() {
        let told = text(vec![line("INBOX", 1000, 100)]);
        assert_eq!(told.matches("unexplained  sales/INBOX/").count(), 20);
        assert!(told.ends_with("and 80 more\n"), "{told}");
    }

    #[test]
    fn document_bears_the_keys_of_the_contract() {
        let card = UnknownCard { kind: CardKind::Lead, id: 5, origin_id: "ab".to_owned() };
        let value = serde_json::to_value(Reconciled {
            folders: vec![line("INBOX", 3, 1)],
            unknown_cards: vec![card],
        });
        let wanted = serde_json::json!({ "folders": [{
            "mailbox": "sales", "folder": "INBOX", "on_server": 3, "in_ledger": 2,
            "unexplained": [{ "uid": 1, "message_id": null }],
        }], "unknown_cards": [{ "type": "lead", "id": 5, "origin_id": "ab" }] });
        assert_eq!(value.unwrap(), wanted);
    }

    #[tokio::test]
    async fn what_lies_under_the_floor_or_has_a_row_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite"), 1 << 20).unwrap();
        let row = |uid_validity, floor| FolderRow {
            id: 1,
            uid_validity,
            cursor: floor,
            floor,
            first_read_at: 0,
            history_days: 7,
            first_until: 0,
        };
        #[rustfmt::skip]
        let cases = [
            ("unknown folder",   None,            vec![1, 2, 3]),
            ("never read",       Some(row(0, 3)), vec![1, 2, 3]),
            ("renumbered",       Some(row(8, 3)), vec![1, 2, 3]),
            ("all under floor",  Some(row(9, 3)), vec![]),
            ("some under floor", Some(row(9, 2)), vec![3]),
        ];
        for (name, row, expected) in cases {
            let without = without_row(&ledger, row.as_ref(), 9, &[1, 2, 3]).await.unwrap();
            assert_eq!(without, expected, "{name}");
        }
        // A server that gives no UIDVALIDITY has no UIDs to rely on.
        let without = without_row(&ledger, Some(&row(0, 3)), 0, &[1]).await.unwrap();
        assert_eq!(without, [1]);
    }
}
