//! Rules 1 to 7: does the message belong in the CRM? Pure.
//!
//! What can be decided as the mail arrives, with the CRM up or down. Where it belongs is
//! `place`'s question.

use std::collections::HashSet;

use crate::folder::Role;
use crate::message::{Address, Class, FromBody, Message};

use super::{Direction, Evidence, Policy, Reason, RuleSet, class_reason};

/// At most so many addresses of one message are looked up in the CRM (rule 8d).
pub const MAX_PARTIES: usize = 20;

/// Names of further addresses in the evidence, in bytes: as the address lists of an activity.
const MAX_NAMED: usize = 30_000;

/// One message in one place, with what the rules need to know besides.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub message: &'a Message,
    /// What only the body tells; `None` while only the header was read.
    pub body: Option<&'a FromBody>,
    /// Of the folder in which the message lies.
    pub role: Role,
    /// INTERNALDATE, Unix seconds.
    pub internal_date: i64,
    /// What is older than this is `before-history`, Unix seconds.
    pub window_start: i64,
    /// Addresses, in normal form, of the active employees; `None`: not known yet.
    pub employees: Option<&'a HashSet<String>>,
    /// The message was there when its folder was first read: history.
    pub first_reading: bool,
    /// A person wants it in the CRM, and how they said so: [`lies_in`], [`bears`].
    pub by_hand: Option<&'a str>,
}

/// How a person says it by laying a message into the folder for that.
pub fn lies_in(folder: &str) -> String {
    format!("saved by hand: lies in {folder}")
}

/// How a person says it by giving a message the keyword for that.
pub fn bears(keyword: &str) -> String {
    format!("saved by hand: bears the keyword {keyword}")
}

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Skip(Reason),
    Queue {
        /// The employees were not known: to be asked again when the message is due.
        undecided_employees: bool,
    },
}

/// A decision with all that it was made by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub direction: Direction,
    pub decision: Decision,
    pub evidence: Vec<Evidence>,
    /// The external addresses in the order of rule 8d, each once, at most [`MAX_PARTIES`]; the
    /// rest is named in the evidence. Also there for a skipped message, which a person may save;
    /// if that is `excluded`, with the addresses that were excluded.
    pub parties: Vec<Address>,
    /// Policy for the message's class; normal for ordinary mail.
    pub class_policy: Policy,
    /// The parties are those whose mails a colleague forwards.
    pub forwarded: bool,
    /// A person wants it in the CRM: a card is made if there is none.
    pub by_hand: bool,
}

/// Decides whether a message belongs in the CRM.
///
/// While the employees are not known, it skips only what would be skipped whoever is an
/// employee; the rest is queued undecided. While only the header is known, it skips only what
/// would be skipped whatever the body says.
///
/// What a person saves by hand is kept out by no rule of the mailbox: folder, switch, history,
/// exclusions, class. What could not be filed at all stays what it is.
pub fn admit(rules: &RuleSet, arrival: &Arrival) -> Admitted {
    let message = arrival.message;
    let company = Company::new(rules, arrival.employees);
    let mut evidence = Vec::new();
    let sender = message.from.as_ref();
    let sender_inside = sender.and_then(|sender| company.why_inside(&sender.email));
    let origin = origin(rules, arrival, &company, sender_inside);
    let direction = match origin {
        Origin::Colleague(_) => Direction::Outgoing,
        Origin::Outside | Origin::MailServer | Origin::Forwarded(..) => Direction::Incoming,
    };
    let parties = match &origin {
        Origin::Colleague(_) | Origin::Outside => external(message, direction, &company),
        Origin::Forwarded(_, originals) => originals.clone(),
        Origin::MailServer => {
            let failed = arrival.body.map(|body| body.failed.as_slice()).unwrap_or_default();
            let named = external(message, direction, &company);
            outside(failed.iter().chain(&named), &company)
        }
    };
    let class_policy = match arrival.by_hand {
        Some(_) => Policy::Normal,
        None => rules.policy(message.class.class),
    };
    let forwarded = matches!(origin, Origin::Forwarded(..));
    let mut admission =
        Admission { rules, arrival, company, origin, direction, parties, class_policy };
    let decision = admission.decide(&mut evidence);
    let Admission { mut parties, .. } = admission;
    if parties.len() > MAX_PARTIES {
        let rest = parties.split_off(MAX_PARTIES);
        evidence.push(Evidence::new("parties", not_looked_up(&rest)));
    }
    Admitted {
        direction,
        decision,
        evidence,
        parties,
        class_policy,
        forwarded,
        by_hand: arrival.by_hand.is_some(),
    }
}

/// Whose mail it is (rule 4).
enum Origin {
    Outside,
    Colleague(Inside),
    /// A bounce: no person wrote it, and our own server's are about clients as well.
    MailServer,
    /// A colleague's forward inside the company, and whose mails it forwards.
    Forwarded(Inside, Vec<Address>),
}

fn origin(
    rules: &RuleSet,
    arrival: &Arrival,
    company: &Company,
    sender_inside: Option<Inside>,
) -> Origin {
    if arrival.message.class.class == Class::Bounce {
        return Origin::MailServer;
    }
    let Some(inside) = sender_inside else { return Origin::Outside };
    let to_outside = arrival.message.recipients().any(|to| company.why_inside(&to.email).is_none());
    if let (true, false, Some(body)) = (rules.forwards, to_outside, arrival.body) {
        let originals = outside(&body.forwarded, company);
        if !originals.is_empty() {
            return Origin::Forwarded(inside, originals);
        }
    }
    Origin::Colleague(inside)
}

struct Admission<'a> {
    rules: &'a RuleSet,
    arrival: &'a Arrival<'a>,
    company: Company<'a>,
    origin: Origin,
    direction: Direction,
    parties: Vec<Address>,
    class_policy: Policy,
}

impl Admission<'_> {
    /// The rules in their order; each early return is one rule's no.
    fn decide(&mut self, evidence: &mut Vec<Evidence>) -> Decision {
        let message = self.arrival.message;
        match self.arrival.by_hand {
            Some(how) => evidence.push(Evidence::new("save", how)),
            None => {
                if let Some(reason) = self.kept_out_unread(evidence) {
                    return Decision::Skip(reason);
                }
            }
        }

        // Rule 3. Only what the company sent: clients that use Bitrix24 too write with such
        // Message-IDs, and their mail is not ours to leave out.
        let sent_here = self.direction == Direction::Outgoing || self.arrival.role == Role::Sent;
        if let (Some(activity), true) = (message.crm_activity, sent_here) {
            let fact = format!("sent by the CRM itself as activity {activity}");
            evidence.push(Evidence::new("own-crm-mail", fact));
            return Decision::Skip(Reason::OwnCrmMail);
        }

        // Rule 4; then what rule 2 could not ask before the direction was known.
        evidence.push(Evidence::new("direction", self.direction_fact()));
        if self.direction == Direction::Outgoing
            && self.arrival.first_reading
            && !self.rules.history_outgoing
            && self.arrival.by_hand.is_none()
            // A forward may turn out to be a client's mail.
            && !(self.parties.is_empty() && self.body_may_name_others())
        {
            evidence.push(Evidence::new("history", "sent mail of the history is not filed here"));
            return Decision::Skip(Reason::BeforeHistory);
        }

        // Rule 5. A message without any address would also be "internal", and nobody would know
        // why: asked first.
        if all_addresses(message).next().is_none() {
            evidence.push(Evidence::new("no-address", "no readable address in any header"));
            return Decision::Skip(Reason::NoAddress);
        }
        let undecided_employees = self.arrival.employees.is_none();
        if self.parties.is_empty() {
            if self.body_may_name_others() {
                evidence.push(Evidence::new("internal", "the body may name somebody external"));
                return Decision::Queue { undecided_employees };
            }
            evidence.push(Evidence::new("internal", self.internal_fact()));
            return Decision::Skip(Reason::Internal);
        }

        // Rule 6.
        if self.arrival.by_hand.is_none() && self.is_excluded(undecided_employees, evidence) {
            return Decision::Skip(Reason::Excluded);
        }

        // Rule 7. The evidence of the class tells by which header it was judged.
        evidence.extend(message.class.evidence.iter().cloned());
        if let Some(reason) = class_reason(message.class.class) {
            evidence
                .push(Evidence::new("class", class_fact(message.class.class, self.class_policy)));
            if self.class_policy == Policy::Skip && !self.body_may_report() {
                return Decision::Skip(reason);
            }
        }
        if undecided_employees {
            let fact = "the CRM's employees are not known yet: asked again when it is due";
            evidence.push(Evidence::new("employees", fact));
        }
        Decision::Queue { undecided_employees }
    }

    /// Rules 1 and 2: what keeps a message out whoever wrote it.
    fn kept_out_unread(&self, evidence: &mut Vec<Evidence>) -> Option<Reason> {
        // Rule 1. Asked first: nothing in spam may reach the CRM, whatever the rules say.
        let kept_out = Reason::of_folder(self.arrival.role);
        if kept_out.is_some() {
            let role = self.arrival.role;
            evidence.push(Evidence::new("folder", format!("lies in a folder of role {role}")));
            return kept_out;
        }

        // Rule 2.
        if !self.rules.enabled {
            evidence.push(Evidence::new("integration", "off for this mailbox"));
            return Some(Reason::CrmOff);
        }
        if self.arrival.internal_date < self.arrival.window_start {
            evidence.push(Evidence::new("history", before_window(self.arrival)));
            return Some(Reason::BeforeHistory);
        }
        None
    }

    /// A report of our own server about a client's address, or a forward.
    fn body_may_name_others(&self) -> bool {
        let asked = match self.origin {
            Origin::MailServer => true,
            Origin::Colleague(_) => {
                self.rules.forwards || self.sender_local_part().is_some_and(is_of_servers)
            }
            Origin::Outside | Origin::Forwarded(..) => false,
        };
        asked && self.arrival.body.is_none()
    }

    /// While only the header is known: the text may tell that a robot's mail is a bounce, which
    /// has a policy of its own.
    fn body_may_report(&self) -> bool {
        let other = match self.arrival.message.class.class {
            Class::Automated | Class::MailingList => self.rules.bounce != Policy::Skip,
            Class::Normal | Class::Bounce | Class::SpamVerdict => false,
        };
        other && self.arrival.body.is_none()
    }

    fn sender_local_part(&self) -> Option<&str> {
        let sender = self.arrival.message.from.as_ref()?;
        sender.email.rsplit_once('@').map(|(local, _)| local)
    }

    fn direction_fact(&self) -> String {
        if let Origin::MailServer = self.origin {
            return "incoming: a mail server reports about a delivery".to_owned();
        }
        let Some(sender) = &self.arrival.message.from else {
            return "incoming: no sender can be read".to_owned();
        };
        let email = &sender.email;
        match &self.origin {
            Origin::Colleague(inside) => format!("outgoing: {email} is {}", inside.as_words()),
            Origin::Forwarded(inside, originals) => format!(
                "incoming: {email}, {}, forwards what {} wrote",
                inside.as_words(),
                names(originals)
            ),
            Origin::Outside | Origin::MailServer => {
                format!("incoming: {email} is not of the company")
            }
        }
    }

    fn internal_fact(&self) -> String {
        let seen: Vec<String> = all_addresses(self.arrival.message)
            .filter_map(|address| {
                let inside = self.company.why_inside(&address.email)?;
                Some(format!("{} is {}", address.email, inside.as_words()))
            })
            .take(MAX_PARTIES)
            .collect();
        match &self.arrival.message.from {
            Some(_) => format!("no external participant: {}", seen.join(", ")),
            None => {
                format!("no sender can be read and nobody else is external: {}", seen.join(", "))
            }
        }
    }

    /// Rule 6: an incoming mail by its sender; of an outgoing one, and of a forward, the excluded
    /// addresses are dropped, and it is excluded if none is left.
    fn is_excluded(&mut self, undecided: bool, evidence: &mut Vec<Evidence>) -> bool {
        match self.origin {
            Origin::Outside | Origin::MailServer => {
                let Some(sender) = &self.arrival.message.from else {
                    return false;
                };
                let Some(pattern) = self.rules.excluded_by(&sender.email) else {
                    return false;
                };
                let named = format!("the sender {} is excluded by {pattern}", sender.email);
                // The sender may turn out to be an employee, and the mail an outgoing one to
                // somebody who is not excluded.
                let may_be_outgoing = undecided
                    && external(self.arrival.message, Direction::Outgoing, &self.company)
                        .iter()
                        .any(|address| self.rules.excluded_by(&address.email).is_none());
                evidence.push(Evidence::new(
                    "exclude",
                    if may_be_outgoing { format!("{named}, unless an employee") } else { named },
                ));
                !may_be_outgoing
            }
            Origin::Colleague(_) | Origin::Forwarded(..) => {
                let rules = self.rules;
                let excluded = |party: &mut Address| rules.excluded_by(&party.email).is_some();
                let dropped: Vec<Address> = self.parties.extract_if(.., excluded).collect();
                if dropped.is_empty() {
                    return false;
                }
                evidence.push(Evidence::new("exclude", format!("dropped {}", names(&dropped))));
                if !self.parties.is_empty() {
                    return false;
                }
                self.parties = dropped;
                true
            }
        }
    }
}

impl RuleSet {
    /// The exclusion that names this address, if one does.
    fn excluded_by(&self, email: &str) -> Option<&super::Pattern> {
        super::Pattern::first(&self.exclude, email)
    }
}

/// Whether an address, in normal form, belongs to the company (rule 4).
pub fn is_inside(rules: &RuleSet, employees: Option<&HashSet<String>>, email: &str) -> bool {
    Company::new(rules, employees).why_inside(email).is_some()
}

/// Names under which mail servers write; a report in their own words is known by its text alone.
fn is_of_servers(local: &str) -> bool {
    ["postmaster", "mailer-daemon", "mailerdaemon", "mail-daemon", "root", "daemon"]
        .contains(&local)
        || local.starts_with("microsoftexchange")
}

/// Why an address belongs to the company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    OwnAddress,
    OwnDomain,
    Employee,
}

impl Inside {
    fn as_words(self) -> &'static str {
        match self {
            Inside::OwnAddress => "an own address",
            Inside::OwnDomain => "in an internal domain",
            Inside::Employee => "an employee",
        }
    }
}

/// Who belongs to the company in the sense of rule 4.
struct Company<'a> {
    rules: &'a RuleSet,
    /// Those own addresses that bear a tag, without it.
    untagged: HashSet<String>,
    employees: Option<&'a HashSet<String>>,
}

impl<'a> Company<'a> {
    fn new(rules: &'a RuleSet, employees: Option<&'a HashSet<String>>) -> Company<'a> {
        let untagged = rules.own.iter().filter_map(|own| without_tag(own)).collect();
        Company { rules, untagged, employees }
    }

    /// `None` for an address outside, and for one outside the own domains while the employees
    /// are not known.
    fn why_inside(&self, email: &str) -> Option<Inside> {
        let own = |email: &str| self.rules.own.contains(email) || self.untagged.contains(email);
        if own(email) || without_tag(email).is_some_and(|untagged| own(&untagged)) {
            return Some(Inside::OwnAddress);
        }
        let domain = email.rsplit_once('@').map(|(_, domain)| domain);
        if domain.is_some_and(|domain| self.rules.internal_domains.contains(domain)) {
            return Some(Inside::OwnDomain);
        }
        if self.employees.is_some_and(|employees| employees.contains(email)) {
            return Some(Inside::Employee);
        }
        None
    }
}

/// `ann@example.com` for `ann+shop@example.com` (RFC 5233), `None` where there is no tag.
fn without_tag(email: &str) -> Option<String> {
    let (local, domain) = email.rsplit_once('@')?;
    let (user, _) = local.split_once('+')?;
    // An address like `+4930…@sms.example` is all tag: a number, no mailbox with a tag.
    (!user.is_empty()).then(|| format!("{user}@{domain}"))
}

/// The external addresses in the order of rule 8d, each once.
///
/// Bcc stands only in our own copies: in an incoming mail it says nothing of the sender's side.
fn external(message: &Message, direction: Direction, company: &Company) -> Vec<Address> {
    let lists: [&[Address]; 5] = match direction {
        Direction::Incoming => {
            let from = message.from.as_slice();
            [&message.reply_to, from, &message.from_more, &message.to, &message.cc]
        }
        Direction::Outgoing => [&message.to, &message.cc, &message.bcc, &[], &[]],
    };
    outside(lists.into_iter().flatten(), company)
}

/// Those of the addresses that are not of the company, each once.
fn outside<'a>(
    addresses: impl IntoIterator<Item = &'a Address>,
    company: &Company,
) -> Vec<Address> {
    let mut parties: Vec<Address> = Vec::new();
    let mut places: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for address in addresses {
        if let Some(party) = places.get(address.email.as_str()).and_then(|at| parties.get_mut(*at))
        {
            // Reply-To often repeats the sender without the name that a new card needs.
            if party.name.is_empty() {
                party.name.clone_from(&address.name);
            }
        } else if company.why_inside(&address.email).is_none() {
            places.insert(&address.email, parties.len());
            parties.push(address.clone());
        }
    }
    parties
}

fn all_addresses(message: &Message) -> impl Iterator<Item = &Address> {
    message
        .from
        .iter()
        .chain(&message.from_more)
        .chain(&message.reply_to)
        .chain(&message.to)
        .chain(&message.cc)
        .chain(&message.bcc)
}

fn class_fact(class: Class, policy: Policy) -> String {
    let class = match class {
        Class::Normal => "normal",
        Class::Bounce => "bounce",
        Class::Automated => "automated",
        Class::MailingList => "mailing-list",
        Class::SpamVerdict => "spam-verdict",
    };
    match policy {
        Policy::Skip => format!("{class}: not filed here"),
        Policy::Attach => format!("{class}: filed on a known card only, nothing is made for it"),
        Policy::Normal => format!("{class}: filed like any other mail"),
    }
}

fn before_window(arrival: &Arrival) -> String {
    let seconds = arrival.window_start.saturating_sub(arrival.internal_date);
    format!("arrived {} days before the history begins", seconds.saturating_add(86_399) / 86_400)
}

fn not_looked_up(rest: &[Address]) -> String {
    format!("{} further addresses are not looked up: {}", rest.len(), names(rest))
}

/// The addresses, cut where the list gets too long to be kept with every message.
fn names(addresses: &[Address]) -> String {
    let mut text = String::new();
    for (position, address) in addresses.iter().enumerate() {
        if text.len() + address.email.len() > MAX_NAMED {
            text.push_str(&format!(" and {} more", addresses.len() - position));
            break;
        }
        if position > 0 {
            text.push_str(", ");
        }
        text.push_str(&address.email);
    }
    text
}

#[cfg(test)]
mod tests;
