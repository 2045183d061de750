//! What commands ask of the running daemon: one line of JSON over its socket, answered by lines.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::ledger::Filter;

/// Octets of a request.
const REQUEST: u64 = 64 * 1024;

/// What a command asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Decide these messages again.
    Redecide { filter: Filter },
    /// Read these messages, which have no row in the ledger.
    Repair { unexplained: Vec<Unexplained> },
}

/// The line that a command says.
#[derive(Serialize, Deserialize)]
struct Said {
    ledger: PathBuf,
    request: Request,
}

/// Messages of one folder without a row in the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unexplained {
    pub mailbox: String,
    pub folder: String,
    pub uid_validity: u32,
    /// The lowest of their UIDs.
    pub from: u32,
}

/// One line of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// A line of what the command prints.
    Line(serde_json::Value),
    /// Done, and all there is to do.
    Progress(u64, u64),
    /// Something did not work; the rest goes on.
    Trouble(String),
    /// The last line: the exit code, and why if it is not 0.
    End { code: u8, text: String },
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {path}")]
    Listen { path: PathBuf, source: io::Error },
    #[error("another daemon listens on {path}; give one of them another daemon.socket")]
    InUse { path: PathBuf },
    #[error("cannot talk to the daemon at {path}")]
    Talk { path: PathBuf, source: io::Error },
    #[error("the daemon at {path} stopped before it was done")]
    Stopped { path: PathBuf },
}

/// Listens on the daemon's socket. What an earlier daemon left behind is replaced.
///
/// # Errors
/// If another daemon listens there, or no socket can be made.
pub async fn listen(path: &Path) -> Result<UnixListener, Error> {
    use std::os::unix::fs::PermissionsExt;
    let listen = |source| Error::Listen { path: path.to_owned(), source };
    match UnixStream::connect(path).await {
        Ok(_somebody) => return Err(Error::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(listen)?;
        }
        // Nothing there, or nothing that could be taken away: then it cannot be made either.
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(listen)?;
    // Who may open it may act as every employee (product.md section 5).
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(listen)?;
    Ok(listener)
}

/// A command that asks something.
pub struct Asking {
    stream: BufReader<UnixStream>,
}

impl Asking {
    pub fn new(stream: UnixStream) -> Asking {
        Asking { stream: BufReader::new(stream) }
    }

    /// What it asks for, and the ledger that its configuration names.
    ///
    /// # Errors
    /// If it says nothing that can be read.
    pub async fn request(&mut self) -> io::Result<(PathBuf, Request)> {
        let mut line = String::new();
        (&mut self.stream).take(REQUEST).read_line(&mut line).await?;
        let Said { ledger, request } = serde_json::from_str(&line).map_err(io::Error::other)?;
        Ok((ledger, request))
    }

    /// Answers with one line.
    ///
    /// # Errors
    /// If nobody listens any more.
    pub async fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_string(answer).map_err(io::Error::other)?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).await
    }
}

/// Asks the daemon, and hands each line of its answer to `hear` until the last one, which is
/// returned. `None`: no daemon listens there. A daemon on another ledger than `ledger` does
/// nothing and says so.
///
/// # Errors
/// If the daemon stops before it is done.
pub async fn ask(
    path: &Path,
    ledger: &Path,
    request: Request,
    mut hear: impl FnMut(Answer),
) -> Result<Option<(u8, String)>, Error> {
    let talk = |source| Error::Talk { path: path.to_owned(), source };
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(talk(error)),
    };
    let mut stream = BufReader::new(stream);
    let said = Said { ledger: resolved(ledger), request };
    let mut line = serde_json::to_string(&said).map_err(|error| talk(io::Error::other(error)))?;
    line.push('\n');
    stream.get_mut().write_all(line.as_bytes()).await.map_err(talk)?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.map_err(talk)? == 0 {
            return Err(Error::Stopped { path: path.to_owned() });
        }
        match serde_json::from_str(&line).map_err(|error| talk(io::Error::other(error)))? {
            Answer::End { code, text } => return Ok(Some((code, text))),
            other @ (Answer::Line(_) | Answer::Progress(..) | Answer::Trouble(_)) => hear(other),
        }
    }
}

/// A path by which two processes know the same file; as it is, if it is not there.
pub fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn what_is_asked_is_answered_line_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.sock");
        let ledger = folder.path().join("ledger.sqlite");
        let request = || Request::Redecide { filter: Filter::default() };
        assert!(ask(&path, &ledger, request(), |_| {}).await.unwrap().is_none());

        let listener = listen(&path).await.unwrap();
        let serving = async {
            let mut asking = Asking::new(listener.accept().await.unwrap().0);
            let (of, asked) = asking.request().await.unwrap();
            assert_eq!(of, resolved(&ledger));
            assert!(matches!(asked, Request::Redecide { .. }));
            asking.answer(&Answer::Line(serde_json::json!({ "id": 1 }))).await.unwrap();
            asking.answer(&Answer::Progress(1, 1)).await.unwrap();
            asking.answer(&Answer::End { code: 1, text: "so".into() }).await.unwrap();
        };
        let mut heard = 0;
        let (end, ()) = tokio::join!(ask(&path, &ledger, request(), |_| heard += 1), serving);
        assert_eq!((end.unwrap().unwrap(), heard), ((1, "so".to_owned()), 2));

        assert!(matches!(listen(&path).await, Err(Error::InUse { .. })));
        drop(listener);
        // Its file is left behind, as after a kill.
        assert!(path.exists());
        assert!(ask(&path, &ledger, request(), |_| {}).await.unwrap().is_none());
        listen(&path).await.unwrap();
    }
}
