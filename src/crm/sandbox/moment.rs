//! Times on the wire: ISO 8601 in the portal's time zone. Pure.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};

/// The portal's offset, that of the vendor's own cloud. It differs on purpose from UTC: a client that
/// ignores the offset of an answer is three hours off here as well.
const PORTAL_HOURS: i8 = 3;

/// What stands for "no deadline" [observed].
pub(super) const FAR_FUTURE: i64 = 253_402_203_600; // 9999-12-31T00:00:00+03:00

fn portal() -> TimeZone {
    TimeZone::fixed(Offset::constant(PORTAL_HOURS))
}

/// Unix seconds as the portal writes them, such as `2025-03-04T11:12:00+03:00`.
pub(super) fn write(at: i64) -> String {
    in_zone(at, portal()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Unix seconds as a person reads them, in the time zone of this machine.
pub(super) fn show(at: i64) -> String {
    in_zone(at, TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

fn in_zone(at: i64, zone: TimeZone) -> ZonedDateTime {
    // A time beyond what can be written was refused on the way in; the epoch stands for the rest.
    Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned_datetime(zone)
}

/// Unix seconds of an ISO 8601 time; without an offset it is the portal's. `None` if it is no time.
pub(super) fn read(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_second());
    }
    // The last day reaches beyond what `Timestamp` holds; whatever its hour, it means none.
    if text.starts_with("9999-12-31") {
        return Some(FAR_FUTURE);
    }
    let civil: DateTime = text.parse().ok()?;
    Some(portal().to_timestamp(civil).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_offset() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<i64>)] = &[
            ("offset",         "1970-01-01T01:00:00+01:00", Some(0)),
            ("zulu",           "1970-01-01T00:00:10Z",      Some(10)),
            ("portal's zone",  "1970-01-01T03:00:00",       Some(0)),
            ("space for T",    "1970-01-01 03:00:01",       Some(1)),
            ("day only",       "1970-01-02",                Some(75_600)),
            ("the last day",   "9999-12-31T12:00:00+00:00", Some(FAR_FUTURE)),
            ("no time",        "tomorrow",                  None),
            ("empty",          "",                          None),
        ];
        for (name, text, expected) in cases {
            assert_eq!(read(text), *expected, "{name}");
        }
    }

    #[test]
    fn times_are_written_in_the_portals_zone() {
        assert_eq!(write(0), "1970-01-01T03:00:00+03:00");
        assert_eq!(write(FAR_FUTURE), "9999-12-31T00:00:00+03:00");
    }
}
