//! A process that keeps Dovecot and outlives nobody (see `guard.sh`).

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::owner::Owner;

const SCRIPT: &str = include_str!("guard.sh");

/// How long a stop may take before we say that something is left.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often we look whether all have gone.
const LOOK: Duration = Duration::from_millis(10);

/// A running Dovecot in the hands of its guard.
///
/// A guard that is dropped without [`Guard::stop`] stops Dovecot as well, but nobody waits for it,
/// and the folder of its sockets is removed.
pub struct Guard {
    child: Child,
    /// Dovecot's master process, which leads the process group of all others.
    group: Option<u32>,
}

impl Guard {
    /// Starts Dovecot with this configuration. `short` is the folder of its sockets.
    pub fn start(
        owner: &Owner,
        program: &Path,
        conf: &Path,
        short: &Path,
        log: File,
    ) -> io::Result<Guard> {
        let child = owner
            .command("sh")
            .args(["-c", SCRIPT, "mailcrm-demo-guard"])
            .args([program, conf, short])
            .current_dir(short)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C in a terminal reaches its foreground group only, and so not the guard: it is
            // we who end first, and the guard then.
            .process_group(0)
            .spawn()?;
        Ok(Guard { child, group: None })
    }

    /// Tells the process id of Dovecot's master, once it is known.
    pub fn watches(&mut self, master: u32) {
        self.group = Some(master);
    }

    /// Stops Dovecot and waits until all its processes have gone; keeps the folder of its sockets.
    ///
    /// # Errors
    /// The number of processes that are still there after ten seconds.
    pub async fn stop(mut self) -> Result<(), usize> {
        self.dismiss();
        let start = Instant::now();
        while self.at_work() > 0 {
            if start.elapsed() > STOP_LIMIT {
                return Err(self.at_work());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The same where nothing can be awaited, and nobody told of an error.
    pub fn stop_blocking(mut self) {
        self.dismiss();
        let start = Instant::now();
        while self.at_work() > 0 && start.elapsed() < STOP_LIMIT {
            std::thread::sleep(LOOK);
        }
    }

    fn dismiss(&mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            // A guard that is gone already has nothing to keep.
            let _ = pipe.write_all(b"keep\n");
        }
    }

    /// How many processes are still there, the guard's own included.
    fn at_work(&mut self) -> usize {
        let guard = matches!(self.child.try_wait(), Ok(None));
        usize::from(guard) + self.group.map_or(0, processes_of)
    }
}

/// Where Dovecot is installed. /usr/sbin is not in the path of an ordinary user.
pub fn find_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join("dovecot"))
        .find(|program| program.is_file())
}

/// How many processes of a process group are still at work; zombies have ended.
fn processes_of(group: u32) -> usize {
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let stats = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.parse::<u32>().ok()?;
        std::fs::read_to_string(entry.path().join("stat")).ok()
    });
    stats.filter(|stat| works_in(stat, group)).count()
}

/// Whether a process with this `/proc/PID/stat` (proc(5)) is in the group and not a zombie.
fn works_in(stat: &str, group: u32) -> bool {
    // The command's name, in brackets, may hold anything, also brackets.
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let mut fields = rest.split(' ');
    let (state, _parent, of) = (fields.next(), fields.next(), fields.next());
    of.and_then(|of| of.parse().ok()) == Some(group) && !matches!(state, Some("Z" | "X") | None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_living_processes_of_the_group_are_counted() {
        let cases = [
            ("in the group", "12 (imap) S 10 77 77 0", true),
            ("brackets in the name", "12 (a) Z (b) R 10 77 77 0", true),
            ("zombie", "12 (imap) Z 10 77 77 0", false),
            ("another group", "12 (imap) S 77 10 77 0", false),
            ("cut", "12 (imap) S", false),
            ("empty", "", false),
        ];
        for (name, stat, counted) in cases {
            assert_eq!(works_in(stat, 77), counted, "{name}");
        }
    }
}
