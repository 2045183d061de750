//! Any bytes give facts, text and files, all within their bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailcrm::message::{self, address};

fuzz_target!(|raw: &[u8]| {
    let facts = message::parse(raw).expect("the parser gave up");
    assert!(facts.subject.chars().count() <= 2_000);
    for party in facts.parties() {
        assert_eq!(address::normalise(&party.email).as_ref(), Some(&party.email));
    }
    let body = message::body(raw).expect("the parser gave up");
    for file in &body.attachments {
        assert!(!file.name.is_empty() && !file.name.contains(['/', '\\', '\0', '\n']));
    }
});
