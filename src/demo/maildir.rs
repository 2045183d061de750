//! Delivery into a Maildir, as a mail transfer agent does it.
//!
//! Source: <https://cr.yp.to/proto/maildir.html>, and Dovecot's Maildir++ for sub-folders.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::owner::Owner;

/// Counts the deliveries of this process, so that no two names are the same.
static DELIVERED: AtomicU64 = AtomicU64::new(0);

/// Where a folder lies below the Maildir of the inbox: `Archive/2024` in `.Archive.2024`.
pub fn folder_path(maildir: &Path, folder: &str) -> PathBuf {
    if folder.eq_ignore_ascii_case("INBOX") {
        return maildir.to_owned();
    }
    maildir.join(format!(".{}", folder.replace('/', ".")))
}

/// Puts one message into `folder`, which is made if it is not there.
///
/// The message appears at once and whole: it is written in `tmp/` and renamed into `new/`, which
/// Dovecot's IDLE is told of by the kernel. `received` becomes its INTERNALDATE. Nothing is
/// synced to the disk.
pub fn deliver(
    maildir: &Path,
    folder: &str,
    raw: &[u8],
    received: SystemTime,
    owner: &Owner,
) -> io::Result<()> {
    let path = folder_path(maildir, folder);
    let name = unique_name(raw.len());
    let draft = path.join("tmp").join(&name);
    let mut open = OpenOptions::new();
    open.write(true).create_new(true).mode(0o600);
    let mut file = match open.open(&draft) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(maildir, &path, owner)?;
            open.open(&draft)?
        }
        opened => opened?,
    };
    file.write_all(raw)?;
    owner.own_file(&file)?;
    // Dovecot takes INTERNALDATE from the file's time of change.
    file.set_modified(received)?;
    std::fs::rename(&draft, path.join("new").join(&name))
}

fn make_folder(maildir: &Path, path: &Path, owner: &Owner) -> io::Result<()> {
    owner.make_folder(maildir)?;
    owner.make_folder(path)?;
    for part in ["tmp", "new", "cur"] {
        owner.make_folder(&path.join(part))?;
    }
    Ok(())
}

/// A name that sorts in the order of delivery: Dovecot numbers new messages in that order.
fn unique_name(bytes: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = DELIVERED.fetch_add(1, Ordering::Relaxed);
    let (secs, micros, pid) = (now.as_secs(), now.subsec_micros(), std::process::id());
    format!("{secs}.M{micros:06}P{pid}Q{count:08}.mailcrm,S={bytes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_lie_beside_each_other_as_maildir_plus_plus_has_them() {
        let cases = [
            ("INBOX", "/m"),
            ("inbox", "/m"),
            ("Sent", "/m/.Sent"),
            ("Archive/2024", "/m/.Archive.2024"),
            ("Отправленные", "/m/.Отправленные"),
        ];
        for (folder, path) in cases {
            assert_eq!(folder_path(Path::new("/m"), folder), Path::new(path), "{folder}");
        }
    }

    #[test]
    fn names_sort_in_the_order_of_delivery() {
        let names: Vec<String> = (0..1000).map(|_| unique_name(7)).collect();
        assert!(names.is_sorted());
    }
}
