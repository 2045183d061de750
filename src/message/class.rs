//! What kind of mail it is: a person's, a bounce, a robot's, a list's. Pure.

use serde::{Deserialize, Serialize};

use crate::rules::Evidence;

/// Class of a message (rule 7); the names are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    Normal,
    Bounce,
    Automated,
    MailingList,
    SpamVerdict,
}

/// A class and what it was judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    pub class: Class,
    pub evidence: Vec<Evidence>,
}
