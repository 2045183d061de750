//! What is read of messages: which there are, their headers, their bodies. Always with PEEK.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "few of the codec's many answers matter here, and its enums may grow"
)]

use async_imap::imap_proto::{AttributeValue, MailboxDatum, MessageSection, Response, SectionPath};

use super::Error;
use super::link::{CHUNK, Link};

/// Octets of one command's UID set: UW and Yahoo take no line over 1,000 octets.
const SET: usize = 800;
/// Octets of a message up to which it is fetched in one piece.
pub(super) const WHOLE: u64 = 512 * 1024;

/// UIDs of one SEARCH: a window that turns out to be dense, and no more.
const MOST_UIDS: usize = 4_000_000;
/// Octets of a header that are asked for among others; longer ones are read with their mail.
pub(super) const HEADER_AMONG_OTHERS: usize = 64 * 1024;

/// Octets of whole messages that are kept of one answer: twice what is asked for at a time.
const BODIES: usize = 4 * 1024 * 1024;

/// A message's header, and what the server says of the message.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub uid: u32,
    /// Octets of the whole message as the server counts them; only a hint.
    pub size: u64,
    /// INTERNALDATE in Unix seconds; `None` if it cannot be read.
    pub internal_date: Option<i64>,
    pub header: Vec<u8>,
}

/// How much of each header is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The first [`HEADER_AMONG_OTHERS`] octets.
    Beginning,
    /// All of it: for one message alone, and where the server knows no pieces.
    Whole,
}

impl Link {
    /// UIDs in `low..=high` that are on the server, in order.
    pub(super) async fn uids(&mut self, low: u32, high: u32) -> Result<Vec<u32>, Error> {
        if self.counts_in_search {
            return self.handed_out(low, high).await;
        }
        let command = format!("UID SEARCH UID {}", range(low, high));
        let mut uids = self.search("list messages", &command).await?;
        // `n:*` names the last message even if its UID is lower (RFC 3501 §6.4.8).
        uids.retain(|uid| (low..=high).contains(uid));
        Ok(uids)
    }

    /// The same by FETCH, where SEARCH is of no use: it may leave out what cannot be read.
    async fn handed_out(&mut self, low: u32, high: u32) -> Result<Vec<u32>, Error> {
        let mut uids = self.uids_of("list messages", &range(low, high)).await?;
        uids.retain(|uid| (low..=high).contains(uid));
        Ok(uids)
    }

    /// The highest UID; the folder must not be empty (`*` is BAD there for some servers). `None` if
    /// the server does not say.
    ///
    /// By FETCH: Courier, and Cyrus where the newest is gone, find nothing in `UID SEARCH UID *`,
    /// and Mailutils takes that for a mistake.
    pub(super) async fn last_uid(&mut self) -> Result<Option<u32>, Error> {
        match self.uids_of("look for the last message", "*").await {
            Err(Error::No { .. } | Error::Busy { .. }) if !self.broken => Ok(None),
            other => Ok(other?.last().copied()),
        }
    }

    /// The UIDs of a set that are handed out, in order.
    async fn uids_of(&mut self, doing: &'static str, set: &str) -> Result<Vec<u32>, Error> {
        let mut uids: Vec<u32> = Vec::new();
        self.run(doing, &format!("UID FETCH {set} (UID)"), |answer| {
            // What brings more than was asked for is news of another message.
            if let Response::Fetch(_, attributes) = answer
                && let [AttributeValue::Uid(uid)] = attributes.as_slice()
            {
                uids.push(*uid);
            }
        })
        .await?;
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }

    /// Finds out, once a folder and session, whether the server takes the UIDs of a SEARCH for
    /// sequence numbers, as Mailutils does: then the last message is not found by its UID, unless
    /// both are the same for all. FETCH is used instead from then on.
    pub(super) async fn try_search(&mut self) -> Result<(), Error> {
        let Some(wire) = self.selected.clone() else { return Ok(()) };
        if self.counts_in_search || !self.tried.insert(wire) {
            return Ok(());
        }
        let Some(last) = self.last_uid().await? else { return Ok(()) };
        match self.search("list messages", &format!("UID SEARCH UID {last}")).await {
            Ok(found) => self.counts_in_search = !found.contains(&last),
            Err(Error::No { .. } | Error::Busy { .. }) if !self.broken => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// UIDs in `low..=high` whose INTERNALDATE lies on or after the day of `since`, or on a day
    /// before it where time zones differ.
    pub(super) async fn uids_since(
        &mut self,
        low: u32,
        high: u32,
        since: i64,
    ) -> Result<Vec<u32>, Error> {
        // SINCE disregards time and zone (RFC 3501 §6.4.4): a day more catches every zone.
        let Some(day) = day(since.saturating_sub(86_400)).filter(|_| !self.counts_in_search) else {
            return self.uids(low, high).await;
        };
        let command = format!("UID SEARCH UID {} SINCE {day}", range(low, high));
        let mut uids = self.search("list recent messages", &command).await?;
        uids.retain(|uid| (low..=high).contains(uid));
        Ok(uids)
    }

    /// UIDs of messages in whose header this Message-ID stands; empty where it cannot be asked for.
    pub(super) async fn uids_with_id(&mut self, id: &str) -> Result<Vec<u32>, Error> {
        // A quoted string (RFC 3501 §9) holds neither quotes nor backslashes as they are, and what
        // is no ASCII is a matter of charsets.
        let askable =
            id.bytes().all(|octet| (0x20..0x7f).contains(&octet) && !b"\"\\".contains(&octet));
        if !askable || id.len() > SET || self.counts_in_search {
            return Ok(Vec::new());
        }
        self.search("look for a message", &format!("UID SEARCH HEADER Message-ID \"{id}\"")).await
    }

    /// UIDs of messages under this keyword, an atom (RFC 3501 §6.4.4).
    pub(super) async fn uids_with_keyword(&mut self, keyword: &str) -> Result<Vec<u32>, Error> {
        let command = format!("UID SEARCH KEYWORD {keyword}");
        self.search("look for a keyword", &command).await
    }

    /// Whether a message is under this keyword.
    pub(super) async fn bears_keyword(&mut self, uid: u32, keyword: &str) -> Result<bool, Error> {
        let mut bears = false;
        let news = self.news.keyword;
        self.run("look for a keyword", &format!("UID FETCH {uid} (UID FLAGS)"), |answer| {
            // A change that another client made meanwhile may come in between.
            if let Response::Fetch(_, attributes) = answer
                && attributes.iter().any(|one| matches!(one, AttributeValue::Uid(of) if *of == uid))
            {
                bears = has_keyword(attributes, keyword).unwrap_or(bears);
            }
        })
        .await?;
        // What was asked for is no news.
        self.news.keyword = news;
        Ok(bears)
    }

    async fn search(&mut self, doing: &'static str, command: &str) -> Result<Vec<u32>, Error> {
        let mut uids: Vec<u32> = Vec::new();
        self.run(doing, command, |answer| {
            if let Response::MailboxData(MailboxDatum::Search(found)) = answer
                && uids.len() <= MOST_UIDS
            {
                uids.extend(found);
            }
        })
        .await?;
        if uids.len() > MOST_UIDS {
            // What is left out would count as absent.
            return Err(Error::Unparsable { doing, what: "a list without end".to_owned() });
        }
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }

    /// Headers of these UIDs (in order), as far as the server has them; expunged ones are
    /// missing, and so are those that came when `room` octets were taken, though at least one
    /// is there. The second list names the latter.
    pub(super) async fn headers(
        &mut self,
        uids: &[u32],
        extent: Extent,
        room: usize,
    ) -> Result<(Vec<Header>, Vec<u32>), Error> {
        let mut headers: Vec<Header> = Vec::with_capacity(uids.len());
        let mut postponed = Vec::new();
        let mut taken = 0;
        for set in sets(uids) {
            let part = match extent {
                Extent::Beginning => format!("<0.{HEADER_AMONG_OTHERS}>"),
                Extent::Whole => String::new(),
            };
            let command =
                format!("UID FETCH {set} (UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER]{part})");
            self.fetch("read headers", &command, |fetched| {
                // Another client's flag change comes as a FETCH as well, often with the UID.
                if let Some(header) = fetched.header.filter(|_| is_wanted(uids, fetched.uid)) {
                    if taken + header.len() > room && !headers.is_empty() {
                        postponed.push(fetched.uid);
                        return;
                    }
                    taken += header.len();
                    headers.push(Header {
                        uid: fetched.uid,
                        size: fetched.size,
                        internal_date: fetched.internal_date,
                        header: header.to_vec(),
                    });
                }
            })
            .await?;
        }
        let headers = wanted(headers, uids, |header| header.uid);
        let mut postponed = wanted(postponed, uids, |uid| *uid);
        postponed.retain(|uid| headers.binary_search_by_key(uid, |header| header.uid).is_err());
        Ok((headers, postponed))
    }

    /// UID and INTERNALDATE of these messages, in order.
    pub(super) async fn dates(&mut self, uids: &[u32]) -> Result<Vec<(u32, Option<i64>)>, Error> {
        let mut dates = Vec::with_capacity(uids.len());
        for set in sets(uids) {
            let command = format!("UID FETCH {set} (UID INTERNALDATE)");
            self.fetch("read dates", &command, |fetched| {
                if is_wanted(uids, fetched.uid) && dates.len() < 2 * uids.len() {
                    dates.push((fetched.uid, fetched.internal_date));
                }
            })
            .await?;
        }
        // A flag change that came in between has the UID too, but no date.
        dates.sort_by_key(|(uid, date)| (*uid, date.is_none()));
        Ok(wanted(dates, uids, |date| date.0))
    }

    /// Whole messages; for small ones only. Sizes are the server's word: the second list names
    /// those that came when [`BODIES`] octets were taken, though at least one is there.
    pub(super) async fn bodies(
        &mut self,
        uids: &[u32],
    ) -> Result<(Vec<(u32, Vec<u8>)>, Vec<u32>), Error> {
        let mut bodies: Vec<(u32, Vec<u8>)> = Vec::with_capacity(uids.len());
        let mut postponed = Vec::new();
        let mut taken = 0;
        for set in sets(uids) {
            let command = format!("UID FETCH {set} (UID BODY.PEEK[])");
            self.fetch("read messages", &command, |fetched| {
                if let Some(body) = fetched.body.filter(|_| is_wanted(uids, fetched.uid)) {
                    if taken + body.len() > BODIES && !bodies.is_empty() {
                        postponed.push(fetched.uid);
                        return;
                    }
                    taken += body.len();
                    bodies.push((fetched.uid, body.to_vec()));
                }
            })
            .await?;
        }
        let bodies = wanted(bodies, uids, |body| body.0);
        let mut postponed = wanted(postponed, uids, |uid| *uid);
        postponed.retain(|uid| bodies.binary_search_by_key(uid, |body| body.0).is_err());
        Ok((bodies, postponed))
    }

    /// One stretch of a message: `None` if the message is gone, empty behind its end.
    pub(super) async fn chunk(&mut self, uid: u32, start: u64) -> Result<Option<Vec<u8>>, Error> {
        let command = format!("UID FETCH {uid} (UID BODY.PEEK[]<{start}.{CHUNK}>)");
        let mut chunk = None;
        self.fetch("read a large message", &command, |fetched| {
            if fetched.uid != uid {
                return;
            }
            if let Some(body) = fetched.body {
                // Who knows no pieces sends the whole once more.
                let from = match fetched.origin {
                    Some(_) => 0,
                    None => usize::try_from(start).unwrap_or(usize::MAX),
                };
                chunk = Some(body.get(from..).unwrap_or_default().to_vec());
            } else if fetched.nil && start > 0 {
                chunk = Some(Vec::new());
            }
        })
        .await?;
        Ok(chunk)
    }

    async fn fetch(
        &mut self,
        doing: &'static str,
        command: &str,
        mut each: impl FnMut(Fetched<'_>),
    ) -> Result<(), Error> {
        let answer = self
            .run(doing, command, |answer| {
                if let Response::Fetch(_, attributes) = answer
                    && let Some(fetched) = Fetched::of(attributes)
                {
                    each(fetched);
                }
            })
            .await;
        match answer {
            // Some of the messages are gone: what came is good, what did not come is looked for
            // one by one (seen with Exchange and Dovecot, `[EXPUNGEISSUED]`).
            Err(Error::No { text, .. })
                if text.contains("EXPUNGEISSUED") || text.contains("no longer exist") =>
            {
                Ok(())
            }
            other => other,
        }
    }
}

/// Whether the keyword is among the flags of a FETCH answer; `None` if it brings no flags. Keywords
/// have no case (RFC 9051 §2.3.2).
pub(super) fn has_keyword(attributes: &[AttributeValue<'_>], keyword: &str) -> Option<bool> {
    attributes.iter().find_map(|attribute| match attribute {
        AttributeValue::Flags(flags) => {
            Some(flags.iter().any(|flag| flag.eq_ignore_ascii_case(keyword)))
        }
        _ => None,
    })
}

/// What one FETCH answer brought. Answers without UID, such as flag changes, bring nothing.
#[derive(Default)]
struct Fetched<'a> {
    uid: u32,
    size: u64,
    internal_date: Option<i64>,
    header: Option<&'a [u8]>,
    body: Option<&'a [u8]>,
    /// Where in the message the body begins, if the server says so: it is a piece.
    origin: Option<u32>,
    /// The body is NIL: nothing there, or nothing behind this octet.
    nil: bool,
}

impl<'a> Fetched<'a> {
    fn of(attributes: &'a [AttributeValue<'a>]) -> Option<Fetched<'a>> {
        let mut fetched = Fetched::default();
        for attribute in attributes {
            match attribute {
                AttributeValue::Uid(uid) => fetched.uid = *uid,
                AttributeValue::Rfc822Size(size) => fetched.size = u64::from(*size),
                AttributeValue::InternalDate(date) => fetched.internal_date = internal_date(date),
                AttributeValue::BodySection {
                    section: Some(SectionPath::Full(MessageSection::Header)),
                    data,
                    ..
                } => fetched.header = data.as_deref(),
                AttributeValue::BodySection { section: None, index, data } => {
                    fetched.body = data.as_deref();
                    fetched.origin = *index;
                    fetched.nil = data.is_none();
                }
                _ => {}
            }
        }
        (fetched.uid != 0).then_some(fetched)
    }
}

/// `01-Feb-2024 10:11:12 +0100` (RFC 3501 §9 date-time), day possibly with a blank.
fn internal_date(text: &str) -> Option<i64> {
    let zoned = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    Some(zoned.to_timestamp().ok()?.as_second())
}

/// `01-Feb-2024`, in UTC.
fn day(unix: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(unix).ok()?;
    Some(moment.strftime("%d-%b-%Y").to_string())
}

fn range(low: u32, high: u32) -> String {
    if high == u32::MAX { format!("{low}:*") } else { format!("{low}:{high}") }
}

/// Whether a message was asked for: servers send what nobody asked for, and more than once.
fn is_wanted(uids: &[u32], uid: u32) -> bool {
    uids.binary_search(&uid).is_ok()
}

/// Each wanted message once, in the order asked for: servers may answer twice, out of turn, or
/// with what nobody asked for.
fn wanted<T>(mut found: Vec<T>, uids: &[u32], uid_of: impl Fn(&T) -> u32) -> Vec<T> {
    found.retain(|one| is_wanted(uids, uid_of(one)));
    found.sort_by_key(&uid_of);
    found.dedup_by_key(|one| uid_of(one));
    found
}

/// UID sets that fit a command line, neighbours joined to ranges. `uids` are in order.
fn sets(uids: &[u32]) -> Vec<String> {
    let mut sets = Vec::new();
    let mut set = String::new();
    for stretch in uids.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { continue };
        let text = if first == last { first.to_string() } else { format!("{first}:{last}") };
        if !set.is_empty() && set.len() + text.len() + 1 > SET {
            sets.push(std::mem::take(&mut set));
        }
        if !set.is_empty() {
            set.push(',');
        }
        set.push_str(&text);
    }
    if !set.is_empty() {
        sets.push(set);
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_ranges_and_long_sets_are_split() {
        assert_eq!(sets(&[1, 2, 3, 5, 7, 8]), ["1:3,5,7:8"]);
        assert_eq!(sets(&[u32::MAX - 1, u32::MAX]), ["4294967294:4294967295"]);
        assert!(sets(&[]).is_empty());
        let scattered: Vec<u32> = (0..1000).map(|n| 4_000_000_000 + n * 2).collect();
        let found = sets(&scattered);
        assert!(found.iter().all(|set| set.len() <= SET));
        assert_eq!(found.iter().map(|set| set.split(',').count()).sum::<usize>(), 1000);
    }

    #[test]
    fn internal_dates_are_read() {
        #[rustfmt::skip]
        let cases = &[
            ("17-Jul-1996 02:44:25 -0700", Some(837_596_665)),
            (" 1-Feb-2024 10:11:12 +0100", Some(1_706_778_672)),
            ("nonsense",                   None),
            ("",                           None),
        ];
        for (text, expected) in cases {
            assert_eq!(internal_date(text), *expected, "{text}");
        }
    }

    #[test]
    fn answers_come_once_and_in_order() {
        assert_eq!(wanted(vec![5, 3, 9, 5], &[3, 4, 5], |uid| *uid), [3, 5]);
    }
}
