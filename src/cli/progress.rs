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
    /// Of the CRM, looked at beside them.
    cards: usize,
    last: Instant,
    /// A line stands there now.
    stands: bool,
}

impl Progress {
    pub(super) fn new() -> Progress {
        let now = Instant::now();
        Progress {
            shown: std::io::stderr().is_terminal(),
            started: now,
            state: Mutex::new(State::new(now)),
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

    /// Notes cards of the CRM that were looked at.
    pub(super) fn cards(&self, cards: usize) {
        self.note(|state| state.cards = state.cards.saturating_add(cards));
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if self.shown && state.last.elapsed() >= EVERY {
            state.last = Instant::now();
            state.stands = true;
            eprint!("\r\u{1b}[K{}", line(&state, self.started.elapsed()));
        }
    }

    /// Says something on standard error, above the line.
    pub(super) fn say(&self, text: &str) {
        self.end();
        eprintln!("mailcrm: {text}");
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut state.stands) {
            eprint!("\r\u{1b}[K");
        }
    }
}

/// Whatever ends the work: what is said then stands on a line of its own.
impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

impl State {
    fn new(now: Instant) -> State {
        State { done: 0.0, messages: 0, cards: 0, last: now, stands: false }
    }
}

/// How much is done after `elapsed`, with rate and time left where the whole is known.
fn line(state: &State, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = state.messages as f64 / seconds;
    let part = state.done.clamp(0.0, 1.0);
    let mut line = format!("{} messages, {rate:.0} a second", state.messages);
    if part > 0.0 {
        let left = seconds * (1.0 - part) / part;
        line = format!("{:.0} %, {line}, {left:.0} s left", part * 100.0);
    }
    if state.cards > 0 {
        line.push_str(&format!(", {} cards", state.cards));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_rate_and_time_left() {
        let state =
            |done, messages, cards| State { done, messages, cards, ..State::new(Instant::now()) };
        #[rustfmt::skip]
        let cases = [
            ("a part",     state(0.25, 5000, 0),  10, "25 %, 5000 messages, 500 a second, 30 s left"),
            ("nothing",    state(0.0, 0, 0),      0,  "0 messages, 0 a second"),
            ("no whole",   state(0.0, 30, 0),     10, "30 messages, 3 a second"),
            ("with cards", state(1.0, 30, 1200),  10, "100 %, 30 messages, 3 a second, 0 s left, 1200 cards"),
        ];
        for (name, state, seconds, told) in cases {
            assert_eq!(line(&state, Duration::from_secs(seconds)), told, "{name}");
        }
    }
}
