//! A daemon at work between a private Dovecot and a sandbox CRM, for tests of what becomes of a
//! mail.

use std::time::{Duration, Instant};

use mailcrm::ledger::MessageView;
use serde_json::{Value, json};

use super::LIMIT;
use super::daemon::{Daemon, Mailbox};
use super::letter::Letter;
use super::sandbox::SandboxProcess;
use super::scene::{Scene, until_mailbox};

/// A running daemon, its mail server and its CRM.
pub struct Desk {
    pub daemon: Daemon,
    pub scene: Scene,
}

impl Desk {
    /// On the mailbox `sales`, with these lines in `[mailbox.crm]`.
    pub fn with(lines: &str) -> Desk {
        let scene = Scene::with(&["sales"]);
        let mailbox = scene.mailbox("sales").crm(lines);
        Desk::on(scene, &[mailbox])
    }

    /// On these mailboxes, read and waiting.
    pub fn on(scene: Scene, mailboxes: &[Mailbox]) -> Desk {
        let daemon = Daemon::running(&scene.crm.url(), mailboxes);
        for mailbox in mailboxes {
            until_mailbox(&daemon, &mailbox.name, "idle");
        }
        Desk { daemon, scene }
    }

    pub fn crm(&self) -> &SandboxProcess {
        &self.scene.crm
    }

    pub fn deliver(&self, user: &str, folder: &str, letter: &Letter) {
        self.scene.dovecot.deliver(user, folder, &letter.raw()).unwrap();
    }

    /// Into the inbox of `sales`.
    pub fn receive(&self, letter: &Letter) {
        self.deliver("sales", "INBOX", letter);
    }

    /// Into the sent folder of `sales`.
    pub fn send(&self, letter: &Letter) {
        self.deliver("sales", "Sent", letter);
    }

    /// Moves the mail with this id between folders of `sales`.
    pub fn move_mail(&self, id: &str, from: &str, to: &str) {
        let id = format!("<{id}>");
        let args = ["move", "-u", "sales", to, "mailbox", from, "header", "message-id", &id];
        self.scene.dovecot.doveadm(&args).unwrap();
    }

    /// Waits until the message with this id is in this state with this reason.
    #[track_caller]
    pub fn until(&self, id: &str, state: &str, reason: Option<&str>) -> MessageView {
        let start = Instant::now();
        loop {
            let mut views = self.daemon.views();
            views.retain(|view| view.message_id.as_deref() == Some(id));
            let view = views.pop();
            let is_so =
                |view: &&MessageView| view.state == state && view.reason.as_deref() == reason;
            if let Some(view) = view.as_ref().filter(is_so) {
                return view.clone();
            }
            let waited = start.elapsed();
            assert!(waited < LIMIT, "{id} to be {state} {reason:?}, and is {view:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it is saved, on this card before all others.
    #[track_caller]
    pub fn until_on(&self, id: &str, card: &str) -> MessageView {
        let view = self.until(id, "saved", None);
        assert_eq!(view.cards[0].to_string(), card, "{id}: {}", view.evidence);
        view
    }

    /// Files a mail and waits until it is on this card.
    #[track_caller]
    pub fn files(&self, letter: &Letter, id: &str, card: &str) -> MessageView {
        self.receive(letter);
        self.until_on(id, card)
    }

    #[track_caller]
    pub fn item(&self, entity_type: u64, id: u64) -> Value {
        let asked = json!({"entityTypeId": entity_type, "id": id});
        self.crm().call("crm.item.get", &asked)["item"].clone()
    }

    #[track_caller]
    pub fn update(&self, entity_type: u64, id: u64, fields: &Value) {
        let update = json!({"entityTypeId": entity_type, "id": id, "fields": fields});
        self.crm().call("crm.item.update", &update);
    }

    /// Leads, contacts, deals, activities.
    pub fn made(&self) -> [u64; 4] {
        let counts = self.crm().call("sandbox.counts", &json!({}));
        ["leads", "contacts", "deals", "activities"].map(|kind| counts[kind].as_u64().unwrap())
    }

    #[track_caller]
    pub fn explain(&self, id: &str) -> String {
        let answer = self.daemon.mailcrm(&["explain", id]);
        assert_eq!(answer.code, 0, "{answer:?}");
        answer.stdout
    }
}

/// A contact with this address and their open deal of employee 9.
pub fn client(crm: &SandboxProcess, email: &str) -> (u64, u64) {
    let contact = crm.add_contact("Client", email, 7);
    (contact, crm.add_deal("Deal", contact, 9))
}

/// Changes a deal until it is the one changed last: times are in seconds.
pub fn change_last(crm: &SandboxProcess, deal: u64, other: u64) {
    let changed = |id: u64| {
        let item = crm.call("crm.item.get", &json!({"entityTypeId": 2, "id": id}));
        item["item"]["updatedTime"].as_str().unwrap().to_owned()
    };
    super::wait_for("a deal to be the one changed last", LIMIT, || {
        let fields = json!({"title": "Changed last"});
        crm.call("crm.item.update", &json!({"entityTypeId": 2, "id": deal, "fields": fields}));
        changed(deal) > changed(other)
    });
}

/// A card as a message shows it.
pub fn deal(id: u64) -> String {
    format!("deal:{id}")
}

pub fn contact(id: u64) -> String {
    format!("contact:{id}")
}

/// Values of a kind, such as `PHONE`, that a card bears, in order.
pub fn values(item: &Value, kind: &str) -> Vec<String> {
    let all = item["fm"].as_array().unwrap();
    let of_kind = all.iter().filter(|one| one["typeId"] == kind);
    let mut values: Vec<String> =
        of_kind.map(|one| one["value"].as_str().unwrap().to_owned()).collect();
    values.sort_unstable();
    values
}
