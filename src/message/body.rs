//! The text and the files of a message, as they go to the CRM. Pure.

/// What is written into the activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Plain text, from HTML where only HTML came; not cut.
    pub text: String,
    /// In the order of the mail; inline images and attached mails included.
    pub attachments: Vec<Attachment>,
    /// PGP or S/MIME: the text cannot be read; the whole original is to be attached.
    pub encrypted: bool,
}

/// One file of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Decoded name without path or control characters; never empty.
    pub name: String,
    /// Lower-case MIME type such as `text/vcard`.
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attachment({}, {} bytes)", self.content_type, self.bytes.len())
    }
}
