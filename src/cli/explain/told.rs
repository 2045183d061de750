//! A message's story in lines. Reads no clock and no file.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::print::{clean, rfc3339};
use super::super::shown::hex;
use crate::ledger::{MessageView, PlaceView};
use crate::rules::{Reason, State};

/// What the ledger and the configuration say besides.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub zone: TimeZone,
    /// Unix seconds.
    pub now: i64,
    /// Names by number.
    pub employees: HashMap<u64, String>,
    /// One is running.
    pub daemon: bool,
    pub crm_state: Option<String>,
    /// Mailboxes whose spam folder is the inbox (FAQ F1).
    pub spam_is_inbox: HashSet<String>,
}

impl Surroundings {
    fn employee(&self, id: u64) -> String {
        match self.employees.get(&id) {
            Some(name) => format!("employee {id}, {}", clean(name)),
            None => format!("employee {id}"),
        }
    }

    fn time(&self, seconds: i64) -> String {
        rfc3339(seconds, &self.zone)
    }
}

/// All that is known of a message, clean for a terminal.
pub(super) fn lines(view: &MessageView, around: &Surroundings) -> Vec<String> {
    let mut lines = vec![head(view)];
    facts(view, around, &mut lines);
    section("why", why(view, around), &mut lines);
    section("the way through the rules", rules(&view.evidence), &mut lines);
    let parked = view.state == State::Parked.as_str();
    section(candidates_title(parked), candidates(&view.candidates), &mut lines);
    section("in the CRM", in_the_crm(view, around), &mut lines);
    section("times", times(view, around), &mut lines);
    section("places", view.places.iter().map(place).collect(), &mut lines);
    section("attempts", attempts(view, around), &mut lines);
    lines
}

/// A title with its lines below; nothing at all without lines.
pub(super) fn section(title: &str, content: Vec<String>, lines: &mut Vec<String>) {
    if content.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(format!("{title}:"));
    lines.extend(content.into_iter().map(|line| format!("  {line}")));
}

fn head(view: &MessageView) -> String {
    match &view.reason {
        Some(reason) => format!("message {}: {}, {}", view.id, view.state, clean(reason)),
        None => format!("message {}: {}", view.id, view.state),
    }
}

fn facts(view: &MessageView, around: &Surroundings, lines: &mut Vec<String>) {
    let subject =
        if view.subject.is_empty() { "(no subject)".to_owned() } else { clean(&view.subject) };
    lines.push(format!("  subject      {subject}"));
    let from = view.from.as_deref().unwrap_or("(no sender can be read)");
    lines.push(format!("  from         {}", clean(from)));
    let direction = view.direction.as_deref().unwrap_or("unknown direction");
    let kind = match &view.class {
        Some(class) => format!("{}, {}", clean(direction), clean(class)),
        None => clean(direction),
    };
    lines.push(format!("  kind         {kind}"));
    match &view.message_id {
        Some(id) => lines.push(format!("  message-id   <{}>", clean(id))),
        None => lines.push("  message-id   (none: known by its content)".to_owned()),
    }
    lines.push(format!("  fingerprint  {}", hex(&view.fingerprint)));
    if !is_in_the_crm(view) {
        lines.push(format!("  owner        {}", owner(view, around)));
    }
}

pub(super) fn why(view: &MessageView, around: &Surroundings) -> Vec<String> {
    let mut why = Vec::new();
    if let Some(reason) = view.reason.as_deref().and_then(Reason::parse) {
        why.push(reason.sentence().to_owned());
        let trapped = view.places.iter().find(|place| {
            reason == Reason::SpamFolder
                && place.folder == "INBOX"
                && around.spam_is_inbox.contains(&place.mailbox)
        });
        match trapped {
            Some(place) => {
                let name = &place.mailbox;
                why.push(format!(
                    "The spam folder of mailbox {name} is the inbox, so everything arriving there \
                     counts as spam and nothing of it is saved."
                ));
                why.push(format!(
                    "mend: choose another folder for spam: set folders.spam of {name} to it, then \
                     run mailcrm redecide"
                ));
            }
            None => why.push(format!("mend: {}", reason.mend())),
        }
        return why;
    }
    match State::parse(&view.state) {
        Some(State::Queued) => queued(view, around, &mut why),
        Some(State::Saved) => {
            why.push("It is filed in the CRM, once, on the cards below.".to_owned());
        }
        Some(State::Refused) => {
            why.push(
                "The CRM said no for good; its words stand with the last attempt below.".to_owned(),
            );
            why.push(
                "mend: nothing tries it again: enter it in the CRM by hand; mailcrm messages \
                 --state refused --export FOLDER writes such mail into files"
                    .to_owned(),
            );
        }
        Some(State::Skipped | State::Parked | State::Quarantined) | None => {}
    }
    why
}

fn queued(view: &MessageView, around: &Surroundings, why: &mut Vec<String>) {
    why.push("It belongs in the CRM and waits to be filed.".to_owned());
    if !around.daemon {
        why.push("No daemon is running: nothing is filed until mailcrm run is started.".to_owned());
        return;
    }
    match around.crm_state.as_deref() {
        Some("blocked") => why.push(
            "The CRM takes nothing until someone acts; mailcrm check says what is to be done."
                .to_owned(),
        ),
        Some("deferred") => {
            why.push("The CRM cannot be reached or is busy; it is tried again.".to_owned());
        }
        Some(_) | None => {}
    }
    if let Some(at) = view.next_attempt_at {
        if at > around.now {
            why.push(format!("It is tried next at {}.", around.time(at)));
        } else {
            why.push("It is due now and waits for its turn.".to_owned());
        }
    }
}

/// `rule: fact` of each piece of evidence, in the order of the rules as they were asked.
pub(super) fn rules(evidence: &Value) -> Vec<String> {
    let text =
        |one: &Value, key: &str| clean(one.get(key).and_then(Value::as_str).unwrap_or_default());
    let evidence = evidence.as_array().map(Vec::as_slice).unwrap_or_default();
    evidence.iter().map(|one| format!("{:<16} {}", text(one, "rule"), text(one, "fact"))).collect()
}

/// Where a person is to choose, no card has lost yet.
pub(super) fn candidates_title(parked: bool) -> &'static str {
    if parked { "cards in question" } else { "candidates that lost" }
}

pub(super) fn candidates(candidates: &Value) -> Vec<String> {
    let candidates = candidates.as_array().map(Vec::as_slice).unwrap_or_default();
    candidates
        .iter()
        .map(|one| {
            let kind = one.get("type").and_then(Value::as_str).unwrap_or("card");
            let id = one.get("id").and_then(Value::as_u64).unwrap_or_default();
            let why = one.get("why").and_then(Value::as_str).unwrap_or_default();
            let card = format!("{}:{id}", clean(kind));
            format!("{card:<16} {}", clean(why))
        })
        .collect()
}

fn is_in_the_crm(view: &MessageView) -> bool {
    view.activity_id.is_some() || !view.cards.is_empty()
}

fn owner(view: &MessageView, around: &Surroundings) -> String {
    format!("{}, who connected the mailbox", around.employee(view.owner))
}

fn in_the_crm(view: &MessageView, around: &Surroundings) -> Vec<String> {
    let mut lines = Vec::new();
    if !is_in_the_crm(view) {
        return lines;
    }
    let mut cards = view.cards.iter();
    if let Some(owner) = cards.next() {
        lines.push(format!("{:<16} owns the activity", owner.to_string()));
    }
    for card in cards {
        lines.push(format!("{:<16} the activity is bound to it too", card.to_string()));
    }
    if let Some(activity) = view.activity_id {
        lines.push(format!("activity         {activity}"));
    }
    if let Some(responsible) = view.responsible {
        lines.push(format!(
            "responsible      {}: the person responsible for the card",
            around.employee(responsible)
        ));
    }
    lines.push(format!("owner            {}", owner(view, around)));
    lines
}

/// The three times of FAQ F5, each with its meaning.
fn times(view: &MessageView, around: &Surroundings) -> Vec<String> {
    let mut lines = vec![format!(
        "received         {}  by the mail's own Date; where that is missing or in the future, when \
         the server got it",
        around.time(view.received_at)
    )];
    if let Some(at) = view.recorded_at {
        lines.push(format!("recorded         {}  when it was filed in the CRM", around.time(at)));
    }
    if let Some(at) = view.activity_created_at {
        lines.push(format!(
            "activity created {}  when the activity was made on the card",
            around.time(at)
        ));
    }
    match (view.activity_created_at, view.activity_completed_at) {
        (_, Some(at)) => lines
            .push(format!("completed        {}  when the activity was completed", around.time(at))),
        (Some(_), None) => {
            lines.push("completed        not yet: the activity is open".to_owned());
        }
        (None, None) => {}
    }
    lines
}

fn place(place: &PlaceView) -> String {
    let PlaceView { mailbox, folder, uid_validity, uid } = place;
    format!("{mailbox}/{}/{uid}  UIDVALIDITY {uid_validity}", clean(folder))
}

fn attempts(view: &MessageView, around: &Surroundings) -> Vec<String> {
    let mut lines: Vec<String> = view
        .attempts
        .iter()
        .map(|attempt| {
            let code = if attempt.code.is_empty() { "-" } else { &attempt.code };
            let line = format!(
                "{}  entry {}  {}  {}  {code}  {}",
                around.time(attempt.at),
                attempt.entry,
                attempt.method,
                attempt.fate,
                attempt.text
            );
            clean(line.trim_end())
        })
        .collect();
    if let (false, Some(at)) = (lines.is_empty(), view.next_attempt_at) {
        lines.push(format!("{}  next attempt, at the earliest", around.time(at)));
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;

    use super::super::super::shown::full_view;
    use super::*;

    fn around() -> Surroundings {
        Surroundings {
            zone: TimeZone::UTC,
            now: 1_714_645_000,
            employees: [(7, "Ana Ruiz".to_owned())].into(),
            daemon: true,
            crm_state: None,
            spam_is_inbox: HashSet::new(),
        }
    }

    fn text(view: &MessageView, around: &Surroundings) -> String {
        lines(view, around).join("\n")
    }

    #[test]
    fn saved_message_tells_cards_people_times_and_attempts() {
        let told = text(&full_view(), &around());
        let wanted = "message 4712: saved
  subject      Price list
  from         ana@client.example
  kind         incoming, normal
  message-id   <a1@client.example>
  fingerprint  abababababababababababababababababababababababababababababababab

why:
  It is filed in the CRM, once, on the cards below.

the way through the rules:
  match            contact:3 bears it

candidates that lost:
  deal:12          changed earlier

in the CRM:
  deal:14          owns the activity
  contact:3        the activity is bound to it too
  activity         55
  responsible      employee 9: the person responsible for the card
  owner            employee 7, Ana Ruiz, who connected the mailbox

times:
  received         2024-05-02T10:15:00+00:00  by the mail's own Date; where that is missing or in the future, when the server got it
  recorded         2024-05-02T10:16:00+00:00  when it was filed in the CRM
  activity created 2024-05-02T10:16:01+00:00  when the activity was made on the card
  completed        not yet: the activity is open

places:
  sales/INBOX/17  UIDVALIDITY 1700000000

attempts:
  2024-05-02T10:15:30+00:00  entry 31  crm.activity.add  deferred  network  connection refused";
        assert_eq!(told, wanted);
    }

    #[test]
    fn every_reason_is_told_with_its_sentence_and_its_mend() {
        for reason in Reason::ALL {
            let view = MessageView {
                state: reason.state().to_string(),
                reason: Some(reason.code().to_owned()),
                ..full_view()
            };
            let told = text(&view, &around());
            assert!(told.contains(reason.sentence()), "{reason}");
            assert!(told.contains(reason.mend()), "{reason}");
        }
    }

    #[test]
    fn spam_folder_that_is_the_inbox_is_named_for_each_message() {
        let view = MessageView {
            state: "skipped".to_owned(),
            reason: Some("spam-folder".to_owned()),
            ..full_view()
        };
        let around = Surroundings { spam_is_inbox: ["sales".to_owned()].into(), ..around() };
        let told = text(&view, &around);
        assert!(told.contains("The spam folder of mailbox sales is the inbox"), "{told}");
        assert!(told.contains("choose another folder for spam"), "{told}");
        assert!(told.contains("mailcrm redecide"), "{told}");
    }

    #[test]
    fn waiting_message_says_what_it_waits_for() {
        let waiting = |next| MessageView {
            state: "queued".to_owned(),
            next_attempt_at: Some(next),
            ..full_view()
        };
        let blocked = Surroundings { crm_state: Some("blocked".to_owned()), ..around() };
        let alone = Surroundings { daemon: false, ..around() };
        let later = 1_714_645_060;
        #[rustfmt::skip]
        let cases = [
            ("later",     waiting(later), around(), "tried next at 2024-05-02T10:17:40+00:00"),
            ("due",       waiting(0),     around(), "due now"),
            ("blocked",   waiting(later), blocked,  "takes nothing until someone acts"),
            ("no daemon", waiting(later), alone,    "No daemon is running"),
        ];
        for (name, view, around, words) in cases {
            let told = text(&view, &around);
            assert!(told.contains(words), "{name}: {told}");
        }
    }

    #[test]
    fn what_is_not_in_the_crm_is_not_said_to_be_there() {
        let parked = MessageView {
            state: "parked".to_owned(),
            reason: Some("several-deals".to_owned()),
            cards: Vec::new(),
            activity_id: None,
            responsible: None,
            ..full_view()
        };
        let told = text(&parked, &around());
        assert!(!told.contains("in the CRM:"), "{told}");
        assert!(told.contains("\n  owner        employee 7, Ana Ruiz, who connected"), "{told}");
        assert!(told.contains("\ncards in question:\n  deal:12"), "{told}");
    }

    #[test]
    fn refused_message_says_that_nothing_tries_it_again() {
        let view = MessageView { state: "refused".to_owned(), ..full_view() };
        let told = text(&view, &around());
        assert!(
            told.contains("mend: nothing tries it again: enter it in the CRM by hand"),
            "{told}"
        );
    }

    #[test]
    fn commands_that_are_named_are_there() {
        let commands: HashSet<String> = crate::cli::Cli::command()
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        let mut texts: Vec<String> =
            Reason::ALL.iter().map(|reason| reason.mend().to_owned()).collect();
        texts.push(include_str!("told.rs").to_owned());
        let mut seen = 0;
        for text in &texts {
            // A sentence may go on in the next line of the source.
            let text = text.replace('\\', " ");
            let words: Vec<&str> = text.split_whitespace().collect();
            for pair in words.windows(2) {
                let [name, next] = pair else { continue };
                let letters = |word: &str| -> String {
                    word.chars().take_while(char::is_ascii_alphabetic).collect()
                };
                let command = letters(next);
                if name.trim_start_matches(['"', '`', '(']) != "mailcrm" || command.is_empty() {
                    continue;
                }
                assert!(commands.contains(&command), "mailcrm {command}: {text}");
                seen += 1;
            }
        }
        assert!(seen > 10, "{seen}");
    }

    #[test]
    fn nothing_in_a_mail_moves_the_terminal() {
        let hostile = "x\u{1b}[2J\u{202e}\r\ny".to_owned();
        let mut view = MessageView {
            subject: hostile.clone(),
            from: Some(hostile.clone()),
            message_id: Some(hostile.clone()),
            evidence: serde_json::json!([{ "rule": hostile, "fact": hostile }]),
            candidates: serde_json::json!([{ "type": hostile, "id": 1, "why": hostile }]),
            ..full_view()
        };
        view.places[0].folder = hostile.clone();
        view.attempts[0].text = hostile;
        for line in lines(&view, &around()) {
            assert!(!line.contains(['\u{1b}', '\r', '\n', '\u{202e}']), "{line:?}");
        }
    }
}
