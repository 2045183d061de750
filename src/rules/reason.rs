//! Why a message is not filed: stable codes, each with a sentence and the mend. Pure.

use serde::{Deserialize, Serialize};

use super::State;
use crate::folder::Role;

/// Reason codes. Public and stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    SpamFolder,
    TrashFolder,
    DraftsFolder,
    CrmOff,
    BeforeHistory,
    Internal,
    Excluded,
    SpamVerdict,
    Automated,
    Bounce,
    MailingList,
    OwnCrmMail,
    NoAddress,
    CreationOff,
    /// Left the server before its body was read.
    Gone,
    HiddenCard,
    SeveralDeals,
    Undecided,
    Unreadable,
}

impl Reason {
    /// Why the mail of a folder is kept out whoever wrote it; `None` for any other folder.
    pub fn of_folder(role: Role) -> Option<Reason> {
        match role {
            Role::Spam => Some(Reason::SpamFolder),
            Role::Trash => Some(Reason::TrashFolder),
            Role::Drafts => Some(Reason::DraftsFolder),
            Role::Inbox | Role::Sent | Role::All | Role::Archive | Role::Other => None,
        }
    }

    /// Every reason, in the order of the manual.
    pub const ALL: [Reason; 19] = [
        Reason::SpamFolder,
        Reason::TrashFolder,
        Reason::DraftsFolder,
        Reason::CrmOff,
        Reason::BeforeHistory,
        Reason::Internal,
        Reason::Excluded,
        Reason::SpamVerdict,
        Reason::Automated,
        Reason::Bounce,
        Reason::MailingList,
        Reason::OwnCrmMail,
        Reason::NoAddress,
        Reason::CreationOff,
        Reason::Gone,
        Reason::HiddenCard,
        Reason::SeveralDeals,
        Reason::Undecided,
        Reason::Unreadable,
    ];

    /// The public code, such as `spam-folder`.
    pub fn code(self) -> &'static str {
        match self {
            Reason::SpamFolder => "spam-folder",
            Reason::TrashFolder => "trash-folder",
            Reason::DraftsFolder => "drafts-folder",
            Reason::CrmOff => "crm-off",
            Reason::BeforeHistory => "before-history",
            Reason::Internal => "internal",
            Reason::Excluded => "excluded",
            Reason::SpamVerdict => "spam-verdict",
            Reason::Automated => "automated",
            Reason::Bounce => "bounce",
            Reason::MailingList => "mailing-list",
            Reason::OwnCrmMail => "own-crm-mail",
            Reason::NoAddress => "no-address",
            Reason::CreationOff => "creation-off",
            Reason::Gone => "gone",
            Reason::HiddenCard => "hidden-card",
            Reason::SeveralDeals => "several-deals",
            Reason::Undecided => "undecided",
            Reason::Unreadable => "unreadable",
        }
    }

    /// The reason with this public code, if there is one.
    pub fn parse(code: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The state of a message that has this reason.
    pub fn state(self) -> State {
        match self {
            Reason::SpamFolder
            | Reason::TrashFolder
            | Reason::DraftsFolder
            | Reason::CrmOff
            | Reason::BeforeHistory
            | Reason::Internal
            | Reason::Excluded
            | Reason::SpamVerdict
            | Reason::Automated
            | Reason::Bounce
            | Reason::MailingList
            | Reason::OwnCrmMail
            | Reason::NoAddress
            | Reason::CreationOff
            | Reason::Gone => State::Skipped,
            Reason::HiddenCard | Reason::SeveralDeals | Reason::Undecided => State::Parked,
            Reason::Unreadable => State::Quarantined,
        }
    }

    /// Why, in one sentence for the operator.
    pub fn sentence(self) -> &'static str {
        match self {
            Reason::SpamFolder => {
                "The message lies in the mailbox's spam folder, and mail in the spam folder is \
                 never saved by itself."
            }
            Reason::TrashFolder => {
                "The message lies in the mailbox's trash folder, and deleted mail is not saved."
            }
            Reason::DraftsFolder => {
                "The message lies in the mailbox's drafts folder, and drafts are not saved before \
                 they are sent."
            }
            Reason::CrmOff => "The CRM integration of this mailbox is switched off.",
            Reason::BeforeHistory => {
                "The message is older than the history that this mailbox takes over, or is sent \
                 mail of a history that is to be taken over without it."
            }
            Reason::Internal => {
                "Everyone in the message belongs to the company: own addresses, internal domains \
                 or employees of the CRM."
            }
            Reason::Excluded => {
                "The sender, or every recipient of a sent message, is on the mailbox's list of \
                 exclusions."
            }
            Reason::SpamVerdict => {
                "A spam filter marked the message as spam, and such mail is not filed here or \
                 belongs to no known card."
            }
            Reason::Automated => {
                "The message was written by a program, such as an absence note or a receipt, and \
                 such mail is not filed here or belongs to no known card."
            }
            Reason::Bounce => {
                "The message reports a failed delivery, and such mail is not filed here or \
                 belongs to no known card."
            }
            Reason::MailingList => {
                "The message came over a mailing list or a newsletter, and such mail is not filed \
                 here or belongs to no known card."
            }
            Reason::OwnCrmMail => {
                "The CRM itself sent the message and has its activity already, so it was only \
                 linked to that."
            }
            Reason::NoAddress => "No mail address can be found in the message.",
            Reason::CreationOff => {
                "No card in the CRM bears an address of the message, and this mailbox makes no \
                 cards for this direction."
            }
            Reason::Gone => "The message left the server before its body was read.",
            Reason::HiddenCard => {
                "The message belongs to a card that exists in the CRM but may not be read with \
                 the rights of this webhook."
            }
            Reason::SeveralDeals => {
                "The client has several open deals, and a person is to choose one."
            }
            Reason::Undecided => "The rules found no single card, and a person must choose.",
            Reason::Unreadable => {
                "The message could not be read as mail; its raw bytes are kept for another try."
            }
        }
    }

    /// What to change for another outcome, in one sentence for the operator.
    pub fn mend(self) -> &'static str {
        match self {
            Reason::SpamFolder => {
                "Move the message out of the spam folder, or, if the wrong folder counts as spam \
                 (such as the inbox), choose another folder for spam with `folders.spam` and run \
                 `mailcrm redecide`."
            }
            Reason::TrashFolder => {
                "Move the message out of the trash, or name the real trash folder with \
                 `folders.trash` and run `mailcrm redecide`."
            }
            Reason::DraftsFolder => {
                "Send the draft, or name the real drafts folder with `folders.drafts` and run \
                 `mailcrm redecide`."
            }
            Reason::CrmOff => {
                "Set `crm.enabled = true` for the mailbox and run `mailcrm redecide`, or save this \
                 one by hand with `crm.save_keyword` or `crm.save_folder`."
            }
            Reason::BeforeHistory => {
                "Raise `crm.history_days` and restart, set `crm.history_outgoing = true` for sent \
                 mail, or save this one by hand with `crm.save_keyword` or \
                 `crm.save_folder`."
            }
            Reason::Internal => {
                "If an address or domain is not the company's, take it out of \
                 `crm.internal_domains`, of the mailbox's `aliases` or of the CRM's employees and \
                 run `mailcrm redecide`; with `crm.forwards = true` a colleague's forward of a \
                 client's mail counts as the client's."
            }
            Reason::Excluded => {
                "Take the address or its pattern out of `crm.exclude` and run `mailcrm redecide`, \
                 or save this one by hand with `crm.save_keyword` or `crm.save_folder`."
            }
            Reason::SpamVerdict => {
                "Set `crm.spam_verdict = \"normal\"` (`\"attach\"` for known cards only) and run \
                 `mailcrm redecide`, or save this one by hand with `crm.save_keyword` or \
                 `crm.save_folder`."
            }
            Reason::Automated => {
                "Set `crm.automated = \"normal\"` (`\"attach\"` for known cards only) and run \
                 `mailcrm redecide`, or save this one by hand with `crm.save_keyword` or \
                 `crm.save_folder`."
            }
            Reason::Bounce => {
                "Set `crm.bounce = \"normal\"` (`\"attach\"` for known cards only) and run \
                 `mailcrm redecide`, or save this one by hand with `crm.save_keyword` or \
                 `crm.save_folder`."
            }
            Reason::MailingList => {
                "Set `crm.mailing_list = \"normal\"` (`\"attach\"` for known cards only) and run \
                 `mailcrm redecide`, or save this one by hand with `crm.save_keyword` or \
                 `crm.save_folder`."
            }
            Reason::OwnCrmMail => {
                "Nothing is to be done: the message stands on its card as the activity that the \
                 CRM made when it sent it."
            }
            Reason::NoAddress => {
                "Without an address no card can be found: enter it in the CRM, on the right card, by \
                 hand."
            }
            Reason::CreationOff => {
                "Set `crm.on_incoming` or `crm.on_outgoing` to `lead`, `contact` or `deal` and run \
                 `mailcrm redecide`, or make the client's card in the CRM before you run it."
            }
            Reason::Gone => {
                "Put the message back into a synchronised folder; it is then read as a new place."
            }
            Reason::HiddenCard => {
                "Give the webhook's employee the right to read the card and run `mailcrm \
                 redecide`."
            }
            Reason::SeveralDeals => {
                "Close the deals that are done, or set `crm.deal_choice` to `latest`, `only`, `all` or \
                 `none`, and run `mailcrm redecide`."
            }
            Reason::Undecided => {
                "Give the client of the right card an address of this mail in the CRM, or, if it \
                 forwards several mails, have them forwarded one by one; then run `mailcrm redecide`."
            }
            Reason::Unreadable => {
                "Run `mailcrm redecide` after an update of mailcrm, or file the client's request \
                 by hand from a mail program."
            }
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity)]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_codes_are_those_of_the_contract() {
        let contract = "spam-folder trash-folder drafts-folder crm-off before-history internal \
                        excluded spam-verdict automated bounce mailing-list own-crm-mail \
                        no-address creation-off gone hidden-card several-deals undecided \
                        unreadable";
        let codes: Vec<&str> = Reason::ALL.into_iter().map(Reason::code).collect();
        assert_eq!(codes.join(" "), contract);
    }

    #[test]
    fn every_code_reads_back_and_is_the_same_in_json() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.code()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
        assert_eq!(Reason::parse("Spam-Folder"), None);
        assert_eq!(Reason::parse(""), None);
    }

    #[test]
    fn every_reason_has_one_sentence_and_a_mend_of_its_own() {
        let mut sentences = HashSet::new();
        for reason in Reason::ALL {
            for text in [reason.sentence(), reason.mend()] {
                assert!(text.ends_with('.') && !text.contains("  "), "{reason}: {text}");
            }
            assert!(sentences.insert(reason.sentence()), "{reason}");
        }
    }

    #[test]
    fn only_skipped_parked_and_quarantined_messages_have_a_reason() {
        #[rustfmt::skip]
        let cases = [
            (Reason::SpamFolder,   State::Skipped),
            (Reason::CreationOff,  State::Skipped),
            (Reason::Gone,         State::Skipped),
            (Reason::HiddenCard,   State::Parked),
            (Reason::SeveralDeals, State::Parked),
            (Reason::Undecided,    State::Parked),
            (Reason::Unreadable,   State::Quarantined),
        ];
        for (reason, state) in cases {
            assert_eq!(reason.state(), state, "{reason}");
        }
        let parked = Reason::ALL.into_iter().filter(|r| r.state() == State::Parked).count();
        assert_eq!(parked, 3);
    }
}
