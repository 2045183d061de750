//! Spam filters' verdicts in headers. Pure.

use super::class::{fact, first_word};
use super::header::Headers;

/// How a header of some filter says "spam". A score or a level alone is no verdict.
enum Says {
    /// The first word is one of these.
    Word(&'static [&'static str]),
    /// The value as a whole is this.
    Value(&'static [&'static str]),
    /// The value begins so.
    Starts(&'static [&'static str]),
    /// A number at or above this.
    AtLeast(i64),
    /// `SCL:n` among other marks, n at or above this.
    Scl(i64),
    /// A mark such as `rule=spam` is in it.
    Contains(&'static [&'static str]),
}

const YES: Says = Says::Word(&["yes", "true", "spam"]);

#[rustfmt::skip]
const VERDICTS: &[(&str, Says)] = &[
    // SpamAssassin, and whoever writes like it.
    ("X-Spam-Flag",                     YES),
    ("X-Spam-Status",                   YES),
    ("X-Spam",                          YES),
    ("X-Spam-Flag2",                    YES),
    ("X-Spam-Verdict",                  YES),
    ("X-Spam-Result",                   Says::Word(&["yes", "spam"])),
    // Exchange: 5 and above is spam; -1 to 4 is not (learn.microsoft.com, "Spam confidence level").
    ("X-MS-Exchange-Organization-SCL",  Says::AtLeast(5)),
    ("X-Forefront-Antispam-Report",     Says::Scl(5)),
    // rspamd: `soft reject` and `greylist` are delays.
    ("X-Rspamd-Action",                 Says::Value(&["reject", "add header", "rewrite subject", "quarantine", "add_header", "rewrite_subject"])),
    ("X-Barracuda-Spam-Status",         YES),
    ("X-Barracuda-Spam-Flag",           YES),
    // SpamExperts, sold as Spampanel.
    ("X-Spampanel-Class",               Says::Word(&["spam", "phish", "virus"])),
    ("X-Spampanel-Outgoing-Class",      Says::Word(&["spam", "phish", "virus"])),
    ("X-SpamExperts-Class",             Says::Word(&["spam", "phish", "virus"])),
    ("X-SpamExperts-Outgoing-Class",    Says::Word(&["spam", "phish", "virus"])),
    ("X-Bogosity",                      Says::Word(&["spam", "yes"])),
    ("X-DSPAM-Result",                  Says::Word(&["spam", "blacklisted", "virus"])),
    ("X-CRM114-Status",                 Says::Word(&["spam"])),
    ("X-Proofpoint-Spam-Details",       Says::Contains(&["rule=spam", "rule=phish", "rule=malware"])),
    ("X-KLMS-AntiSpam-Status",          Says::Word(&["spam", "blacklisted", "phishing"])),
    ("X-KSMG-AntiSpam-Status",          Says::Word(&["spam", "blacklisted", "phishing"])),
    ("X-AES-Category",                  Says::Word(&["spam"])),
    // Yandex: 1 is mail, 4 is spam.
    ("X-Yandex-Spam",                   Says::Value(&["4"])),
    // IONOS, GMX and web.de.
    ("X-UI-Filterresults",              Says::Contains(&["junk:"])),
    ("X-Gm-Spam",                       Says::Value(&["1"])),
    // Trend Micro: `Yes-28.5-5.0-31-1`, the verdict before the scores.
    ("X-TM-AS-Result",                  Says::Starts(&["yes-"])),
    // Kaspersky's older gateways.
    ("X-SpamTest-Status",               Says::Word(&["spam", "probable"])),
    ("X-SpamTest-Status-Extended",      Says::Word(&["spam", "probable_spam"])),
    // MailScanner without its organisation's name: `not spam` is the other verdict.
    ("X-MailScanner-SpamCheck",         Says::Word(&["spam"])),
    // Commtouch, now Cyren: `Bulk` and `Suspect` are none.
    ("X-CTCH-Spam",                     Says::Word(&["confirmed"])),
    // Vade, at OVH, Orange and others.
    ("X-VR-SPAMSTATE",                  Says::Starts(&["spam"])),
    ("X-VADE-SPAMSTATE",                Says::Starts(&["spam", "phishing", "malware", "scam"])),
    ("X-Ovh-Spam-Status",               Says::Word(&["spam"])),
    ("X-purgate-type",                  Says::Word(&["spam", "phishing", "malware"])),
    ("X-Mras",                          Says::Word(&["spam"])),
    // rspamd's long form: `default: True [20.00 / 15.00]`.
    ("X-Spamd-Result",                  Says::Starts(&["default: true"])),
    ("X-Rspamd-Spam",                   YES),
    ("X-AntiSpam",                      Says::Word(&["spam", "yes"])),
    ("X-SpamCop-Disposition",           Says::Starts(&["blocked"])),
    ("X-OSBF-Lua-Score",                Says::Contains(&["[s]"])),
    ("X-Razor-Status",                  Says::Word(&["spam"])),
    ("X-Pyzor-Status",                  Says::Word(&["spam"])),
    ("X-AVAS-Spam-Status",              Says::Word(&["spam"])),
];

/// The verdicts "spam" in this header. A positive one is believed whoever wrote it (rule 7).
pub fn spam(headers: &Headers<'_>) -> Vec<String> {
    let mut facts = Vec::new();
    for (name, says) in VERDICTS {
        // Several filters may have looked at it, each with a header of its own.
        for value in headers.all(name) {
            let value = String::from_utf8_lossy(&value).to_ascii_lowercase();
            if is_spam(says, &value) {
                facts.push(fact(name, &value));
                break;
            }
        }
    }
    facts
}

fn is_spam(says: &Says, value: &str) -> bool {
    match says {
        Says::Word(words) => words.contains(&first_word(value).as_str()),
        Says::Value(values) => values.contains(&value.trim()),
        Says::Starts(heads) => heads.iter().any(|head| value.trim().starts_with(head)),
        Says::AtLeast(least) => first_word(value).parse::<i64>().is_ok_and(|scl| scl >= *least),
        Says::Scl(least) => value.split(';').any(|mark| {
            let scl = mark.trim().strip_prefix("scl:").map(str::parse::<i64>);
            scl.is_some_and(|scl| scl.is_ok_and(|scl| scl >= *least))
        }),
        // `notjunk:` is the other verdict: a mark begins where no letter stands before it.
        Says::Contains(marks) => marks.iter().any(|mark| {
            value.match_indices(mark).any(|(at, _)| {
                !value.get(..at).is_some_and(|before| before.ends_with(char::is_alphanumeric))
            })
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_verdict_is_a_verdict() {
        #[rustfmt::skip]
        let cases: &[(&str, bool)] = &[
            ("X-Spam-Flag: YES",                                         true),
            ("X-Spam-Flag: NO",                                          false),
            ("X-Spam-Status: Yes, score=9.1 required=5.0",               true),
            ("X-Spam-Status: No, score=4.9 required=5.0 tests=SAYS_YES", false),
            ("X-Spam: Yes",                                              true),
            ("X-Spam-Level: ************",                               false),
            ("X-Spam-Score: 22.1",                                       false),
            ("X-MS-Exchange-Organization-SCL: 5",                        true),
            ("X-MS-Exchange-Organization-SCL: 1",                        false),
            ("X-MS-Exchange-Organization-SCL: -1",                       false),
            ("X-Forefront-Antispam-Report: CIP:192.0.2.1;SCL:9;SFV:SPM", true),
            ("X-Forefront-Antispam-Report: CIP:192.0.2.1;SCL:1;SFV:NSPM", false),
            ("X-Microsoft-Antispam: BCL:7;",                             false),
            ("X-Rspamd-Action: add header",                              true),
            ("X-Rspamd-Action: soft reject",                             false),
            ("X-Rspamd-Action: no action",                               false),
            ("X-Barracuda-Spam-Status: Yes, SCORE=9.00",                 true),
            ("X-SpamExperts-Class: spam",                                true),
            ("X-SpamExperts-Class: unsure",                              false),
            ("X-Bogosity: Spam, tests=bogofilter",                       true),
            ("X-Bogosity: Unsure, tests=bogofilter",                     false),
            ("X-Proofpoint-Spam-Details: rule=spam policy=default",      true),
            ("X-Proofpoint-Spam-Details: rule=notspam policy=default",   false),
            ("X-UI-Filterresults: junk:10;V03:K0",                       true),
            ("X-UI-Filterresults: notjunk:1;V03:K0",                     false),
            ("X-Yandex-Spam: 4",                                         true),
            ("X-Yandex-Spam: 1",                                         false),
            ("X-Spam-Flag: NO\nX-Spam-Flag: YES",                        true),
            ("X-TM-AS-Result: Yes-28.5-5.0-31-1",                        true),
            ("X-TM-AS-Result: No-1.5-5.0-31-1",                          false),
            ("X-SpamTest-Status: SPAM",                                  true),
            ("X-SpamTest-Status: Not detected",                          false),
            ("X-MailScanner-SpamCheck: spam, SpamAssassin (score=9)",    true),
            ("X-MailScanner-SpamCheck: not spam, SpamAssassin (score=1)", false),
            ("X-CTCH-Spam: Confirmed",                                   true),
            ("X-CTCH-Spam: Unknown",                                     false),
            ("X-VADE-SPAMSTATE: spam:high",                              true),
            ("X-VADE-SPAMSTATE: clean",                                  false),
            ("X-purgate-type: spam",                                     true),
            ("X-purgate-type: clean",                                    false),
            ("X-Spamd-Result: default: True [20.00 / 15.00]",            true),
            ("X-Spamd-Result: default: False [1.00 / 15.00]",            false),
        ];
        for (header, expected) in cases {
            let raw = format!("{header}\n\n");
            assert_eq!(
                !spam(&Headers::of_message(raw.as_bytes())).is_empty(),
                *expected,
                "{header}"
            );
        }
    }
}
