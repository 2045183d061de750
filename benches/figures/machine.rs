//! The machine, and what the kernel says of a process.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// One line: what the figures were measured on and with.
pub fn describe() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("? unknown");
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let dovecot = first_word(&["dovecot", "/usr/sbin/dovecot"], 0);
    let mbsync = first_word(&["mbsync"], 1);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{cores} cores of {model}, Linux {}, mailcrm {version}, Dovecot {dovecot}, mbsync {mbsync}",
        kernel.trim()
    )
}

fn first_word(programs: &[&str], word: usize) -> String {
    let answer =
        programs.iter().find_map(|program| Command::new(program).arg("--version").output().ok());
    let text = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned());
    let found = text.as_deref().and_then(|text| text.split_whitespace().nth(word));
    found.unwrap_or("(none)").to_owned()
}

/// Octets of a line of /proc/PID/status, such as `VmRSS` or `VmHWM`.
pub fn memory(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib = found.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("memory") * 1024
}

/// Time on a processor, of all threads that live.
pub fn processor_time(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
    let nanos = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Octets of all files in a folder and below.
pub fn octets(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => octets(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Writes out what earlier work left to be written, so that nobody else pays for it.
pub fn settle_disk() {
    let _ = Command::new("sync").status();
}
