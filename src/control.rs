//! What commands ask of the running daemon: one line of JSON over its socket, answered by lines.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::ledger::Filter;

/// Octets of a request.
const REQUEST: u64 = 4 * 1024 * 1024;
/// How long a command may take to ask, and to take in each line of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// A line of what the command prints, and whether it tells of a change.
    Line(serde_json::Value, bool),
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
    #[error("{path} is there and is no socket; take it away, or set another daemon.socket")]
    NoSocket { path: PathBuf },
    #[error("cannot talk to the daemon at {path}")]
    Talk { path: PathBuf, source: io::Error },
    #[error("the daemon at {path} stopped before it was done, or did not wait for us")]
    Stopped { path: PathBuf },
}

/// Listens on the daemon's socket. What an earlier daemon left behind is replaced.
///
/// # Errors
/// If another daemon listens there, something else lies there, or no socket can be made.
pub async fn listen(path: &Path) -> Result<UnixListener, Error> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let listen = |source| Error::Listen { path: path.to_owned(), source };
    // A file that somebody's slip of the pen names must not be taken away.
    if std::fs::symlink_metadata(path).is_ok_and(|there| !there.file_type().is_socket()) {
        return Err(Error::NoSocket { path: path.to_owned() });
    }
    match UnixStream::connect(path).await {
        Ok(_somebody) => return Err(Error::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(listen)?;
        }
        // Nothing there, or nothing that could be taken away: then it cannot be made either.
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(listen)?;
    // Who may open it may act as every employee.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(listen)?;
    Ok(listener)
}

/// Why a request is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Unasked {
    /// Nobody to answer.
    #[error("nothing was asked")]
    Silent,
    #[error("the request is longer than {} MiB: ask for less at once", REQUEST / (1024 * 1024))]
    TooLong,
    #[error("the request cannot be read: use the mailcrm of the daemon's version")]
    Unreadable(#[source] serde_json::Error),
}

/// A command that asks something.
pub struct Asking {
    stream: BufReader<UnixStream>,
    patience: Duration,
    /// It takes no more answers in.
    gone: bool,
}

impl Asking {
    pub fn new(stream: UnixStream) -> Asking {
        Asking { stream: BufReader::new(stream), patience: PATIENCE, gone: false }
    }

    /// What it asks for, and the ledger that its configuration names.
    ///
    /// # Errors
    /// If it says nothing that can be read, or nothing in time.
    pub async fn request(&mut self) -> Result<(PathBuf, Request), Unasked> {
        let mut line = Vec::new();
        let mut beginning = (&mut self.stream).take(REQUEST);
        let read = beginning.read_until(b'\n', &mut line);
        match tokio::time::timeout(self.patience, read).await {
            Err(_) | Ok(Err(_)) | Ok(Ok(0)) => return Err(Unasked::Silent),
            Ok(Ok(_)) => {}
        }
        if line.len() as u64 >= REQUEST && !line.ends_with(b"\n") {
            return Err(Unasked::TooLong);
        }
        let said = serde_json::from_slice(&line).map_err(Unasked::Unreadable)?;
        let Said { ledger, request } = said;
        Ok((ledger, request))
    }

    /// Answers with one line. Who does not take it in for a while gets none of the others: what is
    /// done for one must not keep the others waiting.
    pub async fn answer(&mut self, answer: &Answer) {
        if self.gone {
            return;
        }
        let Ok(mut line) = serde_json::to_string(answer) else { return };
        line.push('\n');
        let written = self.stream.get_mut().write_all(line.as_bytes());
        // A line that was written in part can have none behind it.
        self.gone = !matches!(tokio::time::timeout(self.patience, written).await, Ok(Ok(())));
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
    // What the daemon does not read to its end it may have answered all the same.
    let written = stream.get_mut().write_all(line.as_bytes()).await;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.map_err(talk)? == 0 {
            written.map_err(talk)?;
            return Err(Error::Stopped { path: path.to_owned() });
        }
        match serde_json::from_str(&line).map_err(|error| talk(io::Error::other(error)))? {
            Answer::End { code, text } => return Ok(Some((code, text))),
            other @ (Answer::Line(..) | Answer::Progress(..) | Answer::Trouble(_)) => hear(other),
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
            asking.answer(&Answer::Line(serde_json::json!({ "id": 1 }), true)).await;
            asking.answer(&Answer::Progress(1, 1)).await;
            asking.answer(&Answer::End { code: 1, text: "so".into() }).await;
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

    /// What is read of a command that says `said`, and then nothing.
    async fn asked(said: &[u8]) -> Result<(PathBuf, Request), Unasked> {
        let (mut command, daemon) = UnixStream::pair().unwrap();
        let asking = Asking { patience: Duration::from_millis(300), ..Asking::new(daemon) };
        let mut asking = asking;
        let (_written, asked) = tokio::join!(command.write_all(said), async move {
            let asked = asking.request().await;
            drop(asking);
            asked
        });
        asked
    }

    #[tokio::test]
    async fn request_that_cannot_be_carried_out_is_told_from_silence() {
        let short = br#"{"ledger":"/l","request":{"redecide":{"filter":{}}}}"#;
        let repair = |octets: usize| {
            let name = "m".repeat(octets);
            let one = format!(r#"{{"mailbox":"{name}","folder":"f","uid_validity":1,"from":1}}"#);
            format!(r#"{{"ledger":"/l","request":{{"repair":{{"unexplained":[{one}]}}}}}}"#) + "\n"
        };
        assert!(asked(repair(3 << 20).as_bytes()).await.is_ok());
        let long = repair(5 << 20);
        assert!(matches!(asked(long.as_bytes()).await, Err(Unasked::TooLong)));
        #[rustfmt::skip]
        let unread: [(&str, &[u8], bool); 4] = [
            ("nothing",         b"",                   false),
            ("a line begun",    short,                 false),
            ("no JSON",         b"GET / HTTP/1.1\n",   true),
            ("another version", b"{\"ledger\":1}\n",   true),
        ];
        for (name, said, answered) in unread {
            match asked(said).await.unwrap_err() {
                Unasked::Unreadable(_) => assert!(answered, "{name}"),
                Unasked::Silent => assert!(!answered, "{name}"),
                Unasked::TooLong => panic!("{name}"),
            }
        }
    }

    #[tokio::test]
    async fn who_takes_no_answers_in_is_not_waited_for_again() {
        let (command, daemon) = UnixStream::pair().unwrap();
        let mut asking = Asking { patience: Duration::from_millis(100), ..Asking::new(daemon) };
        let line = Answer::Trouble("x".repeat(1 << 20));
        let begun = std::time::Instant::now();
        for _ in 0..50 {
            asking.answer(&line).await;
        }
        assert!(asking.gone);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        drop(command);
    }

    #[tokio::test]
    async fn command_hears_why_its_request_was_not_read_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailcrm.sock");
        let listener = listen(&path).await.unwrap();
        let serving = async {
            let mut asking = Asking::new(listener.accept().await.unwrap().0);
            let why = asking.request().await.unwrap_err().to_string();
            asking.answer(&Answer::End { code: 1, text: why }).await;
        };
        let mailbox = "m".repeat(6 << 20);
        let (folder, uid_validity, from) = ("f".to_owned(), 1, 1);
        let unexplained = vec![Unexplained { mailbox, folder, uid_validity, from }];
        let request = Request::Repair { unexplained };
        let (end, ()) = tokio::join!(ask(&path, Path::new("/l"), request, |_| {}), serving);
        let (code, text) = end.unwrap().unwrap();
        assert_eq!(code, 1);
        assert!(text.contains("longer than 4 MiB"), "{text}");
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_where_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [file.as_path(), folder.path(), link.as_path()] {
            let error = listen(path).await.unwrap_err();
            assert!(matches!(error, Error::NoSocket { .. }), "{error:?}");
            assert!(error.to_string().contains("set another daemon.socket"));
        }
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "kept");
    }
}
