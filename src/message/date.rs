//! Date headers (RFC 5322 section 3.3, with the obsolete forms of 4.3). Pure.
//!
//! mail-parser 0.11.9 takes any three letters for a month, needs a zone, and knows no date with
//! hyphens: a wrong time on a card is worse than none, so each word is read for what it is.

use mail_parser::DateTime;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// 1980-01-01T00:00:00Z. Clocks that were never set begin in 1970 or, with DOS, in 1980.
const EARLIEST: i64 = 315_532_800;

/// The longest date that is looked at; the rest is comment.
const MAX_LENGTH: usize = 200;

/// Unix seconds of a Date header; `None` if it cannot be read, or lies before 1980 or after 2100.
pub fn parse(text: &str) -> Option<i64> {
    let text: String = without_comments(text).chars().take(MAX_LENGTH).collect();
    let text = text.to_ascii_lowercase();
    // `mar, 05 jul 2005`: Tuesday in Spanish, French and Italian. No month has a comma behind it
    // before anything else was said.
    let first = text.trim_start().split_inclusive(',').next().unwrap_or_default().trim();
    let text = if matches!(first, "mar," | "mar.,") { text.replacen(first, "", 1) } else { text };
    let perhaps_tuesday = ["mar ", "mar. "].iter().any(|word| text.trim_start().starts_with(word));
    let mut date = Found { perhaps_tuesday, ..Found::default() };
    for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
    {
        date.take(word)?;
    }
    date.seconds()
}

fn without_comments(text: &str) -> String {
    let mut depth = 0usize;
    text.chars()
        .filter_map(|c| match c {
            '(' => {
                depth += 1;
                None
            }
            ')' => {
                depth = depth.saturating_sub(1);
                Some(' ')
            }
            c => (depth == 0).then_some(c),
        })
        .collect()
}

#[derive(Default)]
struct Found {
    day: Option<u32>,
    month: Option<u32>,
    /// The first word is `mar`, which may still turn out to be a day of the week.
    perhaps_tuesday: bool,
    year: Option<u32>,
    time: Option<(u32, u32, u32)>,
    /// Seconds east of Greenwich.
    zone: Option<i64>,
}

impl Found {
    /// Takes one word for the first thing it can be; `None` ends the attempt.
    fn take(&mut self, word: &str) -> Option<()> {
        if self.time.is_some() && matches!(word, "am" | "pm" | "a.m." | "p.m.") {
            self.take_half_day(word);
            return Some(());
        }
        if self.time.is_some() && self.take_zone(word) {
            return Some(());
        }
        if let Some((date, time)) = word.split_once('t')
            && date.matches('-').count() == 2
            && time.contains(':')
        {
            // RFC 3339, as some web mailers write it.
            self.take_hyphened(date)?;
            return self.take_time(time);
        }
        if word.contains(':') {
            return self.take_time(word);
        }
        // `12.15.00`, as scripts with an Italian or Danish locale write it. Only behind the whole
        // date, for `02.05.24` may be one.
        let dated = self.day.is_some() && self.month.is_some() && self.year.is_some();
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        if number && dated && self.time.is_none() && word.matches('.').count() == 2 {
            return self.take_time(&word.replace('.', ":"));
        }
        if word.matches('-').count() == 2 {
            return self.take_hyphened(word);
        }
        // `2024/05/02`. With the year last nobody knows which is the month.
        if number && word.matches('/').count() == 2 && word.find('/') == Some(4) {
            return self.take_hyphened(&word.replace('/', "-"));
        }
        if let Ok(number) = word.trim_end_matches('.').parse::<u32>() {
            return self.take_number(word.len(), number);
        }
        if self.month.is_none() {
            self.month = month(word);
        } else if self.perhaps_tuesday && self.year.is_none() {
            // `mar 05 jul 2005`; and of `mar 05 giu 2005` no month is known.
            (self.month, self.perhaps_tuesday) = (month(word), false);
        }
        // Names of days, and anything else, say nothing.
        Some(())
    }

    fn take_number(&mut self, digits: usize, number: u32) -> Option<()> {
        if self.day.is_none() && digits <= 2 {
            self.day = Some(number);
        } else if self.year.is_none() && matches!(digits, 2..=4) {
            self.year = Some(year(digits, number));
        } else {
            return None;
        }
        Some(())
    }

    fn take_hyphened(&mut self, word: &str) -> Option<()> {
        let mut parts = word.split('-');
        let (first, middle, last) = (parts.next()?, parts.next()?, parts.next()?);
        self.month = month(middle).or_else(|| middle.parse().ok());
        let (day, written) = if first.len() == 4 { (last, first) } else { (first, last) };
        self.day = Some(day.parse().ok()?);
        self.year = Some(year(written.len(), written.parse().ok()?));
        Some(())
    }

    fn take_time(&mut self, word: &str) -> Option<()> {
        let end = word.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.'));
        let (time, zone) = word.split_at_checked(end.unwrap_or(word.len()))?;
        let mut parts = time.split(':');
        let hour = parts.next()?.parse().ok()?;
        let minute = parts.next()?.parse().ok()?;
        let second = match parts.next() {
            Some(second) => second.split('.').next()?.parse().ok()?,
            None => 0,
        };
        self.time = Some((hour, minute, second));
        match zone {
            "am" | "pm" => self.take_half_day(zone),
            "" => {}
            zone => {
                self.take_zone(zone);
            }
        }
        Some(())
    }

    /// Noon is 12 pm and midnight 12 am.
    fn take_half_day(&mut self, word: &str) {
        let Some((hour, ..)) = self.time.as_mut() else {
            return;
        };
        match (word.starts_with('p'), *hour) {
            (true, 0..12) => *hour += 12,
            (false, 12) => *hour = 0,
            (true | false, _) => {}
        }
    }

    /// `+0200`, `-07:00`, `GMT+2`, or a name. A name nobody knows is UTC (RFC 5322 section 4.3).
    fn take_zone(&mut self, word: &str) -> bool {
        let at = word.find(['+', '-']).unwrap_or(word.len());
        let Some((name, offset)) = word.split_at_checked(at) else {
            return false;
        };
        if !name.chars().all(|c| c.is_ascii_alphabetic()) || month(name).is_some() {
            return false;
        }
        let Some(offset) = offset.strip_prefix(['+', '-']).map(|digits| (offset, digits)) else {
            if name.is_empty() {
                return false;
            }
            if self.zone.is_none() {
                self.zone = Some(named_zone(name));
            }
            return true;
        };
        let (signed, digits) = offset;
        let digits = digits.replace(':', "");
        let seconds = match (digits.len(), digits.parse::<i64>()) {
            (1..=2, Ok(hours)) => hours * 3600,
            (3..=4, Ok(both)) => both / 100 * 3600 + both % 100 * 60,
            _ => return false,
        };
        // A zone given twice (`GMT +0200`): the offset is the one that was meant.
        if self.zone.is_none_or(|zone| zone == 0) {
            self.zone = Some(if signed.starts_with('-') { -seconds } else { seconds });
        }
        true
    }

    fn seconds(&self) -> Option<i64> {
        let (year, month, day) = (self.year?, self.month?, self.day?);
        let (hour, minute, second) = self.time?;
        let zone = self.zone.unwrap_or(0);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        if !(1979..=2100).contains(&year) || zone.abs() > 24 * 3600 {
            return None;
        }
        let date = DateTime {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
            ..DateTime::default()
        };
        let time = i64::from(hour * 3600 + minute * 60 + second);
        let seconds = date.to_timestamp_local() + time - zone;
        (seconds >= EARLIEST).then_some(seconds)
    }
}

fn month(word: &str) -> Option<u32> {
    let head = word.get(..3)?;
    // `sept` and `march` are seen, `marian` is a name.
    let at = MONTHS.iter().position(|month| *month == head)?;
    let full =
        ["uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember"];
    let tail = word.get(3..)?.trim_end_matches('.');
    let known = tail.is_empty() || full.get(at).is_some_and(|full| full.starts_with(tail));
    known.then(|| u32::try_from(at + 1).unwrap_or(0))
}

fn year(digits: usize, number: u32) -> u32 {
    match (digits, number) {
        (2, 0..=49) => 2000 + number,
        (2, _) => 1900 + number,
        // Written as years since 1900 by programs of the last century (RFC 5322 section 4.3).
        (3, _) => 1900 + number,
        _ => number,
    }
}

fn named_zone(name: &str) -> i64 {
    let hours = match name {
        "edt" => -4,
        "est" | "cdt" => -5,
        "cst" | "mdt" => -6,
        "mst" | "pdt" => -7,
        "pst" => -8,
        // Not in the RFC, but never anything else in mail.
        "cet" | "met" | "bst" => 1,
        "cest" | "eet" | "mest" => 2,
        "eest" | "msk" => 3,
        "jst" => 9,
        _ => 0,
    };
    hours * 3600
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form_that_mail_uses() {
        // 2024-05-02T10:15:00Z
        const T: i64 = 1_714_644_900;
        #[rustfmt::skip]
        let cases: &[(&str, &str, Option<i64>)] = &[
            ("rfc 5322",          "Thu, 2 May 2024 12:15:00 +0200",          Some(T)),
            ("no day name",       "2 May 2024 10:15:00 +0000",               Some(T)),
            ("west",              "Thu, 02 May 2024 03:15:00 -0700 (PDT)",   Some(T)),
            ("named zone",        "Thu, 2 May 2024 06:15:00 EDT",            Some(T)),
            ("gmt",               "Thu, 2 May 2024 10:15:00 GMT",            Some(T)),
            ("military zone",     "Thu, 2 May 2024 10:15:00 Z",              Some(T)),
            ("unknown zone",      "Thu, 2 May 2024 10:15:00 XYZT",           Some(T)),
            ("no zone",           "Thu, 2 May 2024 10:15:00",                Some(T)),
            ("no seconds",        "Thu, 2 May 2024 12:15 +0200",             Some(T)),
            ("two-digit year",    "Thu, 2 May 24 12:15:00 +0200",            Some(T)),
            ("three-digit year",  "Thu, 2 May 124 12:15:00 +0200",           Some(T)),
            ("colon in zone",     "Thu, 2 May 2024 12:15:00 +02:00",         Some(T)),
            ("gmt and offset",    "Thu, 2 May 2024 12:15:00 GMT+0200",       Some(T)),
            ("gmt, blank, offset", "Thu, 2 May 2024 12:15:00 GMT +0200",     Some(T)),
            ("hyphens",           "Thu, 02-May-2024 12:15:00 +0200",         Some(T)),
            ("asctime",           "Thu May  2 10:15:00 2024",                Some(T)),
            ("asctime, zone",     "Thu May  2 12:15:00 2024 +0200",          Some(T)),
            ("unix date",         "Thu May  2 06:15:00 EDT 2024",            Some(T)),
            ("rfc 3339",          "2024-05-02T12:15:00.123+02:00",           Some(T)),
            ("iso with blanks",   "2024-05-02 10:15:00",                     Some(T)),
            ("dots in the time",  "Thu, 2 May 2024 12.15.00 +0200",          Some(T)),
            ("slashes, year first", "2024/05/02 10:15:00",                   Some(T)),
            ("slashes, year last", "05/02/2024 10:15:00",                    None),
            ("half day before the time", "2 May 2024 a.m. 10:15:00",         Some(T)),
            ("zone of a file's name", "Thu, 2 May 2024 10:15:00 asia/x/y",   Some(T)),
            ("dots in the date",  "02.05.24 10:15:00",                       None),
            ("comments",          "(x) Thu, 2 (y (z)) May 2024 10:15:00 +0000", Some(T)),
            ("leap second",       "Sat, 31 Dec 2016 23:59:60 +0000",         Some(1_483_228_800)),
            ("lower case",        "thu, 2 may 2024 10:15:00 gmt",            Some(T)),
            ("long month",        "2 September 2024 10:15:00 GMT",           Some(1_725_272_100)),
            ("afternoon",         "2 May 2024 10:15:00 PM",                  Some(T + 12 * 3600)),
            ("afternoon, glued",  "2 May 2024 12:15:00pm +0200",             Some(T)),
            ("afternoon, zone",   "2 May 2024 0:15:00 p.m. +0200",           Some(T)),
            ("noon",              "2 May 2024 12:15 PM +0200",               Some(T)),
            ("midnight",          "2 May 2024 12:15am",                      Some(T - 10 * 3600)),
            ("midnight, blank",   "2 May 2024 12:15:00 AM",                  Some(T - 10 * 3600)),
            ("Tuesday",           "mar, 05 jul 2005 10:00:00 +0200",         Some(1_120_550_400)),
            ("Tuesday, no comma", "mar 05 jul 2005 10:00:00 +0200",          Some(1_120_550_400)),
            ("Tuesday, dot",      "mar., 05 jul 2005 10:00:00 +0200",        Some(1_120_550_400)),
            ("Tuesday in March",  "mar, 05 mar 2024 10:00:00 +0000",         Some(1_709_632_800)),
            ("Tuesday, month unknown", "mar 05 giu 2024 10:00:00 +0000",     None),
            ("Tuesday, comma, month unknown", "mar, 05 giu 2024 10:00:00 +0000", None),
            ("March first",       "Mar 5, 2024 10:00:00",                    Some(1_709_632_800)),
            ("March, at",         "Mar 5, 2024 at 10:00:00",                 Some(1_709_632_800)),
            ("March, zone",       "Mar 5, 2024 10:00:00 GMT",                Some(1_709_632_800)),
            ("1969",              "Wed, 31 Dec 1969 23:59:59 +0000",         None),
            ("1979",              "Mon, 31 Dec 1979 23:59:59 +0000",         None),
            ("1980",              "Tue, 1 Jan 1980 00:00:00 +0000",          Some(EARLIEST)),
            ("far future",        "Thu, 2 May 2101 10:15:00 +0000",          None),
            ("31 February",       "Thu, 31 Feb 2024 10:15:00 +0000",         None),
            ("25 o'clock",        "Thu, 2 May 2024 25:15:00 +0000",          None),
            ("unknown month",     "Thu, 2 Xyz 2024 10:15:00 +0000",          None),
            ("no time",           "Thu, 2 May 2024",                         None),
            ("words",             "yesterday",                               None),
            ("empty",             "",                                        None),
            ("huge numbers",      "99999999999 May 2024 10:15:00 +0000",     None),
            ("many numbers",      "2 May 2024 10:15:00 +0000 7 7 7",         None),
        ];
        for (name, text, seconds) in cases {
            assert_eq!(parse(text), *seconds, "{name}");
        }
    }
}
