//! As whom the private server runs: as ourselves, or as an unprivileged user when we are root.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, fchown, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user that Debian's package brings for Dovecot's own processes.
const PACKAGE_USER: &str = "dovecot";

/// The user and group that the server and its files belong to.
#[derive(Clone, Debug)]
pub struct Owner {
    pub user: String,
    pub group: String,
    uid: u32,
    gid: u32,
    /// We are root and the owner is somebody else.
    other: bool,
}

impl Owner {
    /// Ourselves; for root the user `dovecot`, because Dovecot opens no mail as root.
    ///
    /// # Errors
    /// A text that says what is missing.
    pub fn find() -> Result<Owner, String> {
        let own = std::fs::metadata("/proc/self").map_err(|e| format!("/proc/self: {e}"))?;
        if own.uid() != 0 {
            let (user, group) = (ask_id("-un")?, ask_id("-gn")?);
            return Ok(Owner { user, group, uid: own.uid(), gid: own.gid(), other: false });
        }
        let passwd =
            std::fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
        let groups =
            std::fs::read_to_string("/etc/group").map_err(|e| format!("/etc/group: {e}"))?;
        let missing = || format!("there is no user {PACKAGE_USER}; install dovecot-imapd");
        let (uid, gid) = ids_of(&passwd, PACKAGE_USER).ok_or_else(missing)?;
        let group = name_of_group(&groups, gid).ok_or_else(missing)?;
        Ok(Owner { user: PACKAGE_USER.to_owned(), group, uid, gid, other: true })
    }

    /// A command that will run as the owner.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if self.other {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives a path to the owner.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        if self.other { lchown(path, Some(self.uid), Some(self.gid)) } else { Ok(()) }
    }

    /// Gives an open file to the owner.
    pub fn own_file(&self, file: &File) -> io::Result<()> {
        if self.other { fchown(file, Some(self.uid), Some(self.gid)) } else { Ok(()) }
    }

    /// Gives a folder with all that is in it to the owner.
    pub fn own_all(&self, path: &Path) -> io::Result<()> {
        if !self.other {
            return Ok(());
        }
        self.own(path)?;
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.own_all(&entry.path())?;
            } else {
                self.own(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Makes a folder that only the owner may enter. One that is there already is left as it is.
    pub fn make_folder(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => self.own(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the owner can come to this folder: may pass through all folders above it.
    pub fn can_reach(&self, folder: &Path) -> io::Result<bool> {
        if !self.other {
            return Ok(true);
        }
        let folder: PathBuf = folder.canonicalize()?;
        for above in folder.ancestors().skip(1) {
            let meta = std::fs::metadata(above)?;
            let mode = meta.mode();
            // Root's supplementary groups do not count: they are dropped with the user id.
            let passes = match (meta.uid() == self.uid, meta.gid() == self.gid) {
                (true, _) => mode & 0o100 != 0,
                (false, true) => mode & 0o010 != 0,
                (false, false) => mode & 0o001 != 0,
            };
            if !passes {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn ask_id(option: &str) -> Result<String, String> {
    let answer =
        Command::new("id").arg(option).output().map_err(|e| format!("id {option}: {e}"))?;
    let name = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    // Dovecot's configuration takes names only.
    if !answer.status.success() || name.is_empty() {
        return Err(format!("id {option}: the own user or group has no name"));
    }
    Ok(name)
}

/// User and group number of a line of passwd(5).
fn ids_of(passwd: &str, user: &str) -> Option<(u32, u32)> {
    let mut fields = passwd
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| (fields.next() == Some(user)).then_some(fields))?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some((uid, gid))
}

/// Name of a group of group(5) by its number.
fn name_of_group(groups: &str, gid: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        dovecot:x:102:105:Dovecot mail server,,,:/usr/lib/dovecot:/usr/sbin/nologin\nbad\n";
    const GROUP: &str = "root:x:0:\nbad\ndovecot:x:105:\n";

    #[test]
    fn the_package_user_is_found_by_name_and_its_group_by_number() {
        assert_eq!(ids_of(PASSWD, "dovecot"), Some((102, 105)));
        assert_eq!(ids_of(PASSWD, "dove"), None);
        assert_eq!(ids_of(PASSWD, "bad"), None);
        assert_eq!(name_of_group(GROUP, 105), Some("dovecot".to_owned()));
        assert_eq!(name_of_group(GROUP, 7), None);
    }
}
