//! What the private Dovecot is told: dovecot.conf and its users. Pure.
//!
//! Seen with Dovecot 2.3.19 (Debian 12).

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::owner::Owner;

pub const NAME: &str = "dovecot.conf";
pub const USERS: &str = "users";
pub const LOG: &str = "dovecot.log";

/// What differs from server to server.
pub struct Facts<'a> {
    pub files: &'a Path,
    pub run: &'a Path,
    pub owner: &'a Owner,
    pub imap_port: u16,
    pub imaps_port: u16,
    pub greeting: &'a str,
    pub extra: &'a str,
}

/// The text of dovecot.conf.
pub fn text(facts: &Facts<'_>) -> String {
    let Facts { files, run, owner, imap_port, imaps_port, greeting, extra } = facts;
    let (files, run) = (files.display(), run.display());
    let Owner { user, group, .. } = owner;
    format!(
        "# Written by mailcrm at each start.
base_dir = {run}
state_dir = {run}
log_path = {files}/{LOG}
protocols = imap
listen = 127.0.0.1
login_greeting = {greeting}

# Everything runs as one unprivileged user; nothing may chroot.
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1

ssl = yes
ssl_cert = <{files}/server.pem
ssl_key = <{files}/server.key

auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = {files}/{USERS}
}}
userdb {{
  driver = passwd-file
  args = {files}/{USERS}
}}
# A rejected login is answered at once, the first as the tenth: tests make many.
auth_failure_delay = 0
service anvil {{
  chroot =
  client_limit = 5000
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}

mail_home = {files}/mail/%u
mail_location = maildir:~/Maildir:CONTROL=~/control:INDEX=~/index:UTF-8
# Nothing here must outlive the machine.
mail_fsync = never
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = subscribe
  }}
}}

# Where the kernel has no inotify instance left (128 for a user, and several servers are one
# user), IDLE finds new mail only by looking, by default every 30 seconds.
mailbox_idle_check_interval = 5 secs

# Room for load tests: hundreds of connections of one user, in few login processes.
mail_max_userip_connections = 5000
default_client_limit = 4000
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  process_limit = 4
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service imap-urlauth-login {{
  chroot =
  process_limit = 1
}}
service imap {{
  process_limit = 1500
}}
{extra}
"
    )
}

/// Users in the form of Dovecot's passwd-file.
///
/// # Errors
/// The first user whose name would be no plain word there or in a path.
pub fn passwd_file(users: &[(String, String)]) -> Result<String, String> {
    let mut text = String::new();
    for (user, password) in users {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
        // Dovecot lowers the case of user names.
        let bad = user.is_empty()
            || user.starts_with('.')
            || !user.chars().all(|c| plain(c) && !c.is_ascii_uppercase());
        if bad {
            return Err(user.clone());
        }
        // In base64, because a password may hold the colon that parts the fields.
        let password = BASE64_STANDARD.encode(password);
        text.push_str(&format!("{user}:{{PLAIN.b64}}{password}::::::\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_may_hold_anything_and_names_may_not() {
        let user = |name: &str| vec![(name.to_owned(), "a:b\nc".to_owned())];
        assert_eq!(
            passwd_file(&user("ana@x.es")),
            Ok("ana@x.es:{PLAIN.b64}YTpiCmM=::::::\n".into())
        );
        for name in ["", "a:b", "a b", "../a", ".", "Ana", "a/b", "a\n", "ñ"] {
            assert_eq!(passwd_file(&user(name)), Err(name.to_owned()), "{name:?}");
        }
    }
}
