//! `mailcrm explain --file`: what would be decided about a mail, without touching anything.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;

use super::super::print::{self, clean, rfc3339};
use super::super::shown::{Shown, hex};
use super::super::{Trouble, named};
use super::crm::Asked;
use super::{crm, told};
use crate::card::CardRef;
use crate::config::{Config, Mailbox};
use crate::filing::simulate::Outcome;
use crate::folder::{BY_CONFIGURATION, ConfiguredRoles, FolderName, Role, role_of, window_start};
use crate::ledger::{self, Ledger, MessageView, Parent};
use crate::message::{self, Class, Message};
use crate::rules::admit::{Admitted, Arrival, Decision, admit, lies_in};
use crate::rules::place::creation;
use crate::rules::{Creation, Direction, Evidence, Policy, Reason, RuleSet, State};
use crate::unix_now;

#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
struct Unread {
    path: String,
    source: io::Error,
}

/// What the ledger knows that bears on a mail.
#[derive(Default)]
struct History {
    employees: Option<std::sync::Arc<std::collections::HashSet<String>>>,
    role: Option<Role>,
    /// The mail itself, filed or skipped before.
    same: Option<MessageView>,
    /// The mail it answers.
    parent: Option<Parent>,
}

pub(super) async fn explain(
    config: &Config,
    file: &Path,
    mailbox: &str,
    folder: &str,
    json: bool,
) -> Result<(), Trouble> {
    let mailbox = named::mailbox(config, mailbox).map_err(Trouble::Failed)?;
    let folder = FolderName::new(folder);
    let raw = read(file, config.ledger.max_message)?;
    let now = unix_now();
    let zone = config.daemon.zone();
    let parsed = message::parse(&raw);
    let ledger = match Ledger::open_read_only(&config.ledger.path) {
        Ok(ledger) => Some(ledger),
        Err(ledger::Error::Absent { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let history = match (&ledger, &parsed) {
        (Some(ledger), Ok(message)) => history(ledger, mailbox, &folder, message).await?,
        (Some(_), Err(_)) | (None, _) => History::default(),
    };
    let mut out = print::standard();
    let message = match parsed {
        Ok(message) => message,
        Err(error) => {
            let shown = unreadable(mailbox, &error.to_string());
            if json {
                out.json(&shown)?;
            } else {
                out.line(&format!("{}: quarantined, unreadable", clean(&file.to_string_lossy())))?;
                out.line(&format!("  {error}"))?;
                out.line(&format!("  {}", Reason::Unreadable.sentence()))?;
                out.line(&format!("  mend: {}", Reason::Unreadable.mend()))?;
            }
            return Ok(out.flush()?);
        }
    };
    let (role, decided_by) = role(mailbox, &folder, history.role);
    let by_hand = is_for_saving(mailbox, &folder).then(|| lies_in(folder.as_str()));
    let rules = mailbox.rules(&config.own_addresses());
    let body = message::from_body(&message, &raw, rules.forwards);
    let admitted = admit(
        &rules,
        &Arrival {
            message: &message,
            body: Some(&body),
            role,
            // As if it arrived this moment: what is asked is what the rules make of it.
            internal_date: now,
            window_start: window_start(now, mailbox.crm.history_days),
            employees: history.employees.as_deref(),
            first_reading: false,
            by_hand: by_hand.as_deref(),
        },
    );
    let mut evidence =
        vec![Evidence::new("folder", format!("{folder} is taken for {role}, by {decided_by}"))];
    evidence.extend(admitted.evidence.iter().cloned());
    let outcome = match admitted.decision {
        Decision::Skip(_) => None,
        Decision::Queue { .. } => {
            let mail = crm::Mail {
                message: &message,
                admitted: &admitted,
                codes: message::reply_codes(&message, &raw),
                refs: crate::intake::refs_of(&message, &raw),
                vcards: message::vcards(&raw),
            };
            Some(crm::ask(config, mailbox, ledger.as_ref(), mail).await)
        }
    };
    if let Some(Ok(asked)) = &outcome {
        evidence.extend(asked.outcome.evidence.iter().cloned());
    }
    if json {
        let received = received_at(&message, now);
        let mut shown = shown(mailbox, &message, &admitted, &evidence, rfc3339(received, &zone));
        if let Some(Ok(Asked { outcome, .. })) = &outcome {
            shown.state = Some(outcome.state.to_string());
            shown.reason = outcome.reason.map(|reason| reason.code().to_owned());
            let known = outcome.cards.iter().filter_map(|(kind, id)| Some((*kind, (*id)?)));
            shown.cards = known.map(|(kind, id)| CardRef { kind, id }).collect();
            shown.candidates = serde_json::to_value(&outcome.candidates).unwrap_or_default();
            shown.responsible = outcome.responsible;
        }
        if let Some(reason) = shown.reason.as_deref().and_then(Reason::parse) {
            shown.add_why(&[reason.sentence().to_owned(), format!("mend: {}", reason.mend())]);
        }
        out.json(&shown)?;
    } else {
        let judged = Judged {
            mailbox,
            rules: &rules,
            message: &message,
            admitted: &admitted,
            outcome: outcome.as_ref(),
        };
        let title = clean(&file.to_string_lossy());
        for line in judged.lines(&title, &evidence, &history) {
            out.line(&line)?;
        }
    }
    Ok(out.flush()?)
}

/// The file's first octets, as many as the daemon would read of a mail.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    let mut raw = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut raw))
        .map_err(|source| Unread { path: path.display().to_string(), source })?;
    Ok(raw)
}

async fn history(
    ledger: &Ledger,
    mailbox: &Mailbox,
    folder: &FolderName,
    message: &Message,
) -> Result<History, ledger::Error> {
    let role = ledger
        .mailboxes()
        .await?
        .into_iter()
        .filter(|known| known.name == mailbox.name && known.host == mailbox.imap.host)
        .filter(|known| known.username == mailbox.imap.username)
        .flat_map(|known| known.folders)
        .find(|known| known.name == folder.as_str())
        .and_then(|known| Role::parse(&known.role));
    let same = ledger.same(message.fingerprint).await?;
    let refs = message.in_reply_to.iter().chain(message.references.iter().rev()).cloned();
    let own = same.as_ref().map_or(0, |known| known.id);
    let parent = ledger.parent(own, refs.collect(), true).await?;
    Ok(History { employees: ledger.employee_addresses(), role, same, parent })
}

/// Whether the folder is the one for what is saved by hand.
fn is_for_saving(mailbox: &Mailbox, folder: &FolderName) -> bool {
    mailbox.crm.save_folder.as_ref().is_some_and(|written| {
        FolderName::new(written) == *folder || below(folder.as_str()).1 == Some(written.as_str())
    })
}

/// The separator in a folder's name, and what stands behind the last one.
///
/// Without the server the separator is guessed; both common ones are rare within names.
fn below(name: &str) -> (Option<char>, Option<&str>) {
    let delimiter = ['/', '.'].into_iter().find(|delimiter| name.contains(*delimiter));
    (delimiter, delimiter.and_then(|delimiter| name.rsplit(delimiter).next()))
}

/// The folder's role: what the configuration says, else what the server said when the folder
/// was read, else what its name says.
fn role(mailbox: &Mailbox, folder: &FolderName, on_server: Option<Role>) -> (Role, &'static str) {
    let name = folder.as_str();
    let (delimiter, last) = below(name);
    let whole = |written: &Option<String>| match written {
        // As the daemon does: a name without its parents means the folder below them.
        Some(written) if Some(written.as_str()) == last => Some(name.to_owned()),
        other => other.clone(),
    };
    let configured = ConfiguredRoles {
        sent: whole(&mailbox.folders.sent),
        spam: whole(&mailbox.folders.spam),
        trash: whole(&mailbox.folders.trash),
        drafts: whole(&mailbox.folders.drafts),
    };
    let (role, decided_by) = role_of(name, delimiter, &[], &configured);
    match on_server {
        Some(known) if decided_by != BY_CONFIGURATION => (known, "what the server said"),
        Some(_) | None => (role, decided_by),
    }
}

/// As `intake` does (rule 11), for a mail that arrives now.
fn received_at(message: &Message, now: i64) -> i64 {
    message.date.filter(|date| *date <= now.saturating_add(86_400)).unwrap_or(now)
}

fn unreadable(mailbox: &Mailbox, why: &str) -> Shown {
    let evidence = [Evidence::new("unreadable", why)];
    Shown {
        reason: Some(Reason::Unreadable.code().to_owned()),
        evidence: serde_json::to_value(evidence).unwrap_or_default(),
        ..nothing(mailbox, State::Quarantined)
    }
}

fn nothing(mailbox: &Mailbox, state: State) -> Shown {
    Shown {
        id: None,
        message_id: None,
        fingerprint: None,
        mailbox: Some(mailbox.name.clone()),
        places: Vec::new(),
        direction: None,
        class: None,
        from: None,
        subject: String::new(),
        state: Some(state.as_str().to_owned()),
        reason: None,
        evidence: Value::Array(Vec::new()),
        candidates: Value::Array(Vec::new()),
        cards: Vec::new(),
        activity_id: None,
        responsible: None,
        owner: mailbox.owner,
        received_at: None,
        recorded_at: None,
        activity_created_at: None,
        activity_completed_at: None,
        attempts: Vec::new(),
    }
}

fn shown(
    mailbox: &Mailbox,
    message: &Message,
    admitted: &Admitted,
    evidence: &[Evidence],
    received_at: String,
) -> Shown {
    let (state, reason) = match admitted.decision {
        Decision::Skip(reason) => (State::Skipped, Some(reason.code().to_owned())),
        Decision::Queue { .. } => (State::Queued, None),
    };
    Shown {
        message_id: message.message_id.clone(),
        fingerprint: Some(hex(&message.fingerprint)),
        direction: Some(admitted.direction.as_str().to_owned()),
        class: Some(message.class.class.as_str().to_owned()),
        from: message.from.as_ref().map(|from| from.email.clone()),
        subject: message.subject.clone(),
        reason,
        evidence: serde_json::to_value(evidence).unwrap_or_default(),
        activity_id: message
            .crm_activity
            .filter(|_| admitted.decision == Decision::Skip(Reason::OwnCrmMail)),
        received_at: Some(received_at),
        ..nothing(mailbox, state)
    }
}

struct Judged<'a> {
    mailbox: &'a Mailbox,
    rules: &'a RuleSet,
    message: &'a Message,
    admitted: &'a Admitted,
    /// What the CRM says of it; `None` for what is not filed anyway.
    outcome: Option<&'a Result<Asked, String>>,
}

impl Judged<'_> {
    fn lines(&self, title: &str, evidence: &[Evidence], history: &History) -> Vec<String> {
        let Judged { message, admitted, .. } = self;
        let (state, reason) = match (admitted.decision, self.outcome) {
            (Decision::Skip(reason), _) => (reason.state(), Some(reason)),
            (Decision::Queue { .. }, Some(Ok(asked))) => {
                (asked.outcome.state, asked.outcome.reason)
            }
            (Decision::Queue { .. }, Some(Err(_)) | None) => (State::Queued, None),
        };
        let head = match reason {
            Some(reason) => format!("{title}: {state}, {reason}"),
            None => format!("{title}: {state}"),
        };
        let subject = match clean(&message.subject) {
            subject if subject.is_empty() => "(no subject)".to_owned(),
            subject => subject,
        };
        let from = message.from.as_ref().map(|from| clean(&from.email));
        let mut lines = vec![
            head,
            format!("  subject      {subject}"),
            format!("  from         {}", from.unwrap_or("(no sender can be read)".to_owned())),
            format!(
                "  kind         {}, {}",
                admitted.direction.as_str(),
                message.class.class.as_str()
            ),
            format!("  fingerprint  {}", hex(&message.fingerprint)),
        ];
        let why = match (reason, self.outcome) {
            (Some(reason), _) => {
                vec![reason.sentence().to_owned(), format!("mend: {}", reason.mend())]
            }
            (None, Some(Ok(_))) => vec!["It belongs in the CRM.".to_owned()],
            (None, Some(Err(_)) | None) => {
                vec!["It belongs in the CRM by what can be decided without it.".to_owned()]
            }
        };
        told::section("why", why, &mut lines);
        let evidence = serde_json::to_value(evidence).unwrap_or_default();
        told::section("the way through the rules", told::rules(&evidence), &mut lines);
        match self.outcome {
            Some(Ok(Asked { outcome, employees })) => {
                let candidates = serde_json::to_value(&outcome.candidates).unwrap_or_default();
                let lost = told::candidates(&candidates);
                let parked = outcome.state == State::Parked;
                told::section(told::candidates_title(parked), lost, &mut lines);
                told::section("where it would go", would_go(outcome, employees), &mut lines);
            }
            Some(Err(why)) => {
                let mut filing = vec![format!("{:<16} cannot be asked: {}", "CRM", clean(why))];
                filing.extend(self.filing(history));
                told::section("when it is filed", filing, &mut lines);
            }
            None => {}
        }
        let known = history
            .same
            .iter()
            .map(|known| format!("message {} is this mail: {}", known.id, known.state));
        told::section("in the ledger", known.collect(), &mut lines);
        lines
    }

    /// What is asked then, in the order in which it is asked.
    fn filing(&self, history: &History) -> Vec<String> {
        let Judged { mailbox, message, admitted, rules, .. } = self;
        let mut lines = Vec::new();
        if let Some(parent) = &history.parent {
            let cards: Vec<String> = parent.filed.cards.iter().map(ToString::to_string).collect();
            let cards = if cards.is_empty() { "no card yet".to_owned() } else { cards.join(", ") };
            lines.push(format!(
                "thread           it answers message {}, which is {} on {cards}",
                parent.filed.message, parent.state
            ));
        }
        if let Some(pattern) = self.new_lead_for() {
            lines.push(format!(
                "always-new-lead  {} names the sender: a new lead, no search",
                clean(&pattern)
            ));
        }
        let asked: Vec<String> = admitted.parties.iter().map(|party| clean(&party.email)).collect();
        lines.push(format!("match            the CRM is asked for {}", asked.join(", ")));
        let choice = serde_json::to_value(rules.deal_choice).unwrap_or_default();
        lines.push(format!(
            "deal-choice      {}, among the open deals of the client that is found",
            choice.as_str().unwrap_or_default()
        ));
        let key = match admitted.direction {
            Direction::Incoming => "on_incoming",
            Direction::Outgoing => "on_outgoing",
        };
        let creation = creation(rules, admitted.direction, admitted.by_hand);
        lines.push(match (admitted.class_policy, creation) {
            (Policy::Attach, _) => format!(
                "creation         nothing is made for {} mail; without a card it is skipped, {}",
                message.class.class.as_str(),
                message.class.class.as_str()
            ),
            (Policy::Normal | Policy::Skip, Creation::None) => {
                format!(
                    "creation         {key} is none: without a card it is skipped, creation-off"
                )
            }
            (Policy::Normal | Policy::Skip, made) => {
                format!("creation         {key}: without a card, {} is made", name_of(made))
            }
        });
        lines.push(match mailbox.crm.queue.as_slice() {
            [] => format!("responsible      the card's; of a new one employee {}", mailbox.owner),
            queue => format!(
                "responsible      the card's; of a new one the next of the queue of {}",
                queue.len()
            ),
        });
        lines
    }

    /// Rule 8c: incoming, not a reply, and the sender is named.
    fn new_lead_for(&self) -> Option<String> {
        let Judged { mailbox, message, admitted, rules, .. } = self;
        let reply = !message.in_reply_to.is_empty() || !message.references.is_empty();
        if admitted.direction == Direction::Outgoing || reply {
            return None;
        }
        // Robots' mail is attached or nothing, whoever sent it.
        if message.class.class != Class::Normal && admitted.class_policy == Policy::Attach {
            return None;
        }
        let sender = message.from.as_ref()?;
        let index =
            rules.always_new_lead_for.iter().position(|known| known.matches(&sender.email))?;
        mailbox.crm.always_new_lead_for.get(index).cloned()
    }
}

/// Cards and people of a mail that would be filed.
fn would_go(outcome: &Outcome, employees: &HashMap<u64, String>) -> Vec<String> {
    let mut lines = Vec::new();
    let own = outcome.creates.len().saturating_sub(outcome.of_vcards);
    if own == 0 {
        for (index, (kind, id)) in outcome.cards.iter().enumerate() {
            let card = format!("{}:{}", kind.as_str(), id.unwrap_or_default());
            let what = if index == 0 { "owns the activity" } else { "the activity is bound to it" };
            lines.push(format!("{card:<16} {what}"));
        }
    }
    for (index, kind) in outcome.creates.iter().enumerate() {
        let what = if index < own { "is made" } else { "is made of a vCard" };
        lines.push(format!("{:<16} {what}", format!("new {}", kind.as_str())));
    }
    if let Some(responsible) = outcome.responsible {
        let why = if own == 0 { ": the person responsible for the card" } else { "" };
        let name = employees.get(&responsible).map(|name| format!(", {}", clean(name)));
        let name = name.unwrap_or_default();
        lines.push(format!("responsible      employee {responsible}{name}{why}"));
    }
    lines
}

fn name_of(creation: Creation) -> &'static str {
    match creation {
        Creation::Lead => "a lead (a contact with a deal where the CRM has no leads)",
        Creation::Contact => "a contact",
        Creation::Deal => "a contact with a deal",
        Creation::None => "nothing",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mailbox(folders: &str, crm: &str) -> Mailbox {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.toml");
        let text = format!(
            "[[mailbox]]\nname = \"sales\"\naddress = \"sales@example.com\"\nowner = 7\n\
             [mailbox.imap]\nhost = \"imap.example.com\"\nusername = \"sales\"\n\
             password = \"secret\"\n[mailbox.folders]\n{folders}\n[mailbox.crm]\n{crm}\n"
        );
        std::fs::write(&path, text).unwrap();
        crate::config::load(&path, std::iter::empty()).unwrap().mailboxes.remove(0)
    }

    fn admitted(mailbox: &Mailbox, message: &Message) -> (RuleSet, Admitted) {
        let own = std::sync::Arc::new([mailbox.address.clone()].into());
        let rules = mailbox.rules(&own);
        let arrival = Arrival {
            message,
            body: None,
            role: Role::Inbox,
            internal_date: 1000,
            window_start: 0,
            employees: None,
            first_reading: false,
            by_hand: None,
        };
        let admitted = admit(&rules, &arrival);
        (rules, admitted)
    }

    fn told(mailbox: &Mailbox, raw: &str) -> String {
        let message = message::parse(raw.as_bytes()).unwrap();
        let (rules, admitted) = admitted(mailbox, &message);
        let unasked = Err("it is not there".to_owned());
        let queued = matches!(admitted.decision, Decision::Queue { .. });
        let judged = Judged {
            mailbox,
            rules: &rules,
            message: &message,
            admitted: &admitted,
            outcome: queued.then_some(&unasked),
        };
        judged.lines("x.eml", &admitted.evidence, &History::default()).join("\n")
    }

    #[test]
    fn role_comes_from_configuration_server_and_name_in_this_order() {
        let named = mailbox("spam = \"Bulk\"\nsent = \"Out\"", "");
        let plain = mailbox("", "");
        let trap = mailbox("spam = \"\\\\Inbox\"", "");
        #[rustfmt::skip]
        let cases = [
            ("configured",             &named, "Bulk",       None,             Role::Spam),
            ("configured, below",      &named, "INBOX.Bulk", None,             Role::Spam),
            ("configured over server", &named, "Bulk",       Some(Role::Other), Role::Spam),
            ("server over name",       &plain, "Junk",       Some(Role::Other), Role::Other),
            ("by name",                &plain, "Junk",       None,             Role::Spam),
            ("by name, below",         &plain, "INBOX/Sent", None,             Role::Sent),
            ("inbox",                  &plain, "inbox",      None,             Role::Inbox),
            ("nobody's",               &plain, "Clients",    None,             Role::Other),
            ("inbox as spam",          &trap,  "INBOX",      None,             Role::Spam),
        ];
        for (name, mailbox, folder, on_server, expected) in cases {
            assert_eq!(role(mailbox, &FolderName::new(folder), on_server).0, expected, "{name}");
        }
    }

    #[test]
    fn decision_is_told_with_what_follows_at_filing() {
        let mail = "From: Ana <ana@client.example>\nTo: sales@example.com\nSubject: Prices\n\
                    Message-ID: <1@client.example>\n\nHow much?\n";
        let robot = format!("Auto-Submitted: auto-replied\n{mail}");
        let ours = "From: sales@example.com\nTo: sales@example.com\nSubject: Lunch\n\n\n";
        #[rustfmt::skip]
        let cases = [
            ("client",      "",                                 mail,   "x.eml: queued"),
            ("asked",       "",                                 mail,   "asked for ana@client.example"),
            ("lead",        "",                                 mail,   "on_incoming: without a card, a lead"),
            ("no creation", "on_incoming = \"none\"",           mail,   "skipped, creation-off"),
            ("robot",       "",                                 &robot, "nothing is made for automated mail"),
            ("queue",       "queue = [1, 2]",                   mail,   "the next of the queue of 2"),
            ("form",        "always_new_lead_for = [\"*@client.example\"]", mail, "a new lead, no search"),
            ("internal",    "",                                 ours,   "x.eml: skipped, internal"),
            ("mend",        "",                                 ours,   "mend: If an address"),
        ];
        for (name, crm, raw, words) in cases {
            let told = told(&mailbox("", crm), raw);
            assert!(told.contains(words), "{name}: {told}");
        }
    }

    #[test]
    fn activity_is_named_only_of_mail_that_our_crm_sent() {
        let id = "To: sales@example.com\nMessage-ID: <crm.activity.123-abc@portal.example>\n\n\n";
        #[rustfmt::skip]
        let cases = [
            ("ours",                "From: sales@example.com",  "",                                  "own-crm-mail", Some(123)),
            ("a client's, skipped", "From: ana@client.example", "exclude = [\"ana@client.example\"]", "excluded",     None),
        ];
        for (name, from, crm, reason, activity) in cases {
            let mailbox = mailbox("", crm);
            let message = message::parse(format!("{from}\n{id}").as_bytes()).unwrap();
            let (_, admitted) = admitted(&mailbox, &message);
            let shown = shown(&mailbox, &message, &admitted, &[], String::new());
            assert_eq!(
                (shown.reason.as_deref(), shown.activity_id),
                (Some(reason), activity),
                "{name}"
            );
        }
    }

    #[test]
    fn json_of_an_unreadable_file_has_nulls_where_nothing_is_known() {
        let shown = serde_json::to_value(unreadable(&mailbox("", ""), "it broke")).unwrap();
        assert_eq!(shown["state"], "quarantined");
        assert_eq!(shown["reason"], "unreadable");
        assert_eq!(shown["id"], Value::Null);
        assert_eq!(shown["class"], Value::Null);
        assert_eq!(shown["places"], serde_json::json!([]));
        assert_eq!(shown["evidence"][0]["fact"], "it broke");
    }
}
