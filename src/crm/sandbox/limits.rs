//! The portal's leaky bucket. Pure.

use std::time::Duration;

/// How fast the bucket drains and how much it holds, as the vendor's table of plans has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests a second.
    pub drain_per_second: f64,
    /// Requests above which the portal answers `QUERY_LIMIT_EXCEEDED`.
    pub threshold: u32,
}

/// What is in the bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    level: f64,
    /// When the level was right, counted from an origin of the caller's choice.
    at: Duration,
}

impl Bucket {
    /// Takes one request in, unless that would make the bucket run over. What is turned away leaves
    /// the level as it was.
    pub(super) fn admit(&mut self, limits: &Limits, now: Duration) -> bool {
        let drained = now.saturating_sub(self.at).as_secs_f64() * limits.drain_per_second;
        self.level = (self.level - drained).max(0.0);
        self.at = now;
        if self.level + 1.0 > f64::from(limits.threshold) {
            return false;
        }
        self.level += 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_turns_away_what_it_cannot_hold_and_drains() {
        let limits = Limits { drain_per_second: 2.0, threshold: 3 };
        let mut bucket = Bucket::default();
        let at = Duration::from_millis;
        #[rustfmt::skip]
        let script: &[(&str, Duration, bool)] = &[
            ("first",             at(0),    true),
            ("second",            at(0),    true),
            ("third",             at(0),    true),
            ("over",              at(0),    false),
            ("not yet drained",   at(400),  false),
            ("drained by one",    at(500),  true),
            ("full again",        at(500),  false),
            ("long quiet",        at(9000), true),
        ];
        for (name, now, admitted) in script {
            assert_eq!(bucket.admit(&limits, *now), *admitted, "{name}");
        }
    }
}
