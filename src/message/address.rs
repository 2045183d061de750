//! Mail addresses in one normal form. Pure.

/// A mail address with its display name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Display name, decoded and trimmed; empty if absent.
    pub name: String,
    /// Normal form: lower case, NFC, domain as A-labels, as [`normalise`] gives it.
    pub email: String,
}
