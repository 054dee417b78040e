//! The words that all kinds of interface share.

use std::collections::BTreeMap;

/// `type` and `options` of an Interface row.
pub(crate) struct Rows {
    pub(crate) kind: &'static str,
    pub(crate) options: BTreeMap<String, String>,
}
