//! mailcrm: from IMAP mailboxes to Bitrix24, every message once.
//!
//! The modules in the order in which data passes them.

pub mod card;
pub mod crm;
pub mod demo;
pub mod message;
pub mod rules;
