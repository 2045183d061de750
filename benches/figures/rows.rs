//! The rows of a ledger as years of mail leave them, without the mail.

use mailcrm::rules::Evidence;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::mails::Chance;

/// Each has the user of its name on `localhost`, as the daemon of a measurement is told.
pub const MAILBOXES: [&str; 3] = ["sales", "support", "office"];
/// Names that a new Dovecot does not have: no server lists what is here. In this order in each
/// mailbox.
pub const FOLDERS: [(&str, &str); 4] = [
    ("Before/INBOX", "inbox"),
    ("Before/Sent", "sent"),
    ("Before/Archive", "archive"),
    ("Before/Clients", "other"),
];
const SENT: usize = 1;
const EMPLOYEES: u64 = 500;
/// Seconds from one message to the next: a million in three years.
const APART: i64 = 95;
/// Only of the newest is anything still owed, however long the ledger is.
const NEWEST: usize = 1_000;

/// Writes so many messages, numbered from 1, with all that belongs to them. `mail` are the octets of
/// the one raw mail in the spool, which stands for all that are kept there.
pub fn write(ledger: &Connection, messages: usize, mail: usize) {
    people_and_places(ledger);
    let mut making = Making {
        ledger,
        chance: Chance::new(messages as u64),
        messages,
        mail,
        began: jiff::Timestamp::now().as_second() - messages as i64 * APART,
        uids: [0; MAILBOXES.len() * FOLDERS.len()],
        entries: 0,
    };
    for number in 1..=messages {
        making.message(number);
    }
}

fn people_and_places(ledger: &Connection) {
    let now = jiff::Timestamp::now().as_second();
    for (mailbox, name) in (1..).zip(MAILBOXES) {
        insert(
            ledger,
            "INSERT INTO mailbox (id, name, host, username, state, queue_turn, login_refusals)
             VALUES (?1, ?2, 'localhost', ?2, 'stopped', 0, '[]')",
            params![mailbox, name],
        );
        for (name, role) in FOLDERS {
            insert(
                ledger,
                "INSERT INTO folder (mailbox, name, role, uid_validity, cursor, floor,
                                     first_read_at, history_days, first_until, uid_next, behind)
                 VALUES (?1, ?2, ?3, 7, 4000000000, 0, ?4, 30, 0, 4000000001, 0)",
                params![mailbox, name, role, now],
            );
        }
    }
    for id in 1..=EMPLOYEES {
        insert(
            ledger,
            "INSERT INTO employee (id, name, email, active) VALUES (?1, ?2, ?3, 1)",
            params![id, format!("Employee {id}"), format!("employee{id}@example.com")],
        );
    }
    insert(ledger, "INSERT INTO meta (key, value) VALUES ('employees', 'known')", []);
}

struct Making<'a> {
    ledger: &'a Connection,
    chance: Chance,
    messages: usize,
    /// Octets of the mail in the spool.
    mail: usize,
    /// When the first message came, Unix seconds.
    began: i64,
    /// Of each folder the highest so far.
    uids: [u64; MAILBOXES.len() * FOLDERS.len()],
    entries: i64,
}

/// One message on its way into the ledger.
struct Row {
    id: i64,
    at: i64,
    state: &'static str,
    reason: Option<&'static str>,
    outgoing: bool,
    client: String,
    cards: Vec<(&'static str, u64)>,
    /// From 0, as the rows of `folder`.
    folder: usize,
}

impl Making<'_> {
    fn message(&mut self, number: usize) {
        let (state, reason) = self.fate(number);
        let outgoing = self.chance.between(0, 4) == 0;
        let client = self.chance.between(0, self.messages as u64 / 8 + 1);
        // Most mail is the first mailbox's, and what is owed too: the others are not configured
        // while messages are taken in.
        let mailbox = match self.chance.between(0, 10) {
            0 if state != "queued" => 1,
            1 if state != "queued" => 2,
            _ => 0,
        };
        let folder = match self.chance.between(0, 10) {
            _ if outgoing => SENT,
            0..=6 => 0,
            7 | 8 => 2,
            _ => 3,
        };
        let row = Row {
            id: number as i64,
            at: self.began + number as i64 * APART,
            state,
            reason,
            outgoing,
            client: format!("client{client}@shop{}.example", client % 977),
            cards: self.cards(state, client),
            folder: mailbox * FOLDERS.len() + folder,
        };
        self.facts(&row, number);
        self.places(&row);
        match row.state {
            "saved" => self.filed(&row),
            "parked" => {
                self.entry(&row, "done", row.at);
            }
            "refused" => {
                let entry = self.entry(&row, "refused", row.at);
                let words = "the field RESPONSIBLE_ID names nobody who is employed here";
                self.attempt(entry, &row, ("crm.activity.add", "refused", "ERROR_CORE", words));
                self.spool(&row);
            }
            "queued" if number.is_multiple_of(2) => {
                let entry = self.entry(&row, "deferred", row.at);
                let words = "connection refused";
                self.attempt(entry, &row, ("crm.activity.add", "deferred", "network", words));
                self.spool(&row);
            }
            "queued" => {
                self.entry(&row, "queued", row.at);
                self.spool(&row);
            }
            "quarantined" => self.spool(&row),
            _ => {}
        }
    }

    /// Shares out of a thousand, spread over the numbers.
    fn fate(&self, number: usize) -> (&'static str, Option<&'static str>) {
        const SKIPPED: [&str; 8] = [
            "internal",
            "excluded",
            "automated",
            "mailing-list",
            "spam-verdict",
            "bounce",
            "creation-off",
            "gone",
        ];
        match number * 7_919 % 1_000 {
            share @ 0..430 => ("skipped", Some(SKIPPED[share % SKIPPED.len()])),
            430..440 => ("parked", Some("hidden-card")),
            440..450 => ("parked", Some("several-deals")),
            450..455 => ("quarantined", Some("unreadable")),
            455..460 => ("refused", None),
            460..470 if number + NEWEST > self.messages => ("queued", None),
            _ => ("saved", None),
        }
    }

    fn cards(&self, state: &str, client: u64) -> Vec<(&'static str, u64)> {
        match (state, client % 4) {
            ("saved", 0) => vec![("lead", client)],
            ("saved", 1) => vec![("contact", client)],
            ("saved", 2) => vec![("deal", client * 2)],
            ("saved", _) => vec![("deal", client * 2), ("deal", client * 2 + 1)],
            _ => Vec::new(),
        }
    }

    fn facts(&mut self, row: &Row, number: usize) {
        let unreadable = row.state == "quarantined";
        let message_id = (!unreadable && !number.is_multiple_of(100)).then(|| {
            // Senders use ids again.
            id_of(if number % 500 == 17 { number - 1 } else { number })
        });
        let refs: Vec<String> = match self.chance.between(0, 5) {
            0..=2 => Vec::new(),
            many => {
                let many = (many as usize - 2) * 2;
                (1..=many).map(|back| id_of(number.saturating_sub(back * 13))).collect()
            }
        };
        let answers = refs.first().filter(|_| row.outgoing && !unreadable);
        let fingerprint: Vec<u8> = (0..4).flat_map(|_| self.chance.next().to_le_bytes()).collect();
        let subject = match number % 3 {
            0 => format!("Petición de oferta {number}"),
            1 => format!("Re: Lieferung der Bestellung {number}, zweite Anfrage"),
            _ => format!("Re: invoice {number} and the delivery of next week"),
        };
        let saved = row.state == "saved";
        let activity = saved.then_some(row.id * 3);
        let direction = if row.outgoing { "outgoing" } else { "incoming" };
        let direction = (!unreadable).then_some(direction);
        let classes = ["automated", "mailing-list", "spam-verdict", "bounce"];
        let class = row.reason.filter(|reason| classes.contains(reason)).unwrap_or("normal");
        insert(
            self.ledger,
            "INSERT INTO message (id, fingerprint, message_id, state, reason, direction, class,
                                  sender, subject, received_at, refs, answers, owner,
                                  employees_known, evidence, candidates, responsible, activity_id,
                                  recorded_at, activity_created_at, activity_completed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 1, ?14, ?15, ?16, ?17,
                     ?18, ?18, ?19)",
            params![
                row.id,
                fingerprint,
                message_id,
                row.state,
                row.reason,
                direction,
                class,
                if row.outgoing { "sales@example.com" } else { &row.client },
                subject,
                row.at,
                json!(refs).to_string(),
                answers,
                1 + number as u64 % EMPLOYEES,
                self.evidence(row),
                candidates(row),
                saved.then_some(1 + number as u64 % EMPLOYEES),
                activity,
                saved.then_some(row.at + 2),
                (saved && row.outgoing).then_some(row.at + 2),
            ],
        );
    }

    /// Five to eight facts of the length that the rules give them.
    fn evidence(&mut self, row: &Row) -> String {
        let client = &row.client;
        let direction = match row.outgoing {
            true => "outgoing: sales@example.com is an own address".to_owned(),
            false => format!("incoming: {client} is not of the company"),
        };
        let all = [
            Evidence::new("direction", direction),
            Evidence::new("thread", "it is on no card"),
            Evidence::new("match", format!("contact:{} bears {client}", row.id % 90_001)),
            Evidence::new("deal-choice", format!("latest: deal:{} of 3 open", row.id % 80_001)),
            Evidence::new("responsible", format!("employee {} is the card's", row.id % 500)),
            Evidence::new("origin", "nothing of this message was in the CRM before it was sent"),
            Evidence::new("class", "Auto-Submitted: auto-replied"),
            Evidence::new("class", "automated: filed on a known card only, nothing is made for it"),
        ];
        let facts = self.chance.between(5, 9) as usize;
        json!(&all[..facts]).to_string()
    }

    fn places(&mut self, row: &Row) {
        // One in twelve came to two mailboxes, or was sent from one to a list of both.
        let second = (row.folder + FOLDERS.len()) % self.uids.len();
        let twice = row.state != "queued" && self.chance.between(0, 12) == 0;
        let folders = [Some(row.folder), twice.then_some(second)];
        for (position, folder) in folders.into_iter().flatten().enumerate() {
            // Now and then a message left the server before it was seen.
            self.uids[folder] += 1 + u64::from(self.chance.between(0, 20) == 0);
            insert(
                self.ledger,
                "INSERT INTO place (folder, uid_validity, uid, message, role, position)
                 VALUES (?1, 7, ?2, ?3, ?4, ?5)",
                params![
                    folder as i64 + 1,
                    self.uids[folder],
                    row.id,
                    FOLDERS[folder % FOLDERS.len()].1,
                    position
                ],
            );
        }
    }

    fn filed(&mut self, row: &Row) {
        let entry = self.entry(row, "done", row.at);
        let (kind, id) = row.cards[0];
        for (position, (kind, id)) in row.cards.iter().enumerate() {
            insert(
                self.ledger,
                "INSERT INTO card (message, position, kind, crm_id) VALUES (?1, ?2, ?3, ?4)",
                params![row.id, position, kind, id],
            );
        }
        // A client is new once, and has a card from then on.
        let new = self.chance.between(0, 8) == 0;
        let activity = row.id as u64 * 3;
        for (kind, id) in new.then_some((kind, id)).into_iter().chain([("activity", activity)]) {
            self.made(entry, row, kind, id);
        }
        self.made(entry, row, "content", activity);
        if new || self.chance.between(0, 2) == 0 {
            let text = format!("made {kind}:{id}");
            self.attempt(entry, row, ("crm.item.add", "delivered", "", &text));
        }
        let text = format!("made activity {activity}");
        self.attempt(entry, row, ("crm.activity.add", "delivered", "", &text));
        let text = format!("text and files of activity {activity}");
        self.attempt(entry, row, ("crm.activity.update", "delivered", "", &text));
    }

    fn entry(&mut self, row: &Row, state: &str, next_attempt_at: i64) -> i64 {
        self.entries += 1;
        let plan = row.cards.first().map(|(kind, id)| {
            json!({
                "owner": { "type": kind, "id": id },
                "create": [],
                "responsible": 1 + row.id as u64 % EMPLOYEES,
                "bound": [],
                "client_email": row.client,
                "client": { "type": "contact", "id": row.id % 90_001 },
                "candidates": [],
                "evidence": [],
            })
        });
        insert(
            self.ledger,
            "INSERT INTO entry (id, message, action, mailbox, folder, lane, live, state, queued_at,
                                next_attempt_at, suspicions, replaced, plan)
             VALUES (?1, ?2, 'file', ?3, ?4, ?5, 1, ?6, ?7, ?8, 0, 0, ?9)",
            params![
                self.entries,
                row.id,
                (row.folder / FOLDERS.len()) as i64 + 1,
                row.folder as i64 + 1,
                row.client,
                state,
                row.at,
                next_attempt_at,
                plan.map(|plan| plan.to_string()),
            ],
        );
        self.entries
    }

    fn made(&mut self, entry: i64, row: &Row, kind: &str, id: u64) {
        let origin: String = (0..4).map(|_| format!("{:016x}", self.chance.next())).collect();
        insert(
            self.ledger,
            "INSERT INTO made (entry, kind, origin_id, look_up, sent_at, crm_id)
             VALUES (?1, ?2, ?3, 0, ?4, ?5)",
            params![entry, kind, origin, row.at + 1, id],
        );
    }

    /// Method, fate, code and text.
    fn attempt(&self, entry: i64, row: &Row, said: (&str, &str, &str, &str)) {
        let (method, fate, code, text) = said;
        insert(
            self.ledger,
            "INSERT INTO attempt (entry, at, method, fate, code, text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![entry, row.at + 2, method, fate, code, text],
        );
    }

    fn spool(&self, row: &Row) {
        insert(
            self.ledger,
            "INSERT INTO spool (message, segment, start, length, whole) VALUES (?1, 1, 0, ?2, 1)",
            params![row.id, self.mail as i64],
        );
    }
}

fn candidates(row: &Row) -> String {
    if !matches!(row.state, "saved" | "parked") {
        return "[]".to_owned();
    }
    let lost =
        |id: i64| json!({ "type": "deal", "id": id, "why": "open, but deal:7 was changed later" });
    json!((0..row.id % 3).map(|more| lost(row.id % 80_001 + more)).collect::<Vec<_>>()).to_string()
}

/// Not in the order of the numbers, as ids of many senders are not.
fn id_of(number: usize) -> String {
    format!("{:016x}.{number}@mail.shop{}.example", Chance::new(number as u64).next(), number % 977)
}

fn insert(ledger: &Connection, statement: &str, values: impl rusqlite::Params) {
    ledger.prepare_cached(statement).unwrap().execute(values).expect(statement);
}
