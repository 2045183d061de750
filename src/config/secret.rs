//! Secrets: what they are, where they come from, and that nobody prints them.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::defaults::{SECRET_COMMAND_SECS, SECRET_MAX_BYTES};

/// A password or a URL that gives access. Its text is got by [`Secret::expose`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the peer that must be shown it and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where a login's secret comes from. It is read again at each login, so that a changed one is
/// tried at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a shell command prints. The command may itself hold a secret.
    Command(Secret),
    /// A credential that systemd hands to the service: the file it lies in.
    Credential(PathBuf),
    /// Accepted, not yet in force.
    Oauth2(Oauth2),
    /// Written into the configuration itself: for tests.
    Password(Secret),
}

/// `[mailbox.imap.oauth2]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oauth2 {
    /// `google`, `microsoft` or `other`.
    pub provider: String,
    /// `code`, `device` or `client`.
    pub flow: String,
    pub client_id: String,
    pub client_secret_file: Option<PathBuf>,
    pub tenant: Option<String>,
    pub auth_url: Option<String>,
    pub token_url: Option<String>,
    pub scopes: Vec<String>,
    pub token_file: Option<PathBuf>,
}

/// A secret that cannot be had. Its text holds no part of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read {origin}")]
    File { origin: String, source: std::io::Error },
    #[error("cannot run password_command")]
    Start { source: std::io::Error },
    #[error("password_command ended with {status}")]
    Status { status: std::process::ExitStatus },
    #[error("password_command did not end within {SECRET_COMMAND_SECS} s")]
    Timeout,
    #[error("the first line of {origin} is empty")]
    Empty { origin: String },
    #[error("{origin} is longer than {SECRET_MAX_BYTES} bytes")]
    TooLong { origin: String },
    #[error("the first line of {origin} is not UTF-8")]
    NotText { origin: String },
    #[error("OAuth2 is not yet in force in this version")]
    NotInForce,
}

impl SecretSource {
    /// Reads the secret anew: its first line, without the line's end.
    ///
    /// Waits for the disk, or up to 30 seconds for the command, which is killed then.
    pub async fn read(&self) -> Result<Secret, SecretError> {
        match self {
            SecretSource::File(path) => read_file(path, "the file that password_file names").await,
            SecretSource::Credential(path) => {
                read_file(path, "the credential that password_credential names").await
            }
            SecretSource::Command(command) => run(command.expose()).await,
            SecretSource::Password(secret) => Ok(secret.clone()),
            SecretSource::Oauth2(_) => Err(SecretError::NotInForce),
        }
    }
}

async fn read_file(path: &Path, nameless: &str) -> Result<Secret, SecretError> {
    let cannot = |source| cannot_read(path, nameless, source);
    let file = tokio::fs::File::open(path).await.map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(SECRET_MAX_BYTES + 1).read_to_end(&mut bytes).await.map_err(cannot)?;
    first_line(bytes, &path.display().to_string())
}

/// Reads a secret that is needed before anything runs, such as the CRM's URL.
pub(super) fn read_file_now(path: &Path) -> Result<Secret, SecretError> {
    use std::io::Read;
    let cannot = |source| cannot_read(path, "the secret's file", source);
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(SECRET_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    first_line(bytes, &path.display().to_string())
}

/// Names the path only if something lies there, else calls it `nameless`: what is written where a
/// path belongs may be the secret itself, and this text reaches the log and `status`.
fn cannot_read(path: &Path, nameless: &str, source: std::io::Error) -> SecretError {
    let origin =
        if path.exists() { format!("secret file {}", path.display()) } else { nameless.to_owned() };
    SecretError::File { origin, source }
}

/// Whether a text written where a secret's path belongs is a path, and so may be shown; `path` is
/// what it means, from where relative ones count.
///
/// It is one if something lies there, or if it begins at the root and its folder is there: a slip
/// in a file's name is to be found. Without a folder of its own (`/pa55`) it may be a password, as
/// any relative one may.
pub(super) fn is_a_path(text: &str, path: &Path) -> bool {
    if path.exists() {
        return true;
    }
    let own = |folder: &&Path| folder.components().any(|part| matches!(part, Component::Normal(_)));
    let Some(folder) = Path::new(text).parent().filter(own).filter(|_| text.starts_with('/'))
    else {
        return false;
    };
    match std::fs::metadata(folder) {
        Ok(found) => found.is_dir(),
        // A folder above it is there, and is locked.
        Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
    }
}

async fn run(command: &str) -> Result<Secret, SecretError> {
    // What the command says on standard error may quote the secret: it goes nowhere.
    let mut child = tokio::process::Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| SecretError::Start { source })?;
    let reading = async {
        let mut bytes = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            // Dropped at the limit, so that a command that goes on printing ends.
            stdout
                .take(SECRET_MAX_BYTES + 1)
                .read_to_end(&mut bytes)
                .await
                .map_err(|source| SecretError::Start { source })?;
        }
        let status = child.wait().await.map_err(|source| SecretError::Start { source })?;
        Ok((bytes, status))
    };
    let limit = Duration::from_secs(SECRET_COMMAND_SECS);
    let (bytes, status) =
        tokio::time::timeout(limit, reading).await.map_err(|_| SecretError::Timeout)??;
    // Asked before the status: the command that printed too much was cut off by us.
    if bytes.len() as u64 > SECRET_MAX_BYTES {
        return Err(SecretError::TooLong { origin: "the output of password_command".into() });
    }
    if !status.success() {
        return Err(SecretError::Status { status });
    }
    first_line(bytes, "the output of password_command")
}

fn first_line(bytes: Vec<u8>, origin: &str) -> Result<Secret, SecretError> {
    let origin = || origin.to_owned();
    if bytes.len() as u64 > SECRET_MAX_BYTES {
        return Err(SecretError::TooLong { origin: origin() });
    }
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    // Editors on Windows end lines with CR LF; no password ends with a CR.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(SecretError::Empty { origin: origin() });
    }
    match std::str::from_utf8(line) {
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err(SecretError::NotText { origin: origin() }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn command(text: &str) -> SecretSource {
        SecretSource::Command(Secret::new(text))
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        for source in [SecretSource::Password(secret), command("echo hunter2")] {
            assert!(!format!("{source:?}").contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn the_first_line_of_a_file_without_its_end_is_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let source = SecretSource::File(path.clone());
        let cases: &[(&str, &str, &str)] = &[
            ("with a line end", "hunter2\n", "hunter2"),
            ("without one", "hunter2", "hunter2"),
            ("from Windows", "hunter2\r\nmore\r\n", "hunter2"),
            ("blanks belong to it", " hunter 2 \nmore", " hunter 2 "),
        ];
        for (name, content, secret) in cases {
            std::fs::write(&path, content).unwrap();
            // The same source each time: it is read anew.
            assert_eq!(source.read().await.unwrap().expose(), *secret, "{name}");
        }
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_had_says_why_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let at = path.display().to_string();
        let file = SecretSource::File(path.clone());
        // What stands for the path may be the password.
        assert_eq!(
            file.read().await.unwrap_err().to_string(),
            "cannot read the file that password_file names"
        );
        assert_eq!(
            SecretSource::File(folder.path().into()).read().await.unwrap_err().to_string(),
            format!("cannot read secret file {}", folder.path().display())
        );
        let cases: &[(&str, &[u8], &str)] = &[
            ("empty", b"", "the first line of PATH is empty"),
            ("an empty first line", b"\nhunter2\n", "the first line of PATH is empty"),
            ("no text", b"hunter\xff\n", "the first line of PATH is not UTF-8"),
            ("another file", &[b'x'; 65 * 1024], "PATH is longer than 65536 bytes"),
        ];
        for (name, content, error) in cases {
            std::fs::write(&path, content).unwrap();
            let said = file.read().await.unwrap_err().to_string();
            assert_eq!(said, error.replace("PATH", &at), "{name}");
        }
    }

    #[test]
    fn a_text_is_a_path_only_if_it_cannot_be_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pw"), "hunter2").unwrap();
        let at = folder.path().display().to_string();
        let cases: &[(&str, &str, bool)] = &[
            ("a file", "AT/pw", true),
            ("a file beside the configuration", "pw", true),
            ("a slip in a file's name", "AT/wp", true),
            ("a slip in a folder's name", "AT/there/pw", false),
            ("a file taken for a folder", "AT/pw/pw", false),
            ("a password", "hunter2", false),
            ("a password that begins with a slash", "/hunter2", false),
            ("and with two", "//hunter2", false),
            ("and with a dot", "/./hunter2", false),
            ("a password with a slash", "hunter/2", false),
            ("a URL without its scheme", "portal.example/rest/1/s3cr3t/", false),
            ("a URL's path", "/rest/1/s3cr3t/", false),
        ];
        for (name, text, expected) in cases {
            let text = text.replace("AT", &at);
            assert_eq!(is_a_path(&text, &folder.path().join(&text)), *expected, "{name}");
        }
    }

    #[tokio::test]
    async fn a_command_prints_the_secret_on_its_first_line() {
        assert_eq!(command("printf 'a b\\nuser: x\\n'").read().await.unwrap().expose(), "a b");
        let cases: &[(&str, &str, &str)] = &[
            ("no success", "echo hunter2; exit 3", "password_command ended with exit status: 3"),
            ("silent", "true", "the first line of the output of password_command is empty"),
            ("endless", "yes hunter2", "the output of password_command is longer than 65536 bytes"),
        ];
        for (name, text, error) in cases {
            assert_eq!(command(text).read().await.unwrap_err().to_string(), *error, "{name}");
        }
    }
}
