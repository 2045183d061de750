//! A wire between mailcrm and a mail server that can be cut, silenced and slowed down.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use super::acceptor::Acceptor;

/// A TCP proxy on 127.0.0.1. What is cut is closed on both sides at once.
pub struct Cutter {
    acceptor: Acceptor,
    wires: Arc<Wires>,
}

struct Wires {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Where new connections go.
    server_port: u16,
    /// Nothing passes, in no direction; sockets stay open.
    silent: bool,
    /// Each piece is held for so long before it passes on.
    delay: Duration,
    /// How many more bytes the server may say before all is cut.
    cut_after: Option<u64>,
    /// New connections are closed at once.
    closing: bool,
    /// Bytes from the server that have passed on.
    passed: u64,
    accepted: u64,
    cuts: u64,
    open: Vec<Wire>,
    threads: Vec<JoinHandle<()>>,
    next: u64,
}

struct Wire {
    number: u64,
    client: TcpStream,
    server: Option<TcpStream>,
}

impl Wire {
    fn cut(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        if let Some(server) = &self.server {
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Client,
    Server,
}

impl Cutter {
    /// A wire to 127.0.0.1:`server_port`.
    pub fn to(server_port: u16) -> Cutter {
        let wires = Arc::new(Wires {
            state: Mutex::new(State {
                server_port,
                silent: false,
                delay: Duration::ZERO,
                cut_after: None,
                closing: false,
                passed: 0,
                accepted: 0,
                cuts: 0,
                open: Vec::new(),
                threads: Vec::new(),
                next: 0,
            }),
            changed: Condvar::new(),
        });
        let taken = Arc::clone(&wires);
        let acceptor = Acceptor::start(Arc::new(move |client| Wires::take(&taken, client)));
        Cutter { acceptor, wires }
    }

    pub fn port(&self) -> u16 {
        self.acceptor.port()
    }

    /// New connections go to another server from now on.
    pub fn lead_to(&self, server_port: u16) {
        self.wires.state().server_port = server_port;
    }

    /// Cuts all connections now; new ones are served. Returns how many were open.
    pub fn cut(&self) -> usize {
        self.wires.state().cut_all()
    }

    /// Cuts all connections once the server has said `bytes` more, of which the last still passes.
    pub fn cut_after(&self, bytes: u64) {
        self.wires.state().cut_after = Some(bytes);
    }

    /// Lets nothing pass and keeps every socket open, as a NAT that forgot the connection.
    pub fn silence(&self) {
        self.wires.state().silent = true;
    }

    /// Lets pass again, beginning with what was held back.
    pub fn speak(&self) {
        self.wires.state().silent = false;
        self.wires.changed.notify_all();
    }

    /// Holds each piece for so long, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.wires.state().delay = delay;
    }

    /// Cuts all connections and refuses new ones, as a machine that is down.
    pub fn off(&mut self) {
        self.acceptor.close();
        self.cut();
    }

    /// Takes connections again after [`Cutter::off`].
    pub fn on(&mut self) {
        self.acceptor.open();
    }

    /// Connections since the start.
    pub fn accepted(&self) -> u64 {
        self.wires.state().accepted
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.wires.state().open.len()
    }

    /// How often connections were cut, on demand or by [`Cutter::cut_after`].
    pub fn cuts(&self) -> u64 {
        self.wires.state().cuts
    }

    /// Bytes from the server that have passed on.
    pub fn passed(&self) -> u64 {
        self.wires.state().passed
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.acceptor.close();
        let threads = {
            let mut state = self.wires.state();
            state.closing = true;
            state.silent = false;
            state.cut_all();
            std::mem::take(&mut state.threads)
        };
        self.wires.changed.notify_all();
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl State {
    fn cut_all(&mut self) -> usize {
        let cut = self.open.len();
        self.open.drain(..).for_each(|wire| wire.cut());
        self.cut_after = None;
        if cut > 0 {
            self.cuts += 1;
        }
        cut
    }
}

impl Wires {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take(wires: &Arc<Wires>, client: TcpStream) {
        let mut state = wires.state();
        state.accepted += 1;
        if state.closing {
            return;
        }
        let number = state.next;
        state.next += 1;
        let kept = client.try_clone().unwrap();
        state.open.push(Wire { number, client: kept, server: None });
        let port = state.server_port;
        let shared = Arc::clone(wires);
        let thread = thread(move || shared.serve(number, client, port));
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
    }

    /// Relays one connection until either side ends it.
    fn serve(self: Arc<Wires>, number: u64, client: TcpStream, port: u16) {
        self.until_loud();
        if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            let _ = client.set_nodelay(true);
            let _ = server.set_nodelay(true);
            let known = match self.state().open.iter_mut().find(|wire| wire.number == number) {
                Some(wire) => {
                    wire.server = Some(server.try_clone().unwrap());
                    true
                }
                // Cut in the meantime.
                None => false,
            };
            if known {
                let up = Arc::clone(&self);
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let upwards = thread(move || up.relay(From::Client, from, to));
                self.relay(From::Server, server, client);
                let _ = upwards.join();
            }
        }
        let mut state = self.state();
        if let Some(at) = state.open.iter().position(|wire| wire.number == number) {
            state.open.swap_remove(at).cut();
        }
    }

    fn relay(&self, who: From, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut piece) {
            self.until_loud();
            let delay = self.state().delay;
            if !delay.is_zero() {
                std::thread::sleep(delay);
            }
            let last = who == From::Server && self.count(read);
            let passing = if last { self.allowed(read) } else { read };
            if to.write_all(&piece[..passing]).is_err() {
                break;
            }
            if last {
                self.state().cut_all();
                break;
            }
        }
        // A silent wire also keeps the end of a connection to itself.
        self.until_loud();
        let _ = from.shutdown(Shutdown::Read);
        let _ = to.shutdown(Shutdown::Write);
    }

    /// Whether the server's next `read` bytes reach the point where all is cut.
    fn count(&self, read: usize) -> bool {
        let mut state = self.state();
        match state.cut_after {
            Some(left) if left <= read as u64 => true,
            Some(left) => {
                state.cut_after = Some(left - read as u64);
                state.passed += read as u64;
                false
            }
            None => {
                state.passed += read as u64;
                false
            }
        }
    }

    /// How many of the last `read` bytes still pass.
    fn allowed(&self, read: usize) -> usize {
        let mut state = self.state();
        let allowed = state.cut_after.map_or(0, |left| left.min(read as u64));
        state.passed += allowed;
        allowed as usize
    }

    fn until_loud(&self) {
        let state = self.state();
        drop(self.changed.wait_while(state, |state| state.silent));
    }
}

/// A thread with a small stack: hundreds of connections have two each.
fn thread(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new().stack_size(128 * 1024).spawn(work).unwrap()
}
