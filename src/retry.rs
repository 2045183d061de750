//! How long to wait. Draws random numbers and reads the monotonic clock, nothing else.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// A connection that lives this long ends a row of failures; one that is accepted and dropped
/// at once does not.
pub const STABLE: Duration = Duration::from_secs(300);

/// Ever longer pauses between tries of one thing, with jitter.
pub struct Pauses(ExponentialBackoff);

impl Pauses {
    /// Pauses from `first` up to `longest`, for ever.
    pub fn new(first: Duration, longest: Duration) -> Pauses {
        Pauses(ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            multiplier: 2.0,
            max_interval: longest,
            randomization_factor: 0.3,
            // The default ends the tries after a quarter of an hour.
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        })
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let longest = self.0.max_interval;
        self.0.next_backoff().unwrap_or(longest)
    }

    /// Begins again with the shortest.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// When rejected credentials may be tried again, Unix seconds: at most 3 logins an hour and 5 a
/// day (promise 10). `refused` are the times of past refusals, oldest first.
pub fn next_login(refused: &[i64], now: i64) -> i64 {
    // A clock that was set back must not lock a mailbox out for the difference.
    let past: Vec<i64> =
        refused.iter().map(|&at| at.min(now)).filter(|&at| at > now - DAY).collect();
    let Some(&last) = past.last() else { return now };
    // After the first a minute, in case somebody is just typing it in; then a quarter of an hour.
    let pause = match past.len() {
        1 => 60,
        2 => 900,
        _ => HOUR,
    };
    let limit = |count: usize, span: i64| {
        past.len().checked_sub(count).and_then(|index| past.get(index)).map_or(now, |&at| at + span)
    };
    (last + pause).max(limit(3, HOUR)).max(limit(5, DAY)).max(now)
}

/// The refusals that still count.
pub fn still_counting(refused: &[i64], now: i64) -> Vec<i64> {
    refused.iter().map(|&at| at.min(now)).filter(|&at| at > now - DAY).collect()
}

/// How long an entry waits: as long as its trouble has lasted, within `min..=max`.
///
/// The wait doubles by itself and needs no counter. Postfix defers its queue by the same rule.
pub fn delay(trouble_for: Duration, min: Duration, max: Duration) -> Duration {
    trouble_for.clamp(min, max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_10_rejected_credentials_are_tried_thrice_an_hour_and_five_times_a_day() {
        let mut refused: Vec<i64> = Vec::new();
        let mut now = 1_700_000_000;
        let start = now;
        while now < start + 3 * DAY {
            now = next_login(&refused, now);
            refused.push(now);
            let within = |span| refused.iter().filter(|&&at| at > now - span).count();
            assert!(within(HOUR) <= 3 && within(DAY) <= 5, "{refused:?}");
        }
        assert!(refused.len() >= 12, "{refused:?}");
    }

    #[test]
    fn first_login_waits_for_nothing() {
        assert_eq!(next_login(&[], 1000), 1000);
        assert_eq!(next_login(&[1000], 1010), 1060);
        assert_eq!(next_login(&[1_000], 1_000_000), 1_000_000);
    }

    #[test]
    fn clock_set_back_locks_nobody_out() {
        assert!(next_login(&[9_000_000], 1_000_000) <= 1_000_000 + 60);
    }

    #[test]
    fn pauses_grow_to_the_longest_and_stay_there() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(300));
        let mut pauses = Pauses::new(first, longest);
        assert!(pauses.pause() <= first.mul_f64(1.3));
        for _ in 0..20 {
            pauses.pause();
        }
        let late = pauses.pause();
        assert!(late >= longest.mul_f64(0.69) && late <= longest.mul_f64(1.31), "{late:?}");
    }
}
