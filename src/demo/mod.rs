//! What `mailcrm demo` and the tests run beside the daemon: a private mail server and sample mail.

mod certificate;
pub mod dovecot;
mod dovecot_conf;
mod files;
mod guard;
mod maildir;
mod owner;
pub mod port;
pub mod samples;
