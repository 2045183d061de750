//! The whole program against real servers. One binary: it is linked once, and the waiting of one
//! test is the working time of another.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod by_hand;
mod cards_and_people;
mod common;
mod connection;
mod demo;
mod disk_full;
mod dovecot_harness;
mod explain;
mod faq;
mod faults_harness;
mod first_mail;
mod imap_patience;
mod imap_traps;
mod kills;
mod large_mail;
mod ledger_invariants;
mod lost_answers;
mod mailbox;
mod never_send;
mod one_ledger;
mod other_servers;
mod outage;
mod parse_properties;
mod plan;
mod redecide;
mod repair;
mod rules_in_the_crm;
mod rules_of_admission;
mod rules_of_clients;
mod rules_of_creation;
mod structure;
mod task;
