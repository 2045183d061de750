//! HTTP/1.1 over blocking sockets, as little of it as the tests need.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A request or an answer: its first line, its headers and its body.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub first_line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Status of an answer.
    pub fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Target of a request, such as `/rest/1/sandbox/profile`.
    pub fn target(&self) -> &str {
        self.first_line.split(' ').nth(1).unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or(serde_json::Value::Null)
    }

    /// Writes the message with its body whole, whatever its framing was.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut head = format!("{}\r\n", self.first_line);
        for (name, value) in &self.headers {
            let framing = ["content-length", "transfer-encoding", "connection", "keep-alive"];
            if !framing.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        to.write_all(&[head.as_bytes(), &self.body].concat())?;
        to.flush()
    }
}

/// Reads one message; `None` if the peer closed the connection before it began.
///
/// A message that names no length has no body if it is a request, else all up to the end.
pub fn read(from: &mut impl BufRead, is_request: bool) -> io::Result<Option<Message>> {
    let Some(first_line) = read_line(from)? else { return Ok(None) };
    let mut message = Message { first_line, ..Message::default() };
    loop {
        let line = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        message.headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let chunked = message
        .header("transfer-encoding")
        .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    if chunked {
        message.body = read_chunks(from)?;
    } else if let Some(length) = message.header("content-length") {
        let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        message.body.resize(length, 0);
        from.read_exact(&mut message.body)?;
    } else if !is_request && ![204, 304].contains(&message.status()) {
        from.read_to_end(&mut message.body)?;
    }
    Ok(Some(message))
}

fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn read_chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if size == 0 {
            // Trailers, up to the empty line.
            while read_line(from)?.is_some_and(|line| !line.is_empty()) {}
            return Ok(body);
        }
        if from.take(size).read_to_end(&mut body)? as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read_line(from)?;
    }
}

/// Sends one request to 127.0.0.1:`port` on a connection of its own and reads the answer.
pub fn exchange(port: u16, request: &Message) -> io::Result<Message> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    request.write(&mut stream)?;
    let answer = read(&mut BufReader::new(stream), false)?;
    answer.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Asks for a page.
pub fn get(port: u16, target: &str) -> io::Result<Message> {
    exchange(port, &request("GET", port, target, Vec::new()))
}

/// Posts JSON.
pub fn post(port: u16, target: &str, body: &serde_json::Value) -> io::Result<Message> {
    let mut message = request("POST", port, target, body.to_string().into_bytes());
    message.headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    exchange(port, &message)
}

fn request(method: &str, port: u16, target: &str, body: Vec<u8>) -> Message {
    Message {
        first_line: format!("{method} {target} HTTP/1.1"),
        headers: vec![("Host".to_owned(), format!("127.0.0.1:{port}"))],
        body,
    }
}
