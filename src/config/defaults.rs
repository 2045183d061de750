//! What holds where the configuration says nothing, and how far each value may go. Pure.
//!
//! Every default and every limit stands here once, with its reason.

use crate::rules::{Creation, DealChoice, Policy};

/// Written to ORIGINATOR_ID. Bitrix24's own integration writes `email-tracker`, and its code
/// deletes untouched leads with that originator: ours must differ.
pub const ORIGINATOR: &str = "mailcrm";

/// ORIGINATOR_ID is a column of 255 characters.
pub const ORIGINATOR_MAX: usize = 255;

/// What a cloud portal's bucket loses a second on all plans but Enterprise.
pub const REQUESTS_PER_SECOND: f64 = 2.0;
/// One request in 100 seconds still delivers; less could be taken for a hang.
pub const REQUESTS_PER_SECOND_MIN: f64 = 0.01;
/// A portal of one's own has no bucket; beyond this the limiter limits nothing.
pub const REQUESTS_PER_SECOND_MAX: f64 = 1000.0;

/// The bucket of a cloud portal holds 50. Ten are left to other programs behind the same
/// address, which share it.
pub const BURST: i64 = 40;
pub const BURST_MIN: i64 = 1;
/// Enterprise portals hold 250; a portal of one's own is bounded by its web server.
pub const BURST_MAX: i64 = 10_000;

/// A card's new responsible is followed within a minute, at the price of one batch.
pub const FOLLOW_RESPONSIBLE_SECS: i64 = 60;
/// A portal of one's own has requests to spare; without any pause nothing else would be asked.
pub const FOLLOW_RESPONSIBLE_SECS_MIN: i64 = 1;
pub const FOLLOW_RESPONSIBLE_SECS_MAX: i64 = 86_400;

/// `StateDirectory=` of the service (FHS 5.8).
pub const LEDGER_PATH: &str = "/var/lib/mailcrm/ledger.sqlite";

/// A long weekend with the CRM down, at some ten thousand mails of 100 KiB and attachments.
pub const SPOOL_MAX_MIB: i64 = 2048;
pub const SPOOL_MAX_MIB_MIN: i64 = 1;
/// 16 TiB: more is a slip of the keyboard.
pub const SPOOL_MAX_MIB_MAX: i64 = 16 * 1024 * 1024;

/// Providers take mails up to 25 to 50 MB; Base64 makes a third more of it.
pub const MAX_MESSAGE_MIB: i64 = 64;
pub const MAX_MESSAGE_MIB_MIN: i64 = 1;
/// A message is held in memory while it is read: 1 GiB of it is what a server can bear.
pub const MAX_MESSAGE_MIB_MAX: i64 = 1024;

pub const SOCKET_NAME: &str = "mailcrm.sock";
/// Where the service's `RuntimeDirectory=` lies, for commands that run outside the service.
pub const RUNTIME_FOLDER: &str = "/run/mailcrm";
/// Where systemd keeps the service's credentials, for commands that run outside the service.
pub const CREDENTIALS_FOLDER: &str = "/run/credentials/mailcrm.service";

/// On the loopback interface: the page shows customers' names.
pub const HTTP_LISTEN: &str = "127.0.0.1:8025";

/// RFC 8314: TLS from the first byte is the preferred way.
pub const TLS: &str = "implicit";
/// RFC 8314 section 7.1 for `tls = "implicit"`; 143 otherwise (RFC 3501 section 2.1).
pub const IMAP_PORT: u16 = 993;
pub const IMAP_PORT_PLAIN: u16 = 143;
/// RFC 8314 section 7.3 for `tls = "implicit"`.
pub const SMTP_PORT: u16 = 465;
/// Submission (RFC 6409 section 3.1), with STARTTLS or on the loopback interface.
pub const SMTP_PORT_PLAIN: u16 = 587;

/// Within what home routers and providers' NATs keep open.
pub const IDLE_REFRESH_SECS: i64 = 300;
/// How soon a wire is cut is not ours to guess: the shortest seen with a provider lasts 55 seconds.
pub const IDLE_REFRESH_SECS_MIN: i64 = 1;
/// Servers may drop an IDLE after 30 minutes (RFC 2177).
pub const IDLE_REFRESH_SECS_MAX: i64 = 1740;

/// A minute is what an answer from a polled folder may wait without anybody noticing.
pub const POLL_SECS: i64 = 60;
pub const POLL_SECS_MIN: i64 = 1;
pub const POLL_SECS_MAX: i64 = 86_400;

/// A new installation must not send years of old mail to the CRM; a week is what a person
/// still remembers to have seen.
pub const HISTORY_DAYS: i64 = 7;
/// Ten years: older mail is an archive's business.
pub const HISTORY_DAYS_MAX: i64 = 3650;

/// A stranger who writes in is a lead; whom we write to is no stranger any more.
pub const ON_INCOMING: Creation = Creation::Lead;
pub const ON_OUTGOING: Creation = Creation::Contact;
/// What a sales person works on is the deal that changed last.
pub const DEAL_CHOICE: DealChoice = DealChoice::Latest;
/// Robots' mail is worth keeping on a known card and makes no new ones.
pub const POLICY: Policy = Policy::Attach;

/// Bitrix24's own source for e-mail, present in every portal.
pub const SOURCE: &str = "EMAIL";
/// STATUS_ID is a column of 50 characters.
pub const SOURCE_MAX: usize = 50;

/// A keyword of our own, in the manner of `$Forwarded` (RFC 5788).
pub const SAVE_KEYWORD: &str = "$CRM";

/// The end of the working day in a new Bitrix24 portal.
pub const DEADLINE: &str = "19:00";

/// What Bitrix24's own integration takes.
pub const MAX_ATTACHMENT_MIB: i64 = 24;
/// A file is held in memory in Base64 by us and by the portal's PHP.
pub const MAX_ATTACHMENT_MIB_MAX: i64 = 1024;

/// A password's or URL's first line is shorter by far; a file that is longer is another file.
pub const SECRET_MAX_BYTES: u64 = 64 * 1024;
/// A password command that asks a person, or a vault that does not answer, must not hold up
/// the login for ever.
pub const SECRET_COMMAND_SECS: u64 = 30;

pub const MIB: u64 = 1024 * 1024;
