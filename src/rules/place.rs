pub use super::turn::{Turn, next_responsible};
