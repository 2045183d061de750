//! How fast a portal may be asked: its leaky bucket, and the pauses that it asks for.
//!
//! Waits use the monotonic clock.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};

use super::classify::OPERATING_WINDOW;
use crate::retry::Pauses;

/// The least pause for a method over its operating time.
const LEAST_METHOD_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause after `QUERY_LIMIT_EXCEEDED`: the whole bucket has leaked by then.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The bucket of one portal, shared by all calls.
pub struct Bucket {
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    /// Time in which one request leaks out.
    period: Duration,
    state: Mutex<State>,
}

struct State {
    /// Nobody asks before this.
    closed_until: Option<Instant>,
    /// After overflows, ever longer until an answer comes through.
    pauses: Pauses,
    /// When the portal said that a method's operating time is counted anew.
    counted_anew: HashMap<String, Instant>,
    /// Methods over their operating time.
    paused: HashMap<String, Instant>,
}

impl Bucket {
    /// `spent` requests of the burst count as made already: after a restart the portal remembers the last run.
    /// `None` if the rate is not a number above zero or the burst is zero.
    pub fn new(per_second: f64, burst: u32, spent: u32) -> Option<Bucket> {
        let period = Duration::try_from_secs_f64(1.0 / per_second).ok()?;
        let burst = NonZeroU32::new(burst)?;
        let limiter =
            DefaultDirectRateLimiter::direct(Quota::with_period(period)?.allow_burst(burst));
        if let Some(spent) = NonZeroU32::new(spent.min(burst.get())) {
            // A fresh bucket holds its whole burst.
            let _ = limiter.check_n(spent);
        }
        // With its jitter the first pause is one to two periods long.
        let pauses = Pauses::new(period.mul_f64(1.5).min(LONGEST_PAUSE), LONGEST_PAUSE);
        let state = State {
            closed_until: None,
            pauses,
            counted_anew: HashMap::new(),
            paused: HashMap::new(),
        };
        Some(Bucket { limiter, clock: DefaultClock::default(), period, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one request may leave, and counts it.
    pub async fn ready(&self) {
        loop {
            let closed_until = self.state().closed_until;
            if let Some(until) = closed_until.filter(|until| *until > Instant::now()) {
                tokio::time::sleep_until(until.into()).await;
                continue;
            }
            match self.limiter.check() {
                Ok(()) => return,
                Err(not_until) => {
                    tokio::time::sleep(not_until.wait_time_from(self.clock.now())).await;
                }
            }
        }
    }

    /// Closes the bucket for all after `QUERY_LIMIT_EXCEEDED`; longer each time until an answer comes through.
    pub fn overflowed(&self) -> Duration {
        let mut state = self.state();
        let now = Instant::now();
        // Answers to requests that left together speak of one overflow.
        if let Some(until) = state.closed_until.filter(|until| *until > now) {
            return until - now;
        }
        // What is left of the burst the portal does not have: it knows of requests that we do not.
        while self.limiter.check().is_ok() {}
        let pause = state.pauses.pause();
        let pause = pause.max(self.period).min(LONGEST_PAUSE.max(self.period));
        state.closed_until = Some(now + pause);
        pause
    }

    /// An answer came through.
    pub fn passed(&self) {
        let mut state = self.state();
        if state.closed_until.take_if(|until| *until <= Instant::now()).is_some() {
            state.pauses.reset();
        }
    }

    /// Notes when the portal counts a method's operating time anew.
    pub fn counted_anew_in(&self, method: &str, wait: Duration) {
        self.state().counted_anew.insert(method.to_owned(), Instant::now() + wait);
    }

    /// Pauses a method after `OPERATION_TIME_LIMIT`, for the time it returns.
    pub fn over_operating_time(&self, method: &str) -> Duration {
        let mut state = self.state();
        let now = Instant::now();
        let wait = match state.counted_anew.get(method) {
            Some(at) => {
                at.saturating_duration_since(now).clamp(LEAST_METHOD_PAUSE, OPERATING_WINDOW)
            }
            None => OPERATING_WINDOW,
        };
        state.paused.insert(method.to_owned(), now + wait);
        wait
    }

    /// How long a method must still not be asked; `None`: it may be.
    pub fn paused(&self, method: &str) -> Option<Duration> {
        let mut state = self.state();
        let now = Instant::now();
        state.paused.retain(|_, until| *until > now);
        state.paused.get(method).map(|until| *until - now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_rate_is_a_number_above_zero() {
        for (rate, burst, good) in [
            (2.0, 40, true),
            (0.5, 1, true),
            (0.0, 40, false),
            (-1.0, 40, false),
            (f64::NAN, 40, false),
            (f64::INFINITY, 40, false),
            (2.0, 0, false),
        ] {
            assert_eq!(Bucket::new(rate, burst, 0).is_some(), good, "{rate} {burst}");
        }
    }

    #[tokio::test]
    async fn a_spent_burst_is_waited_for() {
        let full = Bucket::new(10.0, 3, 0).unwrap();
        let free = (0..4).filter(|_| full.limiter.check().is_ok()).count();
        assert_eq!(free, 3);

        let begin = Instant::now();
        let spent = Bucket::new(10.0, 3, 9).unwrap();
        spent.ready().await;
        assert!(begin.elapsed() >= Duration::from_millis(90));
    }

    #[test]
    fn pauses_grow_until_an_answer_comes_through() {
        let bucket = Bucket::new(1000.0, 10, 0).unwrap();
        let mut total = Duration::ZERO;
        for _ in 0..10 {
            let pause = bucket.overflowed();
            assert!(pause >= Duration::from_millis(1));
            total += pause;
            bucket.state().closed_until = Some(Instant::now());
        }
        // Ten times the least with the smallest jitter: (1.5^10 - 1) / 0.5.
        assert!(total >= Duration::from_millis(100), "{total:?}");
        bucket.passed();
        assert!(bucket.overflowed() <= Duration::from_millis(2));
    }

    #[test]
    fn one_overflow_is_one_pause() {
        let bucket = Bucket::new(1.0, 10, 0).unwrap();
        let first = bucket.overflowed();
        assert!(bucket.overflowed() <= first);
    }

    #[test]
    fn a_method_over_its_time_pauses_as_long_as_the_portal_said() {
        let bucket = Bucket::new(2.0, 10, 0).unwrap();
        bucket.counted_anew_in("known", Duration::from_secs(30));
        bucket.counted_anew_in("soon", Duration::from_secs(1));
        bucket.counted_anew_in("late", Duration::from_secs(9000));
        let secs = |method| bucket.over_operating_time(method).as_secs_f64().round();
        assert_eq!(
            [secs("known"), secs("soon"), secs("late"), secs("unknown")],
            [30.0, 10.0, 600.0, 600.0]
        );
        assert!(bucket.paused("soon").is_some());
        assert!(bucket.paused("other").is_none());
    }
}
