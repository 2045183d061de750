//! A mail client for the tests: IMAP over TLS, one command at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

pub struct ImapClient {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    tag: u32,
}

impl ImapClient {
    /// Connects with implicit TLS, verifying `localhost`, and reads the greeting.
    pub fn connect(port: u16, ca_file: &Path) -> std::io::Result<ImapClient> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca_file).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(Duration::from_secs(30)))?;
        let stream = BufReader::new(StreamOwned::new(tls, tcp));
        let mut client = ImapClient { stream, tag: 0 };
        client.line()?;
        Ok(client)
    }

    /// Connects and logs in as a user of [`super::dovecot`].
    pub fn login(port: u16, ca_file: &Path, user: &str) -> ImapClient {
        let mut client = ImapClient::connect(port, ca_file).unwrap();
        client.ok(&format!("LOGIN {user} secret"));
        client
    }

    /// Runs a command that must succeed; returns all lines, literals included, and the tagged one.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> Vec<String> {
        let lines = self.run(command).unwrap();
        let last = lines.last().unwrap();
        assert!(last.contains(" OK"), "{command}: {last}");
        lines
    }

    /// Runs a command, whatever its outcome.
    pub fn run(&mut self, command: &str) -> std::io::Result<Vec<String>> {
        let tag = self.send(command)?;
        self.until(&format!("{tag} "))
    }

    /// Appends a message to a folder with flags such as `\\Seen`.
    #[track_caller]
    pub fn append(&mut self, folder: &str, flags: &str, raw: &[u8]) {
        let tag = self.send(&format!("APPEND {folder} ({flags}) {{{}}}", raw.len())).unwrap();
        self.until("+").unwrap();
        let out = self.stream.get_mut();
        out.write_all(&[raw, b"\r\n"].concat()).unwrap();
        out.flush().unwrap();
        let lines = self.until(&format!("{tag} ")).unwrap();
        assert!(lines.last().unwrap().contains(" OK"), "{lines:?}");
    }

    /// Sends a command without waiting for its end and returns its tag.
    pub fn send(&mut self, command: &str) -> std::io::Result<String> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let out = self.stream.get_mut();
        out.write_all(format!("{tag} {command}\r\n").as_bytes())?;
        out.flush()?;
        Ok(tag)
    }

    /// Sends a line as it is, such as `DONE`.
    pub fn send_line(&mut self, line: &str) -> std::io::Result<()> {
        let out = self.stream.get_mut();
        out.write_all(format!("{line}\r\n").as_bytes())?;
        out.flush()
    }

    /// Reads up to the line that begins so.
    pub fn until(&mut self, beginning: &str) -> std::io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let last = line.starts_with(beginning);
            lines.push(line);
            if last {
                return Ok(lines);
            }
        }
    }

    /// One line; a literal and what follows it belong to the line that announced it.
    pub fn line(&mut self) -> std::io::Result<String> {
        let mut whole = Vec::new();
        loop {
            let from = whole.len();
            if self.stream.read_until(b'\n', &mut whole)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&whole[from..]);
            let text = text.trim_end();
            let announced: Option<usize> =
                text.strip_suffix('}').and_then(|text| text.rsplit_once('{')?.1.parse().ok());
            match announced {
                Some(length) => {
                    let from = whole.len();
                    whole.resize(from + length, 0_u8);
                    self.stream.read_exact(&mut whole[from..])?;
                }
                None => return Ok(String::from_utf8_lossy(&whole).trim_end().to_owned()),
            }
        }
    }
}
