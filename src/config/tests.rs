#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder with a configuration in it, and what else it names.
struct Etc {
    folder: tempfile::TempDir,
}

impl Etc {
    fn new(toml: &str) -> Etc {
        let folder = tempfile::tempdir().unwrap();
        let etc = Etc { folder };
        etc.write("mailcrm.toml", toml);
        etc.write("crm.url", "https://portal.example/rest/1/s3cr3t/\n");
        etc.write("pw", "hunter2\n");
        etc
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load_with(&self, environment: &[(&str, &str)]) -> Result<Config, Vec<Mistake>> {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(&self.path("mailcrm.toml"), environment)
    }

    fn load(&self) -> Config {
        self.load_with(&[]).unwrap_or_else(|mistakes| panic!("{}", self.lines(&mistakes)))
    }

    /// The mistakes' lines, with `ETC` for the folder.
    fn lines(&self, mistakes: &[Mistake]) -> String {
        let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
        self.short(&lines.join("\n"))
    }

    fn short(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "ETC")
    }
}

/// The least that a configuration with one mailbox needs.
const LEAST: &str = r#"
[[mailbox]]
name = "sales"
address = "Sales@Example.com"
owner = 7
[mailbox.imap]
host = "imap.example.com"
username = "sales@example.com"
password_file = "pw"
"#;

fn mistakes(toml: &str, environment: &[(&str, &str)]) -> String {
    let etc = Etc::new(toml);
    match etc.load_with(environment) {
        Ok(_) => "(none)".to_owned(),
        Err(mistakes) => etc.lines(&mistakes),
    }
}

#[test]
fn the_least_configuration_has_every_default() {
    let etc = Etc::new(LEAST);
    let config = etc.load();
    assert_eq!(config.crm, None);
    assert_eq!(config.ledger.path, Path::new("/var/lib/mailcrm/ledger.sqlite"));
    assert_eq!(config.ledger.spool_max, 2048 * 1024 * 1024);
    assert_eq!(config.ledger.max_message, 64 * 1024 * 1024);
    assert_eq!(config.daemon.timezone, "");
    assert_eq!(config.http.listen, "127.0.0.1:8025");
    let mailbox = &config.mailboxes[0];
    assert_eq!(
        mailbox.imap,
        Imap {
            host: "imap.example.com".into(),
            port: 993,
            tls: Tls::Implicit,
            idle_refresh: Duration::from_secs(300),
            poll: Duration::from_secs(60),
            ca_file: None,
            username: "sales@example.com".into(),
            secret: SecretSource::File(etc.path("pw")),
        }
    );
    assert_eq!((mailbox.name.as_str(), mailbox.owner), ("sales", 7));
    assert_eq!(mailbox.address, "sales@example.com");
    assert_eq!(mailbox.folders, Folders::default());
    assert_eq!(mailbox.smtp, None);
    assert_eq!(mailbox.crm, MailboxCrm::default());
    assert_eq!(mailbox.crm.deadline, jiff::civil::Time::new(19, 0, 0, 0).ok());
    assert_eq!(mailbox.crm.max_attachment, 24 * 1024 * 1024);
}

#[test]
fn a_wrong_value_is_told_in_one_line_with_its_mend() {
    // LEAST and these lines; the mistake's line without `mailcrm: ETC/mailcrm.toml: `.
    let at_mailbox: &[(&str, &str, &str)] = &[
        (
            "an IDLE that servers would drop",
            "[mailbox.imap]\nidle_refresh_secs = 3600",
            "mailbox[sales].imap.idle_refresh_secs: 3600: more than 1740, servers may drop an IDLE \
             after 30 minutes; take 300",
        ),
        (
            "an IDLE that never rests",
            "[mailbox.imap]\nidle_refresh_secs = 0",
            "mailbox[sales].imap.idle_refresh_secs: 0: less than 1, the server would be asked all the \
             time; take 300",
        ),
        (
            "a number in quotes",
            "[mailbox.imap]\nport = \"993\"",
            "mailbox[sales].imap.port: 993: a text, not a number; write it without quotes",
        ),
        (
            "a word for a number",
            "[mailbox.imap]\nport = \"imaps\"",
            "mailbox[sales].imap.port: imaps: not a whole number; take 993",
        ),
        (
            "a flag in quotes",
            "[mailbox.crm]\nrepeat_lead = \"true\"",
            "mailbox[sales].crm.repeat_lead: true: a text; write it without quotes",
        ),
        (
            "a port that is none",
            "[mailbox.imap]\nport = 65536",
            "mailbox[sales].imap.port: 65536: more than 65535, ports end there; take 993",
        ),
        (
            "a slip of the keyboard",
            "[mailbox.imap]\nprot = 993",
            "mailbox[sales].imap.prot: 993: unknown key; the nearest is mailbox[sales].imap.port",
        ),
        (
            "a text for a table",
            "imap = \"imap.example.com\"",
            "mailbox[sales].imap: ***: not a table; write [mailbox.imap]",
        ),
        (
            "a key in the wrong table",
            "[mailbox.crm]\nport = 993",
            "mailbox[sales].crm.port: 993: unknown key; the nearest is mailbox[sales].imap.port",
        ),
        (
            "a misspelt secret is not shown",
            "[mailbox.imap]\npasword = \"hunter2\"",
            "mailbox[sales].imap.pasword: ***: unknown key; the nearest is \
             mailbox[sales].imap.password",
        ),
        (
            "nor is what might be one",
            "[mailbox.imap]\nkennwort = \"hunter2\"",
            "mailbox[sales].imap.kennwort: ***: unknown key; the nearest is \
             mailbox[sales].imap.password",
        ),
        (
            "an unknown table",
            "[mailbox.smpt]\nhost = \"x\"",
            "mailbox[sales].smpt: (table): unknown key; the nearest is mailbox[sales].smtp",
        ),
        (
            "a quoted name with a dot",
            "[mailbox.crm]\n\"crm.enabled\" = true",
            "mailbox[sales].crm.crm.enabled: ***: unknown key; the nearest is \
             mailbox[sales].crm.enabled",
        ),
        (
            "clear text to a server far away",
            "[mailbox.imap]\ntls = \"none\"",
            "mailbox[sales].imap.tls: none: for a loopback host only, the password would cross the \
             network in clear; take \"implicit\"",
        ),
        (
            "an unknown choice",
            "[mailbox.imap]\ntls = \"ssl\"",
            "mailbox[sales].imap.tls: ssl: not one of implicit, starttls, none; take \"implicit\"",
        ),
        (
            "a choice with a slip",
            "[mailbox.crm]\non_incoming = \"Deals\"",
            "mailbox[sales].crm.on_incoming: Deals: not one of lead, contact, deal, none; take \
             \"deal\"",
        ),
        (
            "two secrets",
            "[mailbox.imap]\npassword = \"hunter2\"",
            "mailbox[sales].imap.password: ***: given beside mailbox[sales].imap.password_file; keep \
             one of them",
        ),
        (
            "a secret and OAuth2",
            "[mailbox.imap.oauth2]\nprovider = \"google\"\nclient_id = \"x\"",
            "mailbox[sales].imap.oauth2: (table): given beside mailbox[sales].imap.password_file; \
             keep one of them",
        ),
        (
            "a CA that is not there",
            "[mailbox.imap]\nca_file = \"ca.pem\"",
            "mailbox[sales].imap.ca_file: ca.pem: cannot be read: No such file or directory (os \
             error 2); name the CA's certificate in PEM, readable by this user",
        ),
        (
            "a CA that is none",
            "[mailbox.imap]\nca_file = \"pw\"",
            "mailbox[sales].imap.ca_file: pw: holds no PEM certificate; name the CA's certificate in \
             PEM, readable by this user",
        ),
        (
            "a deadline that is no time",
            "[mailbox.crm]\ndeadline = \"24:00\"",
            "mailbox[sales].crm.deadline: 24:00: not a time of day, HH:MM from 00:00 to 23:59; take \
             \"19:00\", or \"\" for none",
        ),
        (
            "a keyword that is none",
            "[mailbox.crm]\nsave_keyword = \"for CRM\"",
            "mailbox[sales].crm.save_keyword: for CRM: not a keyword of IMAP: ASCII without blanks, \
             parentheses, quotes, backslash, braces, brackets, % and *; take \"$CRM\", or \"\" for none",
        ),
        (
            "a flag of the server's as keyword",
            "[mailbox.crm]\nsave_keyword = '\\Flagged'",
            "mailbox[sales].crm.save_keyword: \\Flagged: not a keyword of IMAP: ASCII without blanks, \
             parentheses, quotes, backslash, braces, brackets, % and *; take \"$CRM\", or \"\" for none",
        ),
        (
            "all of the inbox by hand",
            "[mailbox.crm]\nsave_folder = \"inbox\"",
            "mailbox[sales].crm.save_folder: inbox: the inbox: all that arrives would be saved by hand; \
             name a folder for it alone, or \"\" for none",
        ),
        (
            "a role for what is saved by hand",
            "[mailbox.crm]\nsave_folder = '\\Archive'",
            "mailbox[sales].crm.save_folder: \\Archive: a role, where a folder's name belongs; name a \
             folder for it alone, or \"\" for none",
        ),
        (
            "neither true nor false",
            "[mailbox.crm]\nenabled = \"yes\"",
            "mailbox[sales].crm.enabled: yes: neither true nor false; take true",
        ),
        (
            "not a list",
            "[mailbox.crm]\nexclude = \"x@y.example\"",
            "mailbox[sales].crm.exclude: x@y.example: not a list of texts; put texts in square \
             brackets",
        ),
        (
            "a stranger in a list",
            "[mailbox.crm]\nqueue = [7, \"nine\"]",
            "mailbox[sales].crm.queue: nine: does not belong in a list of employees' numbers; take \
             it out",
        ),
        (
            "an employee that cannot be",
            "[mailbox.crm]\nqueue = [7, 0]",
            "mailbox[sales].crm.queue: 0: less than 1, employees are numbered from 1; take the \
             employee's number in the CRM",
        ),
        (
            "an address among domains",
            "[mailbox.crm]\ninternal_domains = [\"example.com\", \"ana@example.com\"]",
            "mailbox[sales].crm.internal_domains: ana@example.com: not a domain; write it as \
             example.com",
        ),
        (
            "subdomains among domains",
            "[mailbox.crm]\ninternal_domains = [\".example.com\"]",
            "mailbox[sales].crm.internal_domains: .example.com: not a domain; write it as example.com",
        ),
        (
            "a pattern with a blank",
            "[mailbox.crm]\nexclude = [\"a b\"]",
            "mailbox[sales].crm.exclude: a b: not a pattern; write name@domain, domain, or either \
             with *",
        ),
        (
            "a pattern of nothing",
            "[mailbox.crm]\nexclude = [\"ok.example\", \"@\"]",
            "mailbox[sales].crm.exclude: @: can never match an address; write name@domain, domain, \
             or either with *",
        ),
        (
            "a pattern in brackets",
            "[mailbox.crm]\nalways_new_lead_for = [\"<a@b.example>\"]",
            "mailbox[sales].crm.always_new_lead_for: <a@b.example>: can never match an address; \
             write name@domain, domain, or either with *",
        ),
        (
            "no folder",
            "[mailbox.folders]\nsync = []",
            "mailbox[sales].folders.sync: (list): names no folder to read; leave it out for inbox \
             and sent",
        ),
        (
            "a role that is none",
            "[mailbox.folders]\nsync = [\"\\\\inbox\", \"\\\\Snet\"]",
            "mailbox[sales].folders.sync: \\Snet: not a role; take one of \\Inbox \\Sent \\Junk \
             \\Trash \\Drafts \\Archive \\All, or a folder's name",
        ),
        (
            "a role for a name",
            "[mailbox.folders]\nspam = \"\\\\Junk\"",
            "mailbox[sales].folders.spam: \\Junk: a role, where a folder's name belongs; name the \
             folder, or leave the key out: it is found by its role then",
        ),
        (
            "an unknown role for a name",
            "[mailbox.folders]\ndrafts = \"\\\\Draft\"",
            "mailbox[sales].folders.drafts: \\Draft: a role, where a folder's name belongs; name \
             the folder, or leave the key out: it is found by its role then",
        ),
        ("not a table", "crm = true", "mailbox[sales].crm: ***: not a table; write [mailbox.crm]"),
        (
            "sending without a server",
            "[mailbox.smtp]\nport = 465",
            "mailbox[sales].smtp.host: (none): required; give the SMTP server's name",
        ),
    ];
    for (name, lines, line) in at_mailbox {
        let toml = match lines.strip_prefix("[mailbox.imap]\n") {
            Some(keys) => format!("{LEAST}{keys}\n"),
            None if lines.starts_with('[') => format!("{LEAST}{lines}\n"),
            None => match LEAST.split_once("[mailbox.imap]") {
                // Instead of the table itself.
                Some((before, _)) if lines.starts_with("imap =") => format!("{before}{lines}\n"),
                Some((before, table)) => format!("{before}{lines}\n[mailbox.imap]{table}"),
                None => unreachable!(),
            },
        };
        assert_eq!(mistakes(&toml, &[]), format!("mailcrm: ETC/mailcrm.toml: {line}"), "{name}");
    }
}

#[test]
fn what_a_mailbox_must_have_is_asked_for() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "name = \"sales\"\n",
            "",
            "mailbox[#1].name: (none): required; give it a short name such as sales",
        ),
        (
            "name = \"sales\"",
            "name = \"sa les\"",
            "mailbox[sa les].name: sa les: holds more than letters, digits, dots, underscores and \
             hyphens; take a name such as sales",
        ),
        (
            "name = \"sales\"",
            "name = \"\"",
            "mailbox[#1].name: \"\": empty; give it a short name such as sales",
        ),
        (
            "address = \"Sales@Example.com\"\n",
            "",
            "mailbox[sales].address: (none): required; give the address at which the mailbox gets \
             its mail",
        ),
        (
            "Sales@Example.com",
            "Sales <sales@example.com>",
            "mailbox[sales].address: Sales <sales@example.com>: not a mail address; write it as \
             name@domain, without a display name",
        ),
        (
            "owner = 7\n",
            "",
            "mailbox[sales].owner: (none): required; give the number in the CRM of the employee who \
             connects the mailbox",
        ),
        (
            "owner = 7",
            "owner = 0",
            "mailbox[sales].owner: 0: less than 1, employees are numbered from 1; take 1 to \
             9223372036854775807",
        ),
        (
            "host = \"imap.example.com\"\n",
            "",
            "mailbox[sales].imap.host: (none): required; give the IMAP server's name",
        ),
        (
            "imap.example.com",
            "imap.example.com:993",
            "mailbox[sales].imap.host: imap.example.com:993: a host and a port; put the number into \
             the key port",
        ),
        (
            "imap.example.com",
            "imaps://imap.example.com/",
            "mailbox[sales].imap.host: imaps://imap.example.com/: not a host's name or address; give \
             the IMAP server's name",
        ),
        (
            "username = \"sales@example.com\"\n",
            "",
            "mailbox[sales].imap.username: (none): required; give the login's name, most often the \
             address",
        ),
        (
            "password_file = \"pw\"",
            "",
            "mailbox[sales].imap.password_file: (none): required, no secret is given; name the file \
             that holds the password on its first line",
        ),
        (
            "password_file = \"pw\"",
            "password_credential = \"../pw\"",
            "mailbox[sales].imap.password_credential: ***: not a credential's name; take the name \
             given in LoadCredential=",
        ),
        (
            "imap.example.com",
            "imaps://sales:hunter2@imap.example.com:993",
            "mailbox[sales].imap.host: ***: a host and a port; put the number into the key port",
        ),
        (
            "password_file = \"pw\"",
            "password = 12345",
            "mailbox[sales].imap.password: ***: not a text; put it in quotes",
        ),
        (
            "[[mailbox]]",
            "[mailbox]",
            "mailbox: (table): not an array of tables; write [[mailbox]], once for each",
        ),
    ];
    for (part, instead, line) in cases {
        let toml = LEAST.replacen(part, instead, 1);
        assert_ne!(toml, LEAST);
        assert_eq!(
            mistakes(&toml, &[]),
            format!("mailcrm: ETC/mailcrm.toml: {line}"),
            "{part} -> {instead}"
        );
    }
}

#[test]
fn mistakes_outside_mailboxes_are_told_alike() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "Bitrix24 without a URL",
            "[crm]\nkind = \"bitrix24\"",
            "crm.url_file: (none): required, no URL is given; name the file that holds the inbound \
             webhook's URL, or take kind = \"sandbox\"",
        ),
        (
            "two URLs",
            "[crm]\nurl = \"https://x.example/rest/1/s/\"\nurl_file = \"crm.url\"",
            "crm.url_file: ***: given beside crm.url; keep one of them",
        ),
        (
            "a URL that crosses the network in clear",
            "[crm]\nurl = \"http://portal.example/rest/1/s3cr3t/\"",
            "crm.url: ***: a plain http: URL, which is for a loopback host only; write https:",
        ),
        (
            "a URL with a method",
            "[crm]\nurl = \"https://portal.example/rest/1/s3cr3t/profile.json\"",
            "crm.url: ***: not of the form https://HOST/rest/ID/SECRET/; copy the inbound webhook's \
             URL from Bitrix24, up to the slash after the secret",
        ),
        (
            "no URL at all",
            "[crm]\nurl = \"portal\"",
            "crm.url: ***: no URL; copy the inbound webhook's URL from Bitrix24, up to the slash \
             after the secret",
        ),
        (
            "a file that is not there",
            "[crm]\nurl_file = \"nowhere.url\"",
            "crm.url_file: ***: cannot read the secret's file: No such file or directory (os error \
             2); put the webhook's URL on the first line of that file, readable by this user",
        ),
        (
            "a file that is not there, in a folder that is",
            "[crm]\nurl_file = \"/usr/nowhere.url\"",
            "crm.url_file: /usr/nowhere.url: cannot read the secret's file: No such file or \
             directory (os error 2); put the webhook's URL on the first line of that file, readable \
             by this user",
        ),
        (
            "a folder for a file",
            "[crm]\nurl_file = \"/usr\"",
            "crm.url_file: /usr: cannot read secret file /usr: Is a directory (os error 21); put the \
             webhook's URL on the first line of that file, readable by this user",
        ),
        (
            "a file with something else in it",
            "[crm]\nurl_file = \"pw\"",
            "crm.url_file: pw: its first line is no URL; copy the inbound webhook's URL from \
             Bitrix24, up to the slash after the secret",
        ),
        (
            "a URL for a file",
            "[crm]\nurl_file = \"https://portal.example/rest/1/s3cr3t/\"",
            "crm.url_file: ***: a URL, not a file; put the URL into a file and name that file",
        ),
        (
            "a URL without its scheme for a file",
            "[crm]\nurl_file = \"portal.example/rest/1/s3cr3t/\"",
            "crm.url_file: ***: cannot read the secret's file: No such file or directory (os error \
             2); put the webhook's URL on the first line of that file, readable by this user",
        ),
        (
            "a URL for a credential",
            "[crm]\nurl_credential = \"https://portal.example/rest/1/s3cr3t/\"",
            "crm.url_credential: ***: not a credential's name; take the name given in \
             LoadCredential=",
        ),
        (
            "a secret for a credential's name",
            "[crm]\nurl_credential = \"s3cr3t\"",
            "crm.url_credential: ***: cannot read the secret's file: No such file or directory (os \
             error 2); give the service LoadCredential= with that name",
        ),
        (
            "a rate of nothing",
            "[crm]\nkind = \"sandbox\"\nrequests_per_second = 0",
            "crm.requests_per_second: 0: less than 0.01, nothing would be delivered any more; take \
             2.0",
        ),
        (
            "no number",
            "[crm]\nkind = \"sandbox\"\nrequests_per_second = nan",
            "crm.requests_per_second: NaN: not a number; take 2.0",
        ),
        (
            "a zone that is none",
            "[daemon]\ntimezone = \"Madrid\"",
            "daemon.timezone: Madrid: no time zone of the IANA database; take a name such as \
             Europe/Madrid, or \"\" for the system's",
        ),
        (
            "no port",
            "[http]\nlisten = \"localhost\"",
            "http.listen: localhost: not of the form ADDRESS:PORT; take \"127.0.0.1:8025\"",
        ),
        (
            "a folder for a ledger",
            "[ledger]\npath = \"/var/lib/mailcrm/\"",
            "ledger.path: /var/lib/mailcrm/: names no file; take \"/var/lib/mailcrm/ledger.sqlite\"",
        ),
        (
            "a root key",
            "[legder]\npath = \"x\"",
            "legder: (table): unknown key; the nearest is ledger",
        ),
        (
            "a mailbox's key elsewhere",
            "[ledger]\nhistory_days = 3",
            "ledger.history_days: 3: unknown key; the nearest is mailbox[NAME].crm.history_days",
        ),
        (
            "an employee without a URL",
            "[crm]\nkind = \"sandbox\"\n[[crm.employee]]\nid = 7",
            "crm.employee[7].url_file: (none): required, no URL is given; name the file that holds \
             this employee's own webhook URL",
        ),
    ];
    for (name, toml, line) in cases {
        assert_eq!(mistakes(toml, &[]), format!("mailcrm: ETC/mailcrm.toml: {line}"), "{name}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_keys() {
    let toml =
        format!("[crm]\nbrust = 4\nburst = 0\n[ledger]\nspool_max_mib = 0\n{LEAST}port = 0\n");
    let said = mistakes(&toml, &[]);
    let keys: Vec<&str> = said.lines().filter_map(|line| line.split(": ").nth(2)).collect();
    assert_eq!(
        keys,
        [
            "crm.burst",
            "crm.brust",
            "ledger.spool_max_mib",
            "mailbox[sales].imap.port",
            "crm.url_file"
        ]
    );
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line_and_without_quoting_it() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "no value",
            "[crm]\nurl = hunter2",
            "line 2, column 7: (none): string values must be quoted, expected literal string",
        ),
        ("a key twice", "[crm]\nburst = 1\nburst = 2", "line 3, column 1: (none): duplicate key"),
        (
            "too large",
            "[crm]\nburst = 99999999999999999999",
            "(none): (none): a number is too large for any key",
        ),
    ];
    for (name, toml, line) in cases {
        let line = format!(
            "mailcrm: ETC/mailcrm.toml: {line}; write TOML as in the file that came with mailcrm"
        );
        assert_eq!(mistakes(toml, &[]), line, "{name}");
    }
    let etc = Etc::new("");
    std::fs::write(etc.path("latin-1.toml"), b"[crm]\noriginator = \"\xfc\"\n").unwrap();
    let said = load(&etc.path("latin-1.toml"), std::iter::empty()).unwrap_err();
    assert_eq!(
        etc.lines(&said),
        "mailcrm: ETC/latin-1.toml: (none): (none): cannot be read: stream did not contain valid \
         UTF-8; write it in UTF-8, as all TOML"
    );
    let said = load(&etc.path("none.toml"), std::iter::empty()).unwrap_err();
    assert_eq!(
        etc.lines(&said),
        "mailcrm: ETC/none.toml: (none): (none): cannot be read: No such file or directory (os error 2); name with \
         --config a file that this user may read"
    );
}

#[test]
fn mailboxes_lie_beside_the_file_too_and_must_not_clash() {
    let second = LEAST.replace("sales", "info").replace("Sales", "info");
    let etc = Etc::new(LEAST);
    etc.write("mailboxes.d/10-info.toml", &second);
    etc.write("mailboxes.d/.#20.toml", "editor's leftovers");
    etc.write("mailboxes.d/30.toml.bak", "a backup");
    let config = etc.load();
    let names: Vec<&str> = config.mailboxes.iter().map(|mailbox| mailbox.name.as_str()).collect();
    assert_eq!(names, ["sales", "info"]);
    // Relative paths count from the main file, wherever they stand.
    assert_eq!(config.mailboxes[1].imap.secret, SecretSource::File(etc.path("pw")));

    etc.write("mailboxes.d/20.toml", &format!("[crm]\nburst = 1\n{LEAST}"));
    let said = etc.lines(&etc.load_with(&[]).unwrap_err());
    assert_eq!(
        said,
        "mailcrm: ETC/mailboxes.d/20.toml: crm: (table): files in mailboxes.d hold [[mailbox]] only; \
         move it to the main configuration file\n\
         mailcrm: ETC/mailboxes.d/20.toml: mailbox[sales].name: sales: given before in \
         ETC/mailcrm.toml, names are unique; take another name\n\
         mailcrm: ETC/mailboxes.d/20.toml: mailbox[sales].imap.username: sales@example.com: \
         mailbox[sales] in ETC/mailcrm.toml has the same host, port and username; keep one of them"
    );
}

#[test]
fn mailboxes_and_employees_that_clash_are_told_with_their_other_mistakes() {
    let faulty = LEAST.replace("owner = 7\n", "");
    let other_port = format!("{LEAST}port = 1143\n").replace("\"sales\"", "\"info\"");
    let bad_port = other_port.replace("1143", "99999");
    let employee = "[[crm.employee]]\nid = 7\n";
    #[rustfmt::skip]
    let cases: &[(&str, String, &[&str])] = &[
        ("the earlier faulty", format!("{faulty}{LEAST}"), &["owner", "name", "imap.username"]),
        ("the later faulty",   format!("{LEAST}{faulty}"), &["owner", "name", "imap.username"]),
        ("both",               format!("{faulty}{faulty}"), &["owner", "owner", "name", "imap.username"]),
        ("another port",       format!("{LEAST}{other_port}"), &[]),
        ("no port to compare", format!("{LEAST}{bad_port}"), &["imap.port"]),
        ("the same port",      format!("{LEAST}port = 993\n{LEAST}").replacen("\"sales\"", "\"info\"", 1), &["imap.username"]),
        ("employees",          format!("[crm]\nkind = \"sandbox\"\n{employee}{employee}"), &["url_file", "id", "url_file"]),
    ];
    for (name, toml, keys) in cases {
        let said = mistakes(toml, &[]);
        let told: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split(": ").nth(2)?.split_once("].").map(|(_, key)| key))
            .collect();
        assert_eq!(told, *keys, "{name}: {said}");
    }
}

#[test]
fn the_environment_lies_above_the_files() {
    let etc = Etc::new("[crm]\nurl_file = \"crm.url\"\nburst = 1\n[ledger]\npath = \"a.sqlite\"");
    let environment = [
        ("MAILCRM__CRM__BURST", "50"),
        ("MAILCRM__CRM__REQUESTS_PER_SECOND", "7.5"),
        ("MAILCRM__CRM__URL", "http://127.0.0.1:8080/rest/1/t0k3n"),
        ("MAILCRM__LEDGER__PATH", "b.sqlite"),
        ("MAILCRM__DAEMON__TIMEZONE", "Europe/Madrid"),
        ("MAILCRM_LOG", "none of ours"),
        ("RUNTIME_DIRECTORY", "/run/here:/run/there"),
    ];
    let config = etc.load_with(&environment).unwrap();
    let crm = config.crm.unwrap();
    assert_eq!((crm.burst, crm.requests_per_second), (50, 7.5));
    assert_eq!(crm.url.as_ref().unwrap().expose(), "http://127.0.0.1:8080/rest/1/t0k3n/");
    assert_eq!(crm.identity(), "bitrix24 127.0.0.1:8080");
    assert_eq!(config.ledger.path, etc.path("b.sqlite"));
    assert_eq!(config.daemon.zone().iana_name(), Some("Europe/Madrid"));
    assert_eq!(config.daemon.socket, Path::new("/run/here/mailcrm.sock"));
}

#[test]
fn a_variable_that_names_no_key_is_told_with_the_nearest() {
    const ONLY: &str =
        "unknown key, the environment sets keys of [crm], [ledger], [http] and [daemon]";
    let cases: &[(&str, &str, String)] = &[
        (
            "MAILCRM__CRM__BRUST",
            "9",
            format!("crm.brust: 9: {ONLY}; the nearest is crm.burst (MAILCRM__CRM__BURST)"),
        ),
        (
            "MAILCRM__BURST",
            "9",
            format!("burst: 9: {ONLY}; the nearest is crm.burst (MAILCRM__CRM__BURST)"),
        ),
        (
            "MAILCRM__CRM__ULR",
            "https://x/rest/1/s3cr3t/",
            format!("crm.ulr: ***: {ONLY}; the nearest is crm.url (MAILCRM__CRM__URL)"),
        ),
        (
            "MAILCRM__MAILBOX__IMAP__PASSWORD",
            "hunter2",
            format!(
                "mailbox.imap.password: ***: {ONLY}; the nearest is ledger.path (MAILCRM__LEDGER__PATH)"
            ),
        ),
        (
            "MAILCRM__LEGDER",
            "x",
            format!("legder: ***: {ONLY}; the nearest is ledger (MAILCRM__LEDGER__KEY)"),
        ),
        (
            "MAILCRM__LEDGER__SPOOL_MAX_MIB",
            "many",
            "ledger.spool_max_mib: many: not a whole number; take 2048".to_owned(),
        ),
    ];
    for (name, value, line) in cases {
        let said = mistakes("", &[(name, value)]);
        assert_eq!(said, format!("mailcrm: environment {name}: {line}"), "{name}");
    }
}

#[test]
fn secrets_come_from_files_and_credentials_and_are_never_shown() {
    let etc = Etc::new("[crm]\nurl_credential = \"bitrix24.url\"\n");
    etc.write("credentials/bitrix24.url", "https://Portal.example/rest/12/s3cr3t\r\nmore");
    let folder = etc.path("credentials").display().to_string();
    let config = etc.load_with(&[("CREDENTIALS_DIRECTORY", &folder)]).unwrap();
    let crm = config.crm.as_ref().unwrap();
    assert_eq!(crm.url.as_ref().unwrap().expose(), "https://portal.example/rest/12/s3cr3t/");
    assert_eq!(crm.identity(), "bitrix24 portal.example:443");
    assert!(!format!("{config:?}").contains("s3cr3t"));
}

#[test]
fn each_key_not_yet_in_force_is_one_warning_and_only_if_given() {
    let later = format!(
        "[crm]\nkind = \"sandbox\"\nfollow_responsible_secs = 60\n[[crm.employee]]\nid = 7\n\
         url_file = \"crm.url\"\n[daemon]\nsocket = \"\"\n[http]\nlisten = \"127.0.0.1:8025\"\n\
         {}[mailbox.smtp]\nhost = \"smtp.example.com\"\n[mailbox.crm]\nvcard = true\n\
         forwards = false\nsave_keyword = \"$CRM\"\nsave_folder = \"\"\ntask = false\n\
         bind_contact = true\nqueue = [7]\n",
        LEAST.replace("owner = 7", "owner = 7\naccess = [7]")
    );
    let etc = Etc::new(&later);
    let config = etc.load();
    let keys: Vec<String> = config
        .warnings
        .iter()
        .map(|line| {
            let line = etc.short(line);
            let rest = line.strip_prefix("ETC/mailcrm.toml: ").unwrap();
            rest.strip_suffix(": accepted, but not yet in force: it has no effect in this version")
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        keys,
        [
            "crm.follow_responsible_secs",
            "http.listen",
            "crm.employee[7].id",
            "mailbox[sales].access",
            "mailbox[sales].smtp.host",
        ]
    );
    let smtp = config.mailboxes[0].smtp.as_ref().unwrap();
    assert_eq!((smtp.port, smtp.username.as_str()), (465, "sales@example.com"));
    assert_eq!(smtp.secret, config.mailboxes[0].imap.secret);
}

#[test]
fn what_is_odd_is_a_warning_and_no_mistake() {
    let sandbox = "crm: no [crm] table: the built-in sandbox stands in for the CRM, and nothing is \
                   filed in Bitrix24";
    let spam = "mailbox[sales].folders.spam: the spam folder is the inbox: everything arriving there \
                counts as spam and is not saved; choose another folder for spam";
    let trash = "mailbox[sales].folders.trash: the trash folder is the inbox: nothing that arrives \
                 there is saved; choose another folder for trash";
    let missing = |path: &str| {
        format!(
            "mailbox[sales].imap.password_file: {path} cannot be read, this mailbox cannot log in: \
             No such file or directory (os error 2); put the password on the first line of that file"
        )
    };
    // A relative name may be the password itself.
    let (hidden, named) = (missing("***"), missing("/usr/none"));
    let with = |lines: &str| format!("{LEAST}{lines}\n");
    let cases: &[(&str, String, &[&str])] = &[
        ("no mailbox", String::new(), &[sandbox, "mailbox: none is configured: no mail is read"]),
        ("spam is the inbox", with("[mailbox.folders]\nspam = \"Inbox\""), &[sandbox, spam]),
        ("by its role", with("[mailbox.folders]\nspam = \"\\\\Inbox\""), &[sandbox, spam]),
        ("trash is the inbox", with("[mailbox.folders]\ntrash = \"inbox\""), &[sandbox, trash]),
        ("spam is spam", with("[mailbox.folders]\nspam = \"Junk\""), &[sandbox]),
        ("no password yet", LEAST.replace("\"pw\"", "\"/usr/none\""), &[sandbox, &named]),
        ("a password for a file", LEAST.replace("\"pw\"", "\"hunter2\""), &[sandbox, &hidden]),
        (
            "a URL for the sandbox",
            format!("[crm]\nkind = \"sandbox\"\nurl_file = \"crm.url\"\n{LEAST}"),
            &["crm.url_file: not used by the sandbox"],
        ),
    ];
    for (name, toml, warnings) in cases {
        let etc = Etc::new(toml);
        let said: Vec<String> = etc.load().warnings.iter().map(|line| etc.short(line)).collect();
        let wanted: Vec<String> =
            warnings.iter().map(|line| format!("ETC/mailcrm.toml: {line}")).collect();
        assert_eq!(said, wanted, "{name}");
    }
}

#[test]
fn a_secret_that_everybody_may_read_is_warned_of() {
    let etc = Etc::new(&format!("[crm]\nurl_file = \"crm.url\"\n{LEAST}"));
    for name in ["crm.url", "pw"] {
        std::fs::set_permissions(etc.path(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let said: Vec<String> = etc.load().warnings.iter().map(|line| etc.short(line)).collect();
    assert_eq!(
        said,
        [
            "ETC/mailcrm.toml: crm.url_file: ETC/crm.url may be read by everybody; chmod o-rwx it",
            "ETC/mailcrm.toml: mailbox[sales].imap.password_file: ETC/pw may be read by everybody; \
             chmod o-rwx it",
        ]
    );
}

#[test]
fn every_role_that_a_folder_can_have_may_be_read() {
    for role in ["Inbox", "sent", "Junk", "Spam", "Trash", "DRAFTS", "All", "AllMail", "Archive"] {
        let config =
            Etc::new(&format!("{LEAST}[mailbox.folders]\nsync = [\"\\\\{role}\"]\n")).load();
        assert_eq!(config.mailboxes[0].folders.sync, Some(vec![format!("\\{role}")]));
    }
}

#[test]
fn the_inbox_named_by_its_role_is_the_inbox_for_every_key() {
    for key in ["sent", "spam", "trash", "drafts"] {
        let lines = format!("[mailbox.folders]\n{key} = \"\\\\inbox\"\n");
        let folders = Etc::new(&format!("{LEAST}{lines}")).load().mailboxes.remove(0).folders;
        let named = [&folders.sent, &folders.spam, &folders.trash, &folders.drafts];
        let named: Vec<&str> = named.into_iter().flatten().map(String::as_str).collect();
        // As the daemon compares it with what the server lists.
        assert_eq!(named, ["INBOX"], "{key}");
        assert_eq!(folders.spam_is_inbox(), key == "spam", "{key}");
    }
}

#[test]
fn a_pattern_that_can_never_match_is_a_mistake() {
    let never = [
        "@",
        "ann@",
        "<a@b>",
        "<ann@*>",
        "*@",
        "*.",
        "*@.example",
        "a,b@*",
        "*@b>",
        ".example.com",
        "example.com.",
        "a@b@c",
        "mü*.example",
        "ann@example..com",
        "http://x.example/*",
    ];
    let ever = [
        "ann@example.com",
        "Ann@Example.COM",
        "example.com",
        "@example.com",
        "bücher.example",
        "@Bücher.example",
        "localhost",
        "*",
        "*@*",
        "*newsletter*",
        "no-reply*@*",
        "noreply*",
        "*.example.com",
        "@*.example.com",
        "example.*",
        "*.müller.example",
        "*@xn--*",
        "mü*@x.example",
        "\"a*@x.example",
        "*@[192.0.2.*]",
        "o'neil@x.example",
        "r3---x.example",
    ];
    for (patterns, all_wrong) in [(never.as_slice(), true), (ever.as_slice(), false)] {
        for pattern in patterns {
            let lines = format!("[mailbox.crm]\nexclude = ['''{pattern}''']\n");
            let said = mistakes(&format!("{LEAST}{lines}"), &[]);
            assert_eq!(said != "(none)", all_wrong, "{pattern}: {said}");
        }
    }
}

#[test]
fn a_limit_keeps_out_nonsense_only() {
    let least = LEAST.to_owned();
    let cases = [
        ("IDLE", format!("{least}idle_refresh_secs = 1\n")),
        ("polling", format!("{least}poll_secs = 1\n")),
        ("following", format!("[crm]\nkind = \"sandbox\"\nfollow_responsible_secs = 1\n{least}")),
    ];
    for (name, toml) in cases {
        assert_eq!(mistakes(&toml, &[]), "(none)", "{name}");
    }
}

#[test]
fn hosts_ports_and_tls_go_together() {
    let cases: &[(&str, &str, &str, u16)] = &[
        ("implicit", "imap.example.com", "", 993),
        ("starttls", "imap.example.com", "", 143),
        ("none", "localhost", "", 143),
        ("none", "127.0.0.2", "port = 31143", 31143),
        ("none", "::1", "", 143),
    ];
    for (tls, host, port, wanted) in cases {
        let toml = LEAST.replace("imap.example.com", host);
        let config = Etc::new(&format!("{toml}tls = \"{tls}\"\n{port}\n")).load();
        assert_eq!(config.mailboxes[0].imap.port, *wanted, "{tls} {host}");
        assert_eq!(config.mailboxes[0].imap.host, *host);
    }
}

#[test]
fn the_own_addresses_are_those_of_all_mailboxes() {
    let second = LEAST.replace("sales", "info").replace(
        "\"Sales@Example.com\"",
        "\"info@example.com\"\naliases = [\"Office@example.com\"]",
    );
    let rules =
        "[mailbox.crm]\ninternal_domains = [\"@Bücher.example.\"]\non_incoming = \"deal\"\n";
    let config = Etc::new(&format!("{LEAST}{rules}{second}")).load();
    let all = config.own_addresses();
    let rules = config.mailboxes[0].rules(&all);
    let mut own: Vec<&str> = rules.own.iter().map(String::as_str).collect();
    own.sort_unstable();
    assert_eq!(own, ["info@example.com", "office@example.com", "sales@example.com"]);
    assert!(rules.internal_domains.contains("xn--bcher-kva.example"));
    assert_eq!(rules.on_incoming, Creation::Deal);
    assert_eq!(config.mailboxes[1].rules(&all).on_incoming, Creation::Lead);
}

/// `config/mailcrm.toml` with every key in it in force.
fn sample() -> String {
    let commented = include_str!("../../config/mailcrm.toml");
    let is_key = |line: &str| line.starts_with(|c: char| c == '[' || c.is_ascii_lowercase());
    commented
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|line| is_key(line)))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn the_sample_loads_as_it_comes() {
    let etc = Etc::new(include_str!("../../config/mailcrm.toml"));
    let config = etc.load();
    assert_eq!((config.crm, config.mailboxes), (None, Vec::new()));
}

#[test]
fn the_sample_loads_with_every_key_uncommented() {
    // Of the ways to give a secret it takes the files: one of them is all there may be.
    let others =
        ["url = ", "url_credential", "password_command", "password_credential", "password = "];
    let mut in_oauth2 = false;
    let kept: String = sample()
        .lines()
        .filter(|line| {
            if line.starts_with('[') {
                in_oauth2 = *line == "[mailbox.imap.oauth2]";
            }
            !in_oauth2 && !others.iter().any(|other| line.starts_with(other))
        })
        .map(|line| format!("{}\n", line.replace("/etc/mailcrm/", "")))
        .collect();
    let etc = Etc::new(&kept);
    etc.write("bitrix24.url", "https://portal.example/rest/1/s3cr3t/");
    etc.write("employees/7.url", "https://portal.example/rest/7/s3cr3t/");
    let config = etc.load();

    // What it shows as a default is the default: only the examples differ from LEAST.
    let crm = config.crm.as_ref().unwrap();
    assert_eq!((crm.burst, crm.employees.len()), (40, 1));
    let usual = MailboxCrm::default();
    let mailbox = &config.mailboxes[0];
    assert_eq!(
        mailbox.crm,
        MailboxCrm {
            queue: vec![7, 9, 12],
            always_new_lead_for: vec!["forms@portal.example".into()],
            internal_domains: vec!["example.com".into()],
            exclude: vec!["*@newsletter.example".into()],
            ..usual
        }
    );
}

#[test]
fn every_key_stands_in_the_sample_with_its_default() {
    use super::value::Raw;
    use ::config::{FileFormat, Format};

    // TOML has one value a key: the sample's alternatives are all keys of their own.
    let table = FileFormat::Toml.parse(None, &sample()).unwrap();
    let root = Raw::Table(table.into_iter().map(|(name, value)| (name, value.into())).collect());
    for key in keys::KEYS {
        let mut at = Some(&root);
        for step in key.path.split('.') {
            let name = step.trim_end_matches("[]");
            at = at.and_then(Raw::table).and_then(|table| table.get(name));
            if step.ends_with("[]") {
                at = at.and_then(Raw::list).and_then(<[Raw]>::first);
            }
        }
        let shown = at.unwrap_or_else(|| panic!("{} does not stand in the sample", key.path));
        let shown = match shown {
            Raw::Real(number) => format!("{number:?}"),
            Raw::Text(text) => format!("{text:?}"),
            Raw::Flag(_) | Raw::Whole(_) | Raw::List(_) | Raw::Table(_) => shown.show(),
        };
        if let Some(default) = key.default.written() {
            assert_eq!(shown, default, "{}", key.path);
        }
    }
}
