//! Who writes by itself: names of senders, and headers that only programs write. Pure.

use super::{Address, address, charset, class::first_word, header::Headers, params, word};

/// Headers that only programs answering or reporting by themselves write, whatever they say
/// except `no`.
#[rustfmt::skip]
pub const AUTOMATED: &[&str] = &[
    // Vacation programs and autoresponders: BoxTrapper and cPanel, DTC, Exim's recipe, Gmail,
    // Kerio, MDaemon, qmail's autorespond and others.
    "X-Autoreply", "X-Auto-Reply", "X-Autoreply-From", "X-Auto-Reply-From", "X-Autoreply-Sent",
    "X-Autoreply-Domain", "X-Autorespond", "X-Auto-Respond", "X-Autoresponder",
    "X-Auto-Responder", "X-Autoresponse", "X-Auto-Response", "X-Autoresponder-From",
    "X-Mail-Autoreply", "X-Mail-Auto-Reply", "X-Mailer-Autoreply", "X-Autosubmitted",
    "X-Auto-Submitted", "X-Vacation", "X-Vacation-Message", "X-Vacation-Reply", "X-Away-Message",
    "X-Out-Of-Office", "X-OutOfOffice", "X-OOO", "Auto-Submit", "Autoresponder", "X-Autoanswer",
    // FirstClass, and cron's mails of job output.
    "X-FC-MachineGenerated", "X-Cron-Env",
    // Mailing-list managers about themselves, such as reminders of passwords.
    "X-List-Administrivia",
    // Ticket systems, trackers and builds about their own events. Those that carry what an agent
    // wrote (`X-RT-Loop-Prevention`, Zendesk's) are no evidence.
    "X-OTRS-Loop", "X-JIRA-FingerPrint", "X-Bugzilla-Reason", "X-Bugzilla-Type",
    "X-Redmine-Project", "X-Redmine-Issue-Id", "X-Trac-Project", "X-Trac-Ticket-ID",
    "X-Phabricator-Sent-This-Message", "X-Gerrit-MessageType", "X-Launchpad-Message-Rationale",
    "X-Launchpad-Notification-Type", "X-ReviewBoard-URL", "X-GitHub-Reason", "X-GitLab-Project",
    "X-GitLab-Pipeline-Id", "X-Jenkins-Job", "X-Jenkins-Result", "X-Hudson-Job",
    "X-Sentry-Project", "X-Buildbot-Builder", "X-Nagios-Notification", "X-Mantis-Issue",
    "X-Discourse-Post-Id",
    // Social networks and services.
    "X-Facebook-Notify", "X-LinkedIn-Template", "X-LinkedIn-Class", "X-Twitter-Notification",
    "x-amz-sns-message-id", "X-Amz-Sns-Topic-Arn",
    // Reports about TLS (RFC 8460 section 5.3).
    "TLS-Report-Domain", "TLS-Report-Submitter",
];

/// Headers of services that send for others: newsletters, shops, and people's CRMs alike.
#[rustfmt::skip]
pub const SERVICES: &[&str] = &[
    "Feedback-ID", "X-SES-Outgoing", "X-SG-EID", "X-Mailgun-Sid", "X-Mailgun-Message-ID",
    "X-MC-User", "X-Mandrill-User", "X-PM-Message-Id", "X-Report-Abuse", "X-Report-Abuse-To",
    "X-CSA-Complaints", "X-Campaign-ID", "X-CampaignID", "X-MSFBL", "X-MJ-Mid",
    "X-Mailjet-Campaign", "X-Sib-Id", "X-AMAZON-MAIL-RELAY-TYPE", "X-eBay-MailTracker",
    "X-PP-Email-transmission-Id", "X-Notification-ID", "X-Notification-Type",
];

/// Words in X-Mailer of programs that answer by themselves.
const MAILERS: &[&str] = &[
    "vacation",
    "autoresponder",
    "auto-responder",
    "auto responder",
    "autorespond",
    "autoreply",
    "auto-reply",
    "auto reply",
    "out of office",
    "mailbot",
];

/// The mailer, if it is one that answers by itself.
pub fn autoresponder(headers: &Headers<'_>) -> Option<String> {
    let mailer = ["X-Mailer", "User-Agent"].into_iter().find_map(|name| headers.ascii(name))?;
    let lower = mailer.to_lowercase();
    MAILERS.iter().any(|word| lower.contains(word)).then_some(mailer)
}

/// The sender as its role shows: `MAILER-DAEMON` comes without a domain too.
#[derive(Debug, Default)]
pub struct Sender {
    /// Lower case.
    pub local: String,
    /// Lower case.
    pub name: String,
}

impl Sender {
    /// `from` is what was read out of From, or of Sender if From gave nothing.
    pub fn of(headers: &Headers<'_>, from: Option<&Address>) -> Sender {
        let raw = headers.first("From").unwrap_or_default();
        match from {
            Some(from) if raw.contains(&b'@') || raw.is_empty() => Sender {
                local: address::local(&from.email).to_lowercase(),
                name: from.name.to_lowercase(),
            },
            Some(_) | None => {
                let raw = raw.get(..raw.len().min(500)).unwrap_or_default();
                let text = word::decode(&charset::decode_unlabelled(raw, None)).to_lowercase();
                let (name, local) = match text.split_once('<') {
                    Some((name, rest)) => (name, rest.split('>').next().unwrap_or_default()),
                    // `MAILER-DAEMON (Mail Delivery System)`
                    None => match text.split_once('(') {
                        Some((local, comment)) => (comment.trim_end_matches(')'), local),
                        None => (text.as_str(), text.as_str()),
                    },
                };
                let tidy = |text: &str| text.trim().trim_matches('"').trim().to_owned();
                Sender { local: tidy(local), name: tidy(name) }
            }
        }
    }

    /// Writes nothing but reports about mail.
    pub fn is_daemon(&self) -> bool {
        let local = self.local.as_str();
        // Exchange Online signs as MicrosoftExchange and 32 hexadecimal digits.
        let exchange = local.strip_prefix("microsoftexchange").is_some_and(|digits| {
            digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        exchange
            || DAEMONS.contains(&letters(local).as_str())
            || DAEMONS.iter().any(|name| {
                let rest = letters(local.split(['+', '=']).next().unwrap_or_default());
                rest == *name
            })
            || DAEMON_NAMES.iter().any(|name| self.name == *name)
            || DAEMON_PREFIXES.iter().any(|name| self.name.starts_with(name))
    }

    /// Writes reports among other mail: a postmaster may be a person.
    pub fn is_postmaster(&self) -> bool {
        POSTMASTERS.contains(&letters(&self.local).as_str())
            || POSTMASTER_NAMES.iter().any(|name| {
                let rest = self.name.strip_prefix(name);
                rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            })
    }

    /// An office in whose name some servers report.
    pub fn is_office(&self) -> bool {
        OFFICES.contains(&letters(&self.local).as_str())
            || OFFICE_NAMES.contains(&self.name.as_str())
    }

    /// An address that no person reads.
    pub fn is_robot(&self) -> bool {
        let letters = letters(&self.local);
        NO_REPLY.iter().any(|word| letters.starts_with(word) || letters.ends_with(word))
            || ROBOTS.contains(&letters.as_str())
            || self.local.ends_with("-request")
            || self.local.ends_with("-bounces")
    }

    /// An address from which only answers of programs come.
    pub fn is_autoresponder(&self) -> bool {
        let letters = letters(&self.local);
        let words = ["autoreply", "autorespond", "autoresponder", "autoresponse", "outofoffice"];
        words.iter().any(|word| letters.starts_with(word) || letters.ends_with(word))
    }
}

fn letters(local: &str) -> String {
    local.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[rustfmt::skip]
const DAEMONS: &[&str] = &[
    "mailerdaemon", "mailerdeamon", "maildaemon", "maildeamon", "maildeliverysubsystem",
    "maildeliverysystem", "maildeliversystem", "maildelivery", "maildeliveryservice",
    "maildeliverydaemon", "deliverydaemon", "smtpdaemon", "mtadaemon", "bouncedaemon",
    "nondeliveryreport", "undeliverable", "e500smtpmailservice",
];

#[rustfmt::skip]
const DAEMON_NAMES: &[&str] = &[
    "mail delivery system", "mail delivery subsystem", "mail deliver system", "mailer-daemon",
    "mailer daemon", "mail delivery service", "mail delivery daemon", "internet mail delivery",
    "email delivery system", "mail delivery failure", "mail delivery agent", "mailerdaemon",
    "mail delivery", "delivery subsystem", "smtp mail delivery", "mail-delivery-system",
];

const DAEMON_PREFIXES: &[&str] =
    &["courier mail server at", "content-filter at ", "mailer-daemon@"];

#[rustfmt::skip]
const POSTMASTERS: &[&str] = &[
    "postmaster", "mdaemon", "mailadmin", "mailadministrator", "mailmaster", "root", "nobody",
    "daemon", "systemadministrator", "mailgate", "mailgw", "mailserver", "mailsystem",
    "mailservice", "mta", "smtp", "smtpd", "interscan", "imss", "antispam", "antivirus",
    "spamfilter", "virusfilter", "mailsweeper", "mailmarshal", "listserv", "majordomo", "mailman",
    "bounce", "bounces", "ndr", "uucp", "deliverystatus", "fbl", "feedbackloop", "scomp", "amavis",
    "symantecmailsecurity", "mailguard",
];

/// Addresses of offices, where people write too, and some servers.
#[rustfmt::skip]
const OFFICES: &[&str] = &[
    "administrator", "admin", "system", "sysadmin", "mail", "mailer", "gateway", "quarantine",
    "exchange", "delivery", "feedback", "complaints", "staff", "abuse", "support", "service",
];

#[rustfmt::skip]
const POSTMASTER_NAMES: &[&str] = &[
    "postmaster", "mail administrator", "system administrator", "mail admin", "mail system",
    "mail server", "mail router", "mail gateway", "e-mail gateway", "email gateway",
    "interscan", "microsoft exchange", "microsoft outlook", "microsoft internet mail",
    "ms exchange", "exchange administrator", "systemadministrator", "administrateur système",
    "administrateur systeme", "administrador del sistema", "administrador do sistema",
    "amministratore di sistema", "systeembeheerder", "systemadministratör", "järjestelmänvalvoja",
    "administrator systemu", "správce systému", "rendszergazda", "системный администратор",
    "sistem yöneticisi", "システム管理者", "系统管理员", "系統管理員", "시스템 관리자",
    "mailmarshal",
];

/// Names of offices, compared as a whole: administrators of salons and clinics write too, and so
/// do the people of the firms that make gateways (`Ana Ruiz | Mimecast`).
#[rustfmt::skip]
const OFFICE_NAMES: &[&str] = &[
    "administrator", "admin", "администратор", "lotus notes", "groupwise", "symantec", "mimecast",
    "barracuda", "barracuda networks",
];

#[rustfmt::skip]
const NO_REPLY: &[&str] = &[
    "noreply", "donotreply", "dontreply", "nevereply", "neverreply", "nonreply", "unmonitored",
    "noresponder", "noresponda", "nepasrepondre", "nichtantworten", "keineantwort",
    "nonrispondere", "naoresponda", "naoresponder", "nietantwoorden", "ejsvara", "svarainte",
    "ikkesvar", "eivastausta", "nieodpowiadaj", "neodpovidat", "neodpovidejte", "neotvechat",
    "cevaplamayin", "noreplay",
];

/// Accounts of programs, compared as a whole.
#[rustfmt::skip]
const ROBOTS: &[&str] = &[
    "root", "cron", "daemon", "nobody", "nagios", "icinga", "zabbix", "monit", "munin", "monitor",
    "monitoring", "logwatch", "logcheck", "jenkins", "hudson", "gitlab", "buildbot", "teamcity",
    "bamboo", "travis", "wwwdata", "wwwrun", "apache", "httpd", "nginx", "mysql", "postgres",
    "backup", "bacula", "smartd", "apcupsd", "fail2ban", "clamav", "amavis", "uucp", "notification",
    "notifications", "notify", "notifier", "alert", "alerts", "automailer", "autoconfirm",
    "automated", "mailbot", "robot", "bot", "system", "majordomo", "listserv", "mailman", "sympa",
    "newsletter", "mailer", "postmaster", "bounce", "bounces", "dmarc", "dmarcreport",
    "noreplydmarcsupport", "tlsreport", "tlsrpt", "spamreport", "quarantine", "challenge",
    "verify", "verification", "confirm", "confirmation", "scanner", "scan", "kopierer", "copier",
    "fax", "voicemail", "jira", "confluence", "bugzilla", "redmine", "trac",
];

/// Whether the mail has no return path: a report or an answer that nobody may answer (RFC 5321
/// section 4.5.5). Some servers name the mailer daemon instead, qmail `#@[]` when it gives up.
pub fn has_null_path(headers: &Headers<'_>) -> bool {
    // Some write the null path as their From.
    if headers.ascii("From").is_some_and(|from| from == "<>") {
        return true;
    }
    let Some(path) = headers.ascii("Return-Path") else {
        return false;
    };
    let path: String = path.chars().filter(|c| !c.is_whitespace()).collect();
    let path = path.to_ascii_lowercase();
    let inside = path.trim_start_matches('<').trim_end_matches('>');
    inside.is_empty() && !path.is_empty()
        || inside == "#@[]"
        || letters(address::local(inside)) == "mailerdaemon"
}

/// The type of the whole message.
pub fn content_type(headers: &Headers<'_>) -> params::Value {
    headers.first("Content-Type").map(|value| params::parse(&value, None)).unwrap_or_default()
}

/// `Precedence` or its like, if its first word is one of these.
pub fn precedence(headers: &Headers<'_>, words: &[&str]) -> Vec<(&'static str, String)> {
    let names = ["Precedence", "X-Precedence", "Preference"].into_iter();
    let found = names.filter_map(|name| {
        let value = headers.ascii(name)?;
        words.contains(&first_word(&value).as_str()).then_some((name, value))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(from: &str) -> Sender {
        let raw = format!("From: {from}\n\n");
        let headers = Headers::of_message(raw.as_bytes());
        Sender::of(&headers, address::of_header(&headers, "From", None).first())
    }

    #[test]
    fn senders_are_known_by_their_roles() {
        #[rustfmt::skip]
        let cases: &[(&str, bool, bool, bool)] = &[
            ("Ana Ruiz <ana@example.com>",                       false, false, false),
            ("MAILER-DAEMON@example.com",                        true,  false, false),
            ("MAILER-DAEMON",                                    true,  false, false),
            ("MAILER-DAEMON (Mail Delivery System)",             true,  false, false),
            ("Mail Delivery Subsystem <MAILER-DAEMON>",          true,  false, false),
            ("Mailer-Daemon+x@example.com",                      true,  false, false),
            ("\"Mail Delivery System\" <x@example.com>",         true,  false, false),
            ("Mail_Delivery_Subsystem@example.com",              true,  false, false),
            ("MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com", true, false, false),
            ("MicrosoftExchange@example.com",                    false, false, false),
            ("Postmaster <postmaster@example.com>",              false, true,  true),
            ("System Administrator <x@example.com>",             false, true,  false),
            ("Courier mail server at mx.example.net <@>",        true,  false, false),
            ("no-reply@example.com",                             false, false, true),
            ("shop.noreply@example.com",                         false, false, true),
            ("ne-pas-repondre@example.com",                      false, false, true),
            ("forum-bounces@example.com",                        false, false, true),
            ("(Cron Daemon) <root@example.com>",                 false, true,  true),
            ("Mimecast Sales <ana@mimecast.example>",            false, false, false),
            ("Администратор <info@salon.example>",               false, false, false),
            ("Anabot <anabot@example.com>",                      false, false, false),
        ];
        for (from, daemon, postmaster, robot) in cases {
            let sender = sender(from);
            let judged = (sender.is_daemon(), sender.is_postmaster(), sender.is_robot());
            assert_eq!(judged, (*daemon, *postmaster, *robot), "{from}: {sender:?}");
        }
        assert!(sender("auto-reply@example.com").is_autoresponder());
    }

    #[test]
    fn null_paths_are_known() {
        #[rustfmt::skip]
        let cases: &[(&str, bool)] = &[
            ("<>", true), ("< >", true), ("<MAILER-DAEMON>", true), ("<MAILER-DAEMON@x.example>", true),
            ("<#@[]>", true), ("<ana@example.com>", false), ("", false),
        ];
        for (path, expected) in cases {
            let raw = format!("Return-Path: {path}\n\n");
            assert_eq!(has_null_path(&Headers::of_message(raw.as_bytes())), *expected, "{path}");
        }
        assert!(!has_null_path(&Headers::of_message(b"From: a@b\n\n")));
        assert!(has_null_path(&Headers::of_message(b"From: <>\n\n")));
    }
}
