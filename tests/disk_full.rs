//! The disk is full: reading stops, this is said once, and it goes on when there is room. Nothing is
//! lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use crate::common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::daemon::{Daemon, Mailbox};
use common::letter::letter;
use common::sandbox::SandboxProcess;
use common::{LIMIT, dovecot, wait_for};

/// A small file system of its own, in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, and a line that says why, where this process may not mount anything.
    fn mount(at: &Path) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"])
            .arg(at)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(SmallDisk(at.to_owned())),
            Ok(output) => {
                println!("skipped: no mount: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: no mount: {error}");
                None
            }
        }
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.0.join("ballast"))
            .unwrap();
        for size in [65_536, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn full_disk_stops_reading_until_there_is_room_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&dir.path().join("disk")) else { return };
    let dovecot = dovecot(&dir.path().join("dovecot"), &["sales", "support"]);
    let crm = SandboxProcess::start();
    let mailboxes = ["sales", "support"].map(|name| Mailbox::on(&dovecot, name));
    let mut daemon = Daemon::new(&crm.url(), &mailboxes);
    daemon.ledger = format!("path = {:?}\n", disk.0.join("ledger.sqlite"));
    daemon.write_config();
    daemon.start();
    let filed =
        |count: usize| wait_for("mail to be filed", LIMIT, || crm.activities().len() >= count);
    let receive = |user: &str, number: usize| {
        let from = format!("c{number}@client.example");
        let mail =
            letter(&from, &format!("{user}@example.com"), &format!("m{number}@client.example"));
        let mail = mail.file("scan.bin", &[b'x'; 30_000]);
        dovecot.deliver(user, "INBOX", &mail.raw()).unwrap();
    };
    receive("sales", 0);
    receive("support", 1);
    filed(2);
    daemon.wait_until_settled(2, LIMIT);

    disk.fill();
    for number in 2..12 {
        receive(if number % 2 == 0 { "sales" } else { "support" }, number);
    }
    daemon.wait_for_line("ledger full", LIMIT);
    assert!(daemon.is_running());
    // It is tried again every ten seconds, and that it is still full is no news: there is nothing
    // to see but that nothing is said.
    let told = Instant::now();
    wait_for("two more tries", LIMIT, || told.elapsed() > Duration::from_secs(23));
    assert_eq!(daemon.lines_with("ledger full"), 1, "{}", daemon.log());
    assert!(daemon.is_running());

    disk.free();
    filed(12);
    daemon.wait_for_line("ledger has room", LIMIT);
    assert_eq!(crm.cards(1).len(), 12);
    assert_eq!(crm.activities().len(), 12);
    assert_eq!(daemon.lines_with("ledger full"), 1, "{}", daemon.log());

    // Killed while it is full, it starts again when there is room.
    daemon.wait_until_settled(12, LIMIT);
    disk.fill();
    for number in 12..16 {
        receive("sales", number);
    }
    wait_for("the full disk to be told again", LIMIT, || daemon.lines_with("ledger full") > 1);
    daemon.kill9();
    disk.free();
    daemon.start();
    filed(16);
    assert!(daemon.terminate().success());
    assert_eq!(crm.cards(1).len(), 16);
    assert_eq!(crm.activities().len(), 16);
}
