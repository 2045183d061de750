//! Taps: one before the sandbox CRM that notes when each request came and when it was answered,
//! one before the mail server that notes when it spoke.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::common::acceptor::Acceptor;
use crate::common::http;

/// One request that was answered.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub came: Instant,
    pub answered: Instant,
}

pub struct CrmTap {
    acceptor: Acceptor,
    calls: Arc<Mutex<Vec<Call>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl CrmTap {
    pub fn before(crm_port: u16) -> CrmTap {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (noted, opened) = (Arc::clone(&calls), Arc::clone(&open));
        let acceptor = Acceptor::start(Arc::new(move |stream: TcpStream| {
            opened.lock().unwrap().push(stream.try_clone().unwrap());
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || drop(forward(&stream, crm_port, &noted)));
        }));
        CrmTap { acceptor, calls, open }
    }

    pub fn port(&self) -> u16 {
        self.acceptor.port()
    }

    /// The calls since this was last asked.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Whether a call of this method was answered since.
    pub fn has(&self, method: &str) -> bool {
        self.calls.lock().unwrap().iter().any(|call| call.method == method)
    }
}

impl Drop for CrmTap {
    fn drop(&mut self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Serves one connection of the daemon's by one to the CRM.
fn forward(stream: &TcpStream, crm_port: u16, calls: &Mutex<Vec<Call>>) -> std::io::Result<()> {
    let crm = TcpStream::connect((Ipv4Addr::LOCALHOST, crm_port))?;
    stream.set_nodelay(true)?;
    crm.set_nodelay(true)?;
    let (mut from, mut from_crm) = (BufReader::new(stream), BufReader::new(&crm));
    while let Some(request) = http::read(&mut from, true)? {
        let came = Instant::now();
        request.write(&mut &crm)?;
        let Some(answer) = http::read(&mut from_crm, false)? else { break };
        answer.write(&mut &*stream)?;
        let answered = Instant::now();
        let path = request.target().split('?').next().unwrap_or_default();
        let method = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
        let call = Call { method: method.to_owned(), came, answered };
        calls.lock().unwrap().push(call);
    }
    Ok(())
}

/// Passes octets on as they are: what the server says is under TLS, but when it says it is not.
pub struct ServerTap {
    acceptor: Acceptor,
    spoke: Arc<Mutex<Vec<Instant>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl ServerTap {
    pub fn before(server_port: u16) -> ServerTap {
        let spoke: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (noted, opened) = (Arc::clone(&spoke), Arc::clone(&open));
        let acceptor = Acceptor::start(Arc::new(move |client: TcpStream| {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).unwrap();
            for stream in [&client, &server] {
                stream.set_nodelay(true).unwrap();
                opened.lock().unwrap().push(stream.try_clone().unwrap());
            }
            let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || pass(client, to_server, || {}));
            std::thread::spawn(move || {
                pass(server, to_client, || noted.lock().unwrap().push(Instant::now()));
            });
        }));
        ServerTap { acceptor, spoke, open }
    }

    pub fn port(&self) -> u16 {
        self.acceptor.port()
    }

    /// When the server first spoke after this moment.
    pub fn first_after(&self, moment: Instant) -> Option<Instant> {
        self.spoke.lock().unwrap().iter().copied().find(|spoke| *spoke > moment)
    }
}

impl Drop for ServerTap {
    fn drop(&mut self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Copies until either end closes; `passing` is called with each stretch, before it goes on.
fn pass(mut from: TcpStream, mut to: TcpStream, passing: impl Fn()) {
    let mut octets = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut octets) {
        passing();
        if to.write_all(&octets[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
