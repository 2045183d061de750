//! Where the private mail server's files lie while it runs.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::dovecot::Error;
use super::owner::Owner;
use super::port::random;
use super::{certificate, dovecot_conf};

/// The server's files: in the caller's folder, and its sockets in one of their own.
///
/// With the drop of this value the mail is back in the caller's folder and nothing elsewhere.
pub struct Files {
    pub owner: Owner,
    /// The caller's folder.
    dir: PathBuf,
    /// Where the files are now: in `dir`, or in `short` if the owner cannot come to `dir`.
    now: PathBuf,
    /// A folder in /tmp: the path of a socket may have no more than 107 bytes (unix(7)).
    short: PathBuf,
    untidy: bool,
}

impl Files {
    /// Takes a folder that is empty, missing, or a former server's, and lays out all files that
    /// Dovecot needs, except dovecot.conf. `users` is the text of its passwd-file.
    pub fn lay_out(dir: &Path, owner: Owner, users: &str) -> Result<Files, Error> {
        let file = |doing| move |source| Error::File { doing, source };
        std::fs::create_dir_all(dir).map_err(file("make its folder"))?;
        let dir = dir.canonicalize().map_err(file("its folder"))?;
        let mut entries = std::fs::read_dir(&dir).map_err(file("read its folder"))?;
        if entries.next().is_some() && !dir.join(dovecot_conf::NAME).exists() {
            return Err(Error::NotOurs { path: dir.display().to_string() });
        }
        let near = owner.can_reach(&dir).map_err(file("its folder"))?;
        let short = make_short_folder(&owner).map_err(file("make a folder in /tmp"))?;
        let now = if near { dir.clone() } else { short.join("files") };
        // From here on the drop of this value clears away.
        let files = Files { owner, dir, now, short, untidy: true };
        if !near {
            files.owner.make_folder(&files.now).map_err(file("make its folder"))?;
            move_all(&files.dir, &files.now)?;
        }
        certificate::make(&files.now).map_err(|source| Error::Certificate { source })?;
        files.write(dovecot_conf::USERS, users)?;
        files.write(dovecot_conf::LOG, "")?;
        files.owner.make_folder(&files.path("mail")).map_err(file("make its folders"))?;
        files.owner.make_folder(&files.run()).map_err(file("make its folders"))?;
        // Dovecot itself would make its base_dir readable for all, with a warning.
        let readable = Permissions::from_mode(0o755);
        std::fs::set_permissions(files.run(), readable).map_err(file("make its folders"))?;
        files.owner.own_all(&files.now).map_err(file("own its folder"))?;
        Ok(files)
    }

    /// The folder of all files but the sockets.
    pub fn all(&self) -> &Path {
        &self.now
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.now.join(name)
    }

    /// Dovecot's `base_dir`, with its sockets.
    pub fn run(&self) -> PathBuf {
        self.short.join("run")
    }

    /// The folder that is there only as long as the server is.
    pub fn short(&self) -> &Path {
        &self.short
    }

    /// A user's home, which is made if it is not there.
    pub fn home(&self, user: &str) -> Result<PathBuf, Error> {
        let home = self.path("mail").join(user);
        self.owner
            .make_folder(&home)
            .map_err(|source| Error::File { doing: "make a user's folder", source })?;
        Ok(home)
    }

    /// Writes a file that the owner alone may read, in the place of a former one at once.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let file = |source| Error::File { doing: "write its files", source };
        let draft = self.path(&format!("{name}.new"));
        let mut open = OpenOptions::new();
        let mut out =
            open.write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(file)?;
        out.write_all(text.as_bytes()).map_err(file)?;
        self.owner.own_file(&out).map_err(file)?;
        std::fs::rename(&draft, self.path(name)).map_err(file)
    }

    /// Moves the mail back to where it belongs and removes what is elsewhere.
    pub fn tidy(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.untidy) {
            return Ok(());
        }
        if self.now != self.dir {
            move_all(&self.now, &self.dir)?;
        }
        std::fs::remove_dir_all(&self.short)
            .map_err(|source| Error::File { doing: "remove its folder in /tmp", source })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Nobody is left to be told of an error.
        let _ = self.tidy();
    }
}

fn make_short_folder(owner: &Owner) -> io::Result<PathBuf> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..20 {
        let path = PathBuf::from(format!("/tmp/mcrm-{:08x}", random() >> 32));
        // Not with make_folder, which would take a folder that somebody else has put there.
        match std::fs::create_dir(&path) {
            Ok(()) => {
                std::fs::set_permissions(&path, Permissions::from_mode(0o700))?;
                owner.own(&path)?;
                return Ok(path);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Moves everything in one folder into another, also onto another file system.
fn move_all(from: &Path, to: &Path) -> Result<(), Error> {
    let file = |doing| move |source| Error::File { doing, source };
    let entries: Vec<PathBuf> = std::fs::read_dir(from)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(file("read its folder"))?;
    if entries.is_empty() {
        return Ok(());
    }
    let moved = Command::new("mv")
        .arg("-f")
        .arg("--")
        .args(&entries)
        .arg(to)
        .stdin(Stdio::null())
        .output()
        .map_err(file("run mv"))?;
    if moved.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&moved.stderr).trim().to_owned();
    Err(Error::File { doing: "move its files", source: io::Error::other(text) })
}
