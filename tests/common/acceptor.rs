//! A listening socket on a port that stays the same while it is closed and opened again.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mailcrm::demo::port::free_port;

/// What is done with a connection; it is called in the accepting thread and must not wait.
pub type OnConnection = Arc<dyn Fn(TcpStream) + Send + Sync>;

pub struct Acceptor {
    port: u16,
    on_connection: OnConnection,
    listening: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Acceptor {
    pub fn start(on_connection: OnConnection) -> Acceptor {
        for _ in 0..50 {
            let port = free_port().expect("a free port");
            // Somebody may have taken it since.
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                let mut acceptor = Acceptor { port, on_connection, listening: None };
                acceptor.listen(listener);
                return acceptor;
            }
        }
        panic!("no free port");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// New connections are refused by the kernel.
    pub fn close(&mut self) {
        let Some((stop, thread)) = self.listening.take() else { return };
        stop.store(true, Ordering::SeqCst);
        // Wakes the thread out of accept.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        thread.join().unwrap();
    }

    /// Listens again on the same port.
    pub fn open(&mut self) {
        if self.listening.is_some() {
            return;
        }
        let attempt = || TcpListener::bind((Ipv4Addr::LOCALHOST, self.port));
        let mut bound = attempt();
        for _ in 0..100 {
            if bound.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
            bound = attempt();
        }
        self.listen(bound.expect("the former port"));
    }

    fn listen(&mut self, listener: TcpListener) {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, on_connection) = (Arc::clone(&stop), Arc::clone(&self.on_connection));
        let thread = std::thread::spawn(move || {
            loop {
                match listener.accept() {
                    Ok(_) if stopped.load(Ordering::SeqCst) => return,
                    Ok((stream, _)) => on_connection(stream),
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => panic!("accept: {error}"),
                }
            }
        });
        self.listening = Some((stop, thread));
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.close();
    }
}
