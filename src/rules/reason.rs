//! Why a message is not filed: stable codes, each with a sentence and the mend. Pure.

/// Reason codes (product.md section 3). Public and stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    Gone,
    HiddenCard,
    SeveralDeals,
    Undecided,
    Unreadable,
}
