//! The manual's answers are what the program answers: every block of `docs/faq.md` is played on a
//! real mail server, the sandbox CRM and the daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::path::Path;
use std::time::{Duration, SystemTime};

use common::daemon::{Daemon, Mailbox};
use common::mails::Mail;
use common::sandbox::SandboxProcess;
use common::scene::{Scene, until_mailbox, until_state};
use common::{LIMIT, wait_for};
use serde_json::json;

const ANY: &str = "…";

type SetUp = fn() -> Stage;

/// The document's scenes, and what sets each of them up.
const SCENES: [(&str, SetUp); 14] = [
    ("spam-is-inbox", spam_is_inbox),
    ("spam-mended", spam_mended),
    ("queue", queue),
    ("converted-lead", converted_lead),
    ("known-deal", known_deal),
    ("times", times),
    ("hidden-contact", hidden_contact),
    ("sent", sent),
    ("robots", robots),
    ("several-deals", several_deals),
    ("colleagues", colleagues),
    ("crm-down", crm_down),
    ("history", history),
    ("copies", copies),
];

/// Everything that a scene needs, as it is when the first command is asked.
struct Stage {
    daemon: Daemon,
    scene: Scene,
}

/// One fenced block of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    scene: String,
    /// Each with what it prints.
    commands: Vec<(String, Vec<String>)>,
}

/// A mailbox that Ana Ruiz connected, with these lines in `[mailbox.folders]` and `[mailbox.crm]`.
fn sales(scene: &Scene, folders: &str, crm: &str) -> Mailbox {
    let mut mailbox = scene.mailbox("sales").folders(folders).crm(crm);
    mailbox.head = "owner = 7\naccess = [7, 9]\n".to_owned();
    mailbox
}

/// A running daemon on that mailbox.
fn running(scene: Scene, folders: &str, crm: &str) -> Stage {
    let mailbox = sales(&scene, folders, crm);
    let daemon = Daemon::running(&scene.crm.url(), &[mailbox]);
    until_mailbox(&daemon, "sales", "idle");
    Stage { daemon, scene }
}

/// The server has the folders that a mailbox usually has.
fn server() -> Scene {
    let scene = Scene::with(&["sales"]);
    for folder in ["Sent", "Junk", "Trash", "Drafts"] {
        // Some are made by the server itself.
        let _there = scene.dovecot.doveadm(&["mailbox", "create", "-u", "sales", folder]);
    }
    scene
}

fn from_ana(id: &str, subject: &str) -> Mail {
    Mail::from("Ana <ana@client.example>").id(id).subject(subject)
}

impl Stage {
    /// Delivers a mail and waits until nothing is owed for it.
    fn filed(&self, folder: &str, mail: &Mail) {
        self.scene.deliver("sales", folder, mail);
        until_state(&self.daemon, &mail.subject, "saved", None);
    }

    fn crm(&self) -> &SandboxProcess {
        &self.scene.crm
    }
}

fn spam_is_inbox() -> Stage {
    let stage = running(server(), "spam = \"INBOX\"\n", "");
    stage.scene.deliver("sales", "INBOX", &from_ana("offer@client.example", "Offer"));
    until_state(&stage.daemon, "Offer", "skipped", Some("spam-folder"));
    stage
}

/// The same after the mend: another folder for spam, and a reload.
fn spam_mended() -> Stage {
    let mut stage = spam_is_inbox();
    stage.daemon.mailboxes[0].folders = "spam = \"Junk\"\n".to_owned();
    stage.daemon.write_config();
    stage.daemon.signal("HUP");
    stage.daemon.wait_for_line("configuration taken over", LIMIT);
    until_mailbox(&stage.daemon, "sales", "idle");
    stage
}

fn queue() -> Stage {
    let stage = running(server(), "", "queue = [7, 9, 12]\non_incoming = \"lead\"\n");
    let mail = Mail::from("Bo <bo@stranger.example>").id("first@stranger.example");
    stage.filed("INBOX", &mail.subject("A roof"));
    stage
}

fn converted_lead() -> Stage {
    let stage = running(server(), "", "");
    stage.filed("INBOX", &from_ana("first@client.example", "Price list"));
    let lead = stage.crm().cards(1)[0]["id"].clone();
    stage.crm().call("sandbox.convert", &json!({"leadId": lead}));
    let later = from_ana("later@client.example", "Re: Price list")
        .header("In-Reply-To: <first@client.example>");
    stage.filed("INBOX", &later);
    stage
}

/// Ana's contact and her two open deals, the later changed one last.
fn two_deals(crm: &SandboxProcess) -> [u64; 3] {
    let contact = crm.add_contact("Ana", "ana@client.example", 7);
    let older = crm.add_deal("Cellar", contact, 12);
    let newer = crm.add_deal("Roof", contact, 9);
    let changed = |deal: u64| {
        let item = crm.call("crm.item.get", &json!({"entityTypeId": 2, "id": deal}));
        item["item"]["updatedTime"].as_str().unwrap().to_owned()
    };
    // Times are in seconds: changed until the times differ.
    wait_for("the newer deal to be changed last", LIMIT, || {
        let fields = json!({"title": "Roof, changed"});
        crm.call("crm.item.update", &json!({"entityTypeId": 2, "id": newer, "fields": fields}));
        changed(newer) > changed(older)
    });
    [contact, older, newer]
}

fn known_deal() -> Stage {
    let stage = running(server(), "", "");
    two_deals(stage.crm());
    stage.filed("INBOX", &from_ana("order@client.example", "Order"));
    stage
}

fn times() -> Stage {
    let stage = running(server(), "", "");
    stage.filed("INBOX", &from_ana("question@client.example", "Price list"));
    let answer = Mail::from("Sales <sales@example.com>")
        .to("ana@client.example")
        .id("answer@example.com")
        .subject("Re: Price list")
        .header("In-Reply-To: <question@client.example>");
    stage.filed("Sent", &answer);
    wait_for("the question to be completed", LIMIT, || {
        stage.daemon.view("question@client.example").activity_completed_at.is_some()
    });
    stage
}

fn hidden_contact() -> Stage {
    let stage = running(server(), "", "");
    let contact = stage.crm().add_contact("Ana", "ana@client.example", 7);
    let hidden = json!({"employee": 1, "entityTypeId": 3, "id": contact});
    stage.crm().call("sandbox.hide", &hidden);
    stage.scene.deliver("sales", "INBOX", &from_ana("secret@client.example", "Secret"));
    until_state(&stage.daemon, "Secret", "parked", Some("hidden-card"));
    stage
}

fn sent() -> Stage {
    let stage = times();
    let again = from_ana("again@client.example", "Re: Re: Price list")
        .header("In-Reply-To: <answer@example.com>");
    stage.filed("INBOX", &again);
    stage
}

/// What programs write to people whom no card knows.
fn robots() -> Stage {
    let stage = running(server(), "", "");
    let news = Mail::from("Shop <news@shop.example>")
        .id("news@shop.example")
        .subject("Our offers in May")
        .header("List-Id: <news.shop.example>")
        .header("List-Unsubscribe: <https://shop.example/unsubscribe>")
        .header("Precedence: bulk");
    stage.scene.deliver("sales", "INBOX", &news);
    until_state(&stage.daemon, "Our offers in May", "skipped", Some("mailing-list"));
    let report = "--b\r\n\r\nNo such user here.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.shop.example\r\n\r\n\
         Final-Recipient: rfc822; typo@shop.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         --b--\r\n";
    let mut bounce = Mail::from("Mail Delivery System <MAILER-DAEMON@mx.shop.example>")
        .id("bounce@mx.shop.example")
        .subject("Undelivered Mail Returned to Sender")
        .body(report);
    bounce.headers = "MIME-Version: 1.0\r\nContent-Type: multipart/report; \
         report-type=delivery-status; boundary=b\r\nAuto-Submitted: auto-replied\r\n"
        .to_owned();
    stage.scene.deliver("sales", "INBOX", &bounce);
    until_state(&stage.daemon, &bounce.subject, "skipped", Some("bounce"));
    stage
}

fn several_deals() -> Stage {
    let stage = running(server(), "", "deal_choice = \"ask\"\n");
    two_deals(stage.crm());
    stage.scene.deliver("sales", "INBOX", &from_ana("which@client.example", "Which one"));
    until_state(&stage.daemon, "Which one", "parked", Some("several-deals"));
    stage
}

fn colleagues() -> Stage {
    let stage = running(server(), "", "");
    let lunch = Mail::from("Carla <carla@example.com>").id("lunch@example.com").subject("Lunch?");
    stage.scene.deliver("sales", "INBOX", &lunch);
    until_state(&stage.daemon, "Lunch?", "skipped", Some("internal"));
    stage
}

fn crm_down() -> Stage {
    let mut stage = running(server(), "", "");
    stage.scene.crm.kill9();
    stage.scene.deliver("sales", "INBOX", &from_ana("urgent@client.example", "Urgent"));
    until_state(&stage.daemon, "Urgent", "queued", None);
    wait_for("the CRM to be missed", LIMIT, || {
        stage.daemon.status()["crm"]["state"] == "deferred"
            && !stage.daemon.view("urgent@client.example").attempts.is_empty()
    });
    stage
}

/// A mailbox that nobody has filed from yet: no daemon was ever started.
fn history() -> Stage {
    let scene = server();
    let days_ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 86_400);
    let ana = scene.crm.add_contact("Ana", "ana@client.example", 7);
    scene.crm.add_deal("Roof", ana, 9);
    let stranger = Mail::from("Bo <bo@stranger.example>").id("first@stranger.example");
    let lunch = Mail::from("Carla <carla@example.com>").id("lunch@example.com");
    let mails = [from_ana("order@client.example", "Order"), stranger, lunch];
    for (days, mail) in (1..).zip(&mails) {
        scene.dovecot.deliver_at("sales", "INBOX", &mail.raw(), days_ago(days)).unwrap();
    }
    let tomorrow = sales(&scene, "", "on_incoming = \"none\"\n");
    let mut daemon = Daemon::new(&scene.crm.url(), &[tomorrow]);
    std::fs::rename(daemon.config_path(), daemon.dir().join("tomorrow.toml")).unwrap();
    daemon.mailboxes = vec![sales(&scene, "", "")];
    daemon.write_config();
    Stage { daemon, scene }
}

/// One mail in two mailboxes of the company.
fn copies() -> Stage {
    let scene = Scene::with(&["sales", "support"]);
    let both = [sales(&scene, "", ""), scene.mailbox("support")];
    let daemon = Daemon::running(&scene.crm.url(), &both);
    until_mailbox(&daemon, "sales", "idle");
    until_mailbox(&daemon, "support", "idle");
    let stage = Stage { daemon, scene };
    let mail =
        from_ana("both@client.example", "To all").to("sales@example.com, support@example.com");
    stage.filed("INBOX", &mail);
    stage.scene.deliver("support", "INBOX", &mail);
    wait_for("the second place", LIMIT, || {
        stage.daemon.view("both@client.example").places.len() == 2
    });
    stage
}

/// The blocks of a part of the document, in their order.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut scene: Option<String> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("<!-- scene: ") {
            scene = Some(name.strip_suffix(" -->").expect(line).to_owned());
        } else if line == "```console" {
            let scene = scene.take().expect("every console block has its scene");
            let mut commands: Vec<(String, Vec<String>)> = Vec::new();
            for line in lines.by_ref().take_while(|line| *line != "```") {
                match line.strip_prefix("$ ") {
                    Some(command) => commands.push((command.to_owned(), Vec::new())),
                    None => commands.last_mut().expect("a command first").1.push(line.to_owned()),
                }
            }
            assert!(!commands.is_empty(), "{scene}: a block without a command");
            blocks.push(Block { scene, commands });
        } else {
            assert!(scene.is_none(), "a scene without a block: {scene:?}");
            assert!(!line.starts_with("```"), "a block of another kind: {line}");
        }
    }
    blocks
}

/// Whether a line is as it was written, `…` standing for any characters, also none.
fn line_fits(written: &str, line: &str) -> bool {
    let Some((first, rest)) = written.split_once(ANY) else { return written == line };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split(ANY).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = line.find(part) else { return false };
        line = &line[at + part.len()..];
    }
    line.ends_with(last)
}

/// The written line that no line fits, if one is left; a `…` alone stands for any number of lines.
fn misfit(written: &[String], lines: &[&str]) -> Option<usize> {
    // How far the lines could be read with the written ones before.
    let mut reached: Vec<usize> = vec![0];
    for (number, one) in written.iter().enumerate() {
        let next: Vec<usize> = if one == ANY {
            (reached[0]..=lines.len()).collect()
        } else {
            let fits = |at: &&usize| lines.get(**at).is_some_and(|line| line_fits(one, line));
            reached.iter().filter(fits).map(|at| at + 1).collect()
        };
        if next.is_empty() {
            return Some(number);
        }
        reached = next;
    }
    (!reached.contains(&lines.len())).then_some(written.len())
}

/// The words of a command as a shell parts them, without quotes: the document has none.
fn ask(stage: &Stage, command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let [program, words @ ..] = words.as_slice() else { panic!("{command}") };
    assert_eq!(*program, "mailcrm", "{command}");
    let answer = stage.daemon.mailcrm(words);
    let told = format!("{}{}", answer.stdout, answer.stderr);
    told.lines().map(str::to_owned).collect()
}

fn play(name: &str, blocks: &[&Block], stage: SetUp, wrong: &mut Vec<String>) {
    let stage = stage();
    for (command, written) in blocks.iter().flat_map(|block| &block.commands) {
        let told = ask(&stage, command);
        let lines: Vec<&str> = told.iter().map(|line| line.trim_end()).collect();
        if std::env::var_os("MAILCRM_TEST_SHOW").is_some() {
            println!("--- {name}\n$ {command}\n{}\n", lines.join("\n"));
        }
        if let Some(at) = misfit(written, &lines) {
            let missed = written.get(at).map_or("the end", String::as_str);
            let whole = lines.join("\n");
            wrong.push(format!("{name}: $ {command}\nnot found: {missed}\nin:\n{whole}\n"));
        }
    }
}

#[test]
fn every_answer_of_the_manual_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faq.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (english, spanish) = text.split_once("\n## Español\n").unwrap();
    let (english, spanish) = (blocks(english), blocks(spanish));
    for (english, spanish) in english.iter().zip(&spanish) {
        assert_eq!(english, spanish, "both languages show the same");
    }
    assert_eq!(english.len(), spanish.len(), "both languages show the same");
    for block in &english {
        let known = SCENES.iter().any(|(name, _)| *name == block.scene);
        assert!(known, "no scene {}", block.scene);
    }
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        // Two at a time: most of a scene is waiting.
        for scenes in SCENES.chunks(2) {
            let played: Vec<_> = scenes
                .iter()
                .map(|(name, stage)| {
                    let blocks: Vec<&Block> =
                        english.iter().filter(|block| block.scene == *name).collect();
                    assert!(!blocks.is_empty(), "scene {name} is in no block");
                    scope.spawn(move || {
                        let mut wrong = Vec::new();
                        play(name, &blocks, *stage, &mut wrong);
                        wrong
                    })
                })
                .collect();
            for one in played {
                wrong.extend(one.join().unwrap());
            }
        }
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_does_not_fit_is_found() {
    let written = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    #[rustfmt::skip]
    let cases = [
        ("the same",            "a\nb",         "a\nb",         None),
        ("another line",        "a\nb",         "a\nc",         Some(1)),
        ("one line less",       "a\nb",         "a",            Some(1)),
        ("one line more",       "a",            "a\nb",         Some(1)),
        ("any lines",           "a\n…\nd",      "a\nb\nc\nd",   None),
        ("no lines",            "a\n…\nd",      "a\nd",         None),
        ("the later of two",    "…\nd\ne",      "d\nd\ne",      None),
        ("any end",             "a\n…",         "a\nb\nc",      None),
        ("never there",         "…\nx\n…",      "a\nb",         Some(1)),
        ("any characters",      "a … c",        "a b b c",      None),
        ("no characters",       "a…b",          "ab",           None),
        ("at the front",        "…b",           "aab",          None),
        ("twice",               "…a…a",         "xaya",         None),
        ("the end only once",   "a…a",          "a",            Some(0)),
        ("in the wrong order",  "…b…a…",        "ab",           Some(0)),
    ];
    for (name, text, lines, expected) in cases {
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(misfit(&written(text), &lines), expected, "{name}");
    }
}
