//! Loopback ports that stay ours while nobody listens on them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Ports below this one are left to services that people know by number.
const LOWEST: u16 = 10_240;

/// Where Linux's default range for outgoing connections begins (`ip_local_port_range`).
const EPHEMERAL: u16 = 32_768;

/// Below this the range is too narrow to find a free port by chance.
const NARROW: u16 = LOWEST + 1_000;

/// Ports that this process was given: whose server is down on purpose comes back to it.
static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// Picks a TCP port of 127.0.0.1 on which nobody listens, and that was not picked before in this
/// process; `None` if there seems to be none.
///
/// It lies below the range from which the kernel serves outgoing connections. A port out of that
/// range can be lost to any connection while a server is down on purpose, and a client that keeps
/// trying such a port on the loopback interface in the end connects to itself.
pub fn free_port() -> Option<u16> {
    let top = first_ephemeral();
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_default();
    (0..200).map(|_| LOWEST + (random() % u64::from(top - LOWEST)) as u16).find(|&port| {
        // Bound and let go again: whoever binds it next must be ready to have lost it.
        !given.contains(&port)
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && given.insert(port)
    })
}

/// A number that differs from call to call and from process to process. Not for secrets.
pub fn random() -> u64 {
    // Every RandomState has keys of its own, seeded by the system.
    RandomState::new().hash_one(0)
}

fn first_ephemeral() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = range.ok().and_then(|text| text.split_whitespace().next()?.parse().ok());
    match first {
        Some(first) if first >= NARROW => first,
        Some(_) | None => EPHEMERAL,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_lies_below_the_outgoing_ones() {
        let port = free_port().unwrap();
        assert!((LOWEST..first_ephemeral()).contains(&port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random(), random());
    }
}
