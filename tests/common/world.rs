//! Many mails of all kinds with the one right outcome of each, and the look whether it came so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mailcrm::demo::dovecot::Dovecot;
use serde_json::{Value, json};

use super::Dice;
use super::daemon::Daemon;
use super::letter::{letter, subject, text};
use super::sandbox::SandboxProcess;

/// The card that owns a mail's activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The one lead that bears this address.
    Lead(String),
    /// The one contact that bears this address.
    Contact(String),
    /// This card of this entity type, which was there before.
    Card(u64, u64),
}

/// A mail and what is to become of it.
#[derive(Clone, Debug)]
pub struct Planned {
    pub id: String,
    pub folder: &'static str,
    pub raw: Vec<u8>,
    pub owner: Owner,
    pub outgoing: bool,
    pub files: usize,
    /// Outgoing, or answered by one that is.
    pub completed: bool,
}

/// What was there before the first mail.
pub struct World {
    /// Address of each known client and the card that mail of theirs belongs on.
    pub known: Vec<(String, Owner)>,
    contacts: usize,
    deals: usize,
    pub letters: Vec<Planned>,
    threads: HashMap<String, (String, Owner)>,
}

const SALES: &str = "Sales <sales@example.com>";

impl World {
    /// Puts `clients` contacts into the CRM, every other one with an open deal.
    pub fn with_clients(crm: &SandboxProcess, clients: usize) -> World {
        let mut world = World {
            known: Vec::new(),
            contacts: clients,
            deals: 0,
            letters: Vec::new(),
            threads: HashMap::new(),
        };
        for number in 0..clients {
            let address = format!("client{number}@known.example");
            let contact = crm.add_contact(&format!("Client {number}"), &address, 7);
            let owner = if number % 2 == 0 {
                world.deals += 1;
                Owner::Card(2, crm.add_deal(&format!("Deal {number}"), contact, 9))
            } else {
                Owner::Card(3, contact)
            };
            world.known.push((address, owner));
        }
        world
    }

    fn add(&mut self, number: usize, from: &str, to: &str, parent: Option<&str>, owner: Owner) {
        let id = format!("mail{number}@world.example");
        let mut mail = letter(from, to, &id);
        if let Some(parent) = parent {
            mail = mail.answers(parent);
        }
        let files = usize::from(number.is_multiple_of(5));
        if files > 0 {
            mail = mail.file(&format!("offer{number}.bin"), &vec![number as u8; 3000]);
        }
        let outgoing = from == SALES;
        let folder = if outgoing { "Sent" } else { "INBOX" };
        let party = if outgoing { to } else { from };
        self.threads.insert(id.clone(), (party.to_owned(), owner.clone()));
        if let Some(parent) = parent.filter(|_| outgoing) {
            for answered in &mut self.letters {
                answered.completed |= answered.id == parent;
            }
        }
        let raw = mail.raw();
        self.letters.push(Planned { id, folder, raw, owner, outgoing, files, completed: outgoing });
    }

    /// Adds mails up to `total`: of known clients, of strangers, answers of theirs and of people
    /// who stand on no card, and what we wrote to known clients and to new ones.
    pub fn write_first(&mut self, total: usize, dice: &mut Dice) {
        while self.letters.len() < total {
            let number = self.letters.len();
            match dice.below(10) {
                0..3 => {
                    let (address, owner) = self.client(dice);
                    self.add(number, &address, SALES, None, owner);
                }
                3..7 => {
                    let address = format!("stranger{}@new.example", dice.below(80));
                    self.add(number, &address, SALES, None, Owner::Lead(address.clone()));
                }
                7 => {
                    let (address, owner) = self.client(dice);
                    self.add(number, SALES, &address, None, owner);
                }
                8 => {
                    let address = format!("buyer{}@fresh.example", dice.below(25));
                    self.add(number, SALES, &address, None, Owner::Contact(address.clone()));
                }
                _ => self.answer_from_elsewhere(number, dice),
            }
        }
    }

    /// Adds mails up to `total` that come when those of [`World::write_first`] were read: the same
    /// kinds, and our answers to strangers.
    pub fn write_later(&mut self, total: usize, dice: &mut Dice) {
        let asked: Vec<String> = self
            .letters
            .iter()
            .filter(|letter| matches!(letter.owner, Owner::Lead(_)) && !letter.outgoing)
            .map(|letter| letter.id.clone())
            .collect();
        while self.letters.len() < total {
            let number = self.letters.len();
            if dice.below(3) == 0 && !asked.is_empty() {
                let parent = &asked[dice.below(asked.len() as u64) as usize];
                let (party, owner) = self.threads[parent].clone();
                self.add(number, SALES, &party, Some(parent), owner);
            } else {
                self.write_first(number + 1, dice);
            }
        }
    }

    fn client(&self, dice: &mut Dice) -> (String, Owner) {
        self.known[dice.below(self.known.len() as u64) as usize].clone()
    }

    /// Somebody whom nobody knows answers a mail that came before: it belongs where that is.
    fn answer_from_elsewhere(&mut self, number: usize, dice: &mut Dice) {
        let parents: Vec<&Planned> =
            self.letters.iter().filter(|letter| !letter.outgoing).collect();
        if parents.is_empty() {
            return;
        }
        let parent = parents[dice.below(parents.len() as u64) as usize];
        let (parent, owner) = (parent.id.clone(), parent.owner.clone());
        let address = format!("colleague{number}@elsewhere.example");
        self.add(number, &address, SALES, Some(&parent), owner);
    }

    /// Delivers one of the mails.
    pub fn deliver(&self, dovecot: &Dovecot, number: usize) {
        let letter = &self.letters[number];
        dovecot.deliver("sales", letter.folder, &letter.raw).unwrap();
    }

    /// Panics unless every mail was filed once, where it belongs and with all that it holds, and
    /// nothing else was made.
    #[track_caller]
    pub fn assert_filed(&self, crm: &SandboxProcess, daemon: &Daemon) {
        let activities = crm.activities();
        let mut by_subject: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for activity in &activities {
            let subject = activity["SUBJECT"].as_str().unwrap().to_owned();
            by_subject.entry(subject).or_default().push(activity);
        }
        let bearers = [bearers(crm, 1), bearers(crm, 3)];
        let mut wrong = Vec::new();
        for letter in &self.letters {
            let found = by_subject.remove(&subject(&letter.id)).unwrap_or_default();
            let [activity] = found.as_slice() else {
                let state = daemon
                    .views()
                    .into_iter()
                    .find(|view| view.message_id.as_deref() == Some(&letter.id));
                wrong.push(format!("{}: {} activities, {state:?}", letter.id, found.len()));
                continue;
            };
            let mut unlike = |what: &str, is: &Value, right: &Value| {
                if is != right {
                    wrong.push(format!("{}: {what} is {is}, not {right}", letter.id));
                }
            };
            let (entity_type, card) = match &letter.owner {
                Owner::Card(entity_type, card) => (*entity_type, Some(*card)),
                Owner::Lead(address) => (1, one(&bearers[0], address)),
                Owner::Contact(address) => (3, one(&bearers[1], address)),
            };
            let yes = |yes| if yes { "Y" } else { "N" };
            let card = card.map(|card| card.to_string());
            unlike("type of owner", &activity["OWNER_TYPE_ID"], &json!(entity_type.to_string()));
            unlike("owner", &activity["OWNER_ID"], &json!(card));
            unlike("completed", &activity["COMPLETED"], &json!(yes(letter.completed)));
            unlike(
                "direction",
                &activity["DIRECTION"],
                &json!(if letter.outgoing { "2" } else { "1" }),
            );
            let files = activity["FILES"].as_array().map_or(0, Vec::len);
            unlike("files", &json!(files), &json!(letter.files));
            let whole = activity["DESCRIPTION"].as_str().unwrap_or_default();
            let times = whole.matches(&text(&letter.id)).count();
            unlike("times of its text", &json!(times), &json!(1));
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(by_subject.is_empty(), "nobody asked for {:?}", by_subject.keys());

        let origins: BTreeSet<&str> =
            activities.iter().map(|one| one["ORIGIN_ID"].as_str().unwrap()).collect();
        assert_eq!(origins.len(), self.letters.len(), "origin ids");
        let made = |wanted: fn(&Owner) -> Option<&String>| {
            let addresses: BTreeSet<&String> =
                self.letters.iter().filter_map(|letter| wanted(&letter.owner)).collect();
            addresses.len() as u64
        };
        let leads = made(|owner| match owner {
            Owner::Lead(address) => Some(address),
            Owner::Contact(_) | Owner::Card(..) => None,
        });
        let contacts = made(|owner| match owner {
            Owner::Contact(address) => Some(address),
            Owner::Lead(_) | Owner::Card(..) => None,
        });
        let counts = crm.call("sandbox.counts", &json!({}));
        assert_eq!(counts["leads"], leads, "{counts}");
        assert_eq!(counts["contacts"], self.contacts as u64 + contacts, "{counts}");
        assert_eq!(counts["deals"], self.deals as u64, "{counts}");
        assert_eq!(counts["companies"], 0, "{counts}");
        let files: usize = self.letters.iter().map(|letter| letter.files).sum();
        assert_eq!(counts["files"], files as u64, "{counts}");
        assert_eq!(counts["sent_mail"], 0, "{counts}");

        let states = daemon.counts().states;
        assert_eq!(states, BTreeMap::from([("saved".to_owned(), self.letters.len() as u64)]));
    }
}

/// Numbers of the cards that bear each address.
fn bearers(crm: &SandboxProcess, entity_type: u64) -> HashMap<String, Vec<u64>> {
    let mut bearers: HashMap<String, Vec<u64>> = HashMap::new();
    for card in crm.cards(entity_type) {
        for value in card["fm"].as_array().into_iter().flatten() {
            let address = value["value"].as_str().unwrap().to_owned();
            bearers.entry(address).or_default().push(card["id"].as_u64().unwrap());
        }
    }
    bearers
}

fn one(bearers: &HashMap<String, Vec<u64>>, address: &str) -> Option<u64> {
    match bearers.get(address).map(Vec::as_slice) {
        Some([card]) => Some(*card),
        Some(_) | None => None,
    }
}
