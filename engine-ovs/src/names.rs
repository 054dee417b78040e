//! The keys under which rows are marked: in `external_ids`, which Open vSwitch leaves alone (ovs-vswitchd.conf.db(5)).

use std::collections::BTreeMap;

use userspace_core::owner::{Mark, OwnerTag};

/// The whole mark as text.
pub(crate) const MARK: &str = "userspace-mark";
/// What the row is to us, so that all of ours can be selected by one pair.
pub(crate) const KIND: &str = "userspace-kind";
/// Digits of the attachment's hash, by which its rows are found whatever the rest of the mark is.
pub(crate) const ATTACHMENT: &str = "userspace-attachment";

/// A port.
pub(crate) const PORT: &str = "port";
/// A QoS or Queue row: unlike ports they stay when nothing refers to them.
pub(crate) const QOS: &str = "qos";
/// A bridge.
pub(crate) const BRIDGE: &str = "bridge";

/// No bound but that of OVSDB's strings, which is far.
const MARK_LIMIT: usize = 1024;

/// The value of [`ATTACHMENT`].
pub(crate) fn attachment(tag: &OwnerTag) -> String {
    tag.digits(32)
}

/// The `external_ids` of a row that belongs to an attachment.
pub(crate) fn ids(mark: &Mark, kind: &str) -> BTreeMap<String, String> {
    let pairs =
        [(MARK, mark.to_text(MARK_LIMIT)), (KIND, kind.to_owned()), (ATTACHMENT, attachment(&mark.tag))];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The mark in a row's `external_ids`, if it is one of ours.
pub(crate) fn mark_of(ids: &BTreeMap<String, String>) -> Option<Mark> {
    ids.get(MARK)?.parse().ok()
}
