//! How far long work is, on a terminal's standard error and nowhere else.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines.
const EVERY: Duration = Duration::from_millis(500);

pub(super) struct Progress {
    shown: bool,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    /// From 0 to 1.
    done: f64,
    messages: usize,
    last: Instant,
}

impl Progress {
    pub(super) fn new() -> Progress {
        let now = Instant::now();
        Progress {
            shown: std::io::stderr().is_terminal(),
            started: now,
            state: Mutex::new(State { done: 0.0, messages: 0, last: now }),
        }
    }

    /// Notes a further part of the whole, from 0 to 1, and its messages.
    pub(super) fn advance(&self, part: f64, messages: usize) {
        self.note(|state| {
            state.done += part;
            state.messages = state.messages.saturating_add(messages);
        });
    }

    /// Notes how many of all messages are done.
    pub(super) fn of(&self, done: u64, all: u64) {
        self.note(|state| {
            state.done = done as f64 / all.max(1) as f64;
            state.messages = usize::try_from(done).unwrap_or(usize::MAX);
        });
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if self.shown && state.last.elapsed() >= EVERY {
            state.last = Instant::now();
            eprint!("\r\u{1b}[K{}", line(state.done, state.messages, self.started.elapsed()));
        }
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        if self.shown {
            eprint!("\r\u{1b}[K");
        }
    }
}

/// Rate and time left after `elapsed`, with `part` done.
fn line(part: f64, messages: usize, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = messages as f64 / seconds;
    let part = part.clamp(0.0, 1.0);
    let left = if part > 0.0 { seconds * (1.0 - part) / part } else { 0.0 };
    format!("{:.0} %, {messages} messages, {rate:.0} a second, {left:.0} s left", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_rate_and_time_left() {
        let told = line(0.25, 5000, Duration::from_secs(10));
        assert_eq!(told, "25 %, 5000 messages, 500 a second, 30 s left");
        let told = line(0.0, 0, Duration::ZERO);
        assert_eq!(told, "0 %, 0 messages, 0 a second, 0 s left");
    }
}
