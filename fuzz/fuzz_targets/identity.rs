//! One mail has one identity: from its header block alone, and with trace headers put before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailcrm::message::{self, identity};

fuzz_target!(|raw: &[u8]| {
    // Blank lines first, a mark or bare line ends change what the trace headers would mean.
    let mail = [b"From: a@b.example\r\n", raw].concat();
    let whole = message::parse(&mail).expect("the parser gave up");
    if let Some(id) = &whole.message_id {
        assert_eq!(identity::normalise_id(id).as_ref(), Some(id));
        let blanks = [b"\r\n\r\n".as_slice(), b"\n\n", b"\n\r\n"];
        let end = blanks.iter().filter_map(|blank| {
            let at = mail.windows(blank.len()).position(|window| window == *blank)?;
            Some(at + blank.len())
        });
        let head = &mail[..end.min().unwrap_or(mail.len())];
        assert_eq!(message::parse(head).expect("the parser gave up"), whole);
    }
    let traced = [b"Received: from x.example\r\nDelivered-To: y@z.example\r\n", mail.as_slice()];
    let traced = message::parse(&traced.concat()).expect("the parser gave up");
    assert_eq!(traced.fingerprint, whole.fingerprint);
});
