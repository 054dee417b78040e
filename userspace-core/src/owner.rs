//! Marks of ownership: what we write into a vswitch beside each thing that we make there, and read back before we touch it.
//!
//! A mark has one line of text: `uscni1-NNNNNNNNNNNN-AAAAAAAAAAAAAAAAAAAA-IIII-DDDDDDDD`, 54 characters: 12 hex digits of
//! the network's hash, 20 of the container's and the interface's, 4 of the instance's id, 8 of the specification's digest.
//! (VPP takes 63 characters, a Linux alias 255.) Where there is room, ` NETWORK CONTAINER INTERFACE` follows in plain.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::AttachmentId;

const PREFIX: &str = "uscni1-";

/// Which installation of the plugin owns a thing, so that two runtimes on one vswitch do not collect each other's.
///
/// Kept in the state directory; lost with it, which only keeps GC from collecting what the lost one had made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(u16);

impl InstanceId {
    /// Whichever: for looking things up when the state directory is lost. No installation has it.
    pub const ANY: Self = Self(0);

    /// An id from a random number.
    pub fn new(random: u16) -> Self {
        Self(random.max(1))
    }

    /// The id of an installation that keeps no state: it follows from where that works, so that it is the same after a restart.
    pub fn of_place(place: &str) -> Self {
        let [high, low] = digest::<2>(&[place]);
        Self::new(u16::from_be_bytes([high, low]))
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

impl FromStr for InstanceId {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let id = hex::<2>(text).map(u16::from_be_bytes).filter(|id| *id != Self::ANY.0);
        id.map(Self).ok_or(NotAMark)
    }
}

impl TryFrom<String> for InstanceId {
    type Error = NotAMark;

    fn try_from(text: String) -> Result<Self, NotAMark> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> String {
        id.to_string()
    }
}

/// Text that is not one of our marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a mark of this plugin")]
pub struct NotAMark;

/// Whose an interface is: the attachment, in a form that fits everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnerTag {
    network: [u8; 6],
    attachment: [u8; 10],
    instance: InstanceId,
}

impl OwnerTag {
    /// The tag of `id`, made by `instance`.
    pub fn new(id: &AttachmentId, instance: InstanceId) -> Self {
        let attachment = digest(&[id.container.as_str(), id.interface.as_str()]);
        Self { network: network_hash(id.network.as_str()), attachment, instance }
    }

    /// The instance that made it.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Whether it belongs to the network of that name.
    pub fn on_network(&self, name: &str) -> bool {
        self.network == network_hash(name)
    }

    /// Whether both mean the same attachment. The instance does not count: it is lost when the state directory is.
    pub fn same_attachment(&self, other: &Self) -> bool {
        self.network == other.network && self.attachment == other.attachment
    }

    /// `digits` hex digits (at most 32) that stand for this attachment, for names that the vswitch keeps short.
    pub fn digits(&self, digits: usize) -> String {
        // The network counts from the first digit on: one container may have one interface name on two networks.
        let mut mixed = self.attachment;
        mixed.iter_mut().zip(self.network).for_each(|(byte, network)| *byte ^= network);
        let mut all = hex_text(&mixed);
        all.push_str(&hex_text(&self.network));
        all.truncate(digits);
        all
    }

    /// The 12 hex digits of the network's hash.
    pub fn network_digits(&self) -> String {
        hex_text(&self.network)
    }

    /// The name that an interface on the host has: `us` and 13 digits, the 15 bytes that the kernel allows.
    pub fn host_name(&self) -> String {
        format!("us{}", self.digits(13))
    }

    /// A locally administered unicast MAC address that is the same whenever this attachment is made again.
    pub fn mac_bytes(&self) -> [u8; 6] {
        let [.., a, b, c, d, e] = self.attachment;
        let [n, m, ..] = self.network;
        // Container ids can be the same on many hosts; their installations are not.
        let [i, j] = self.instance.0.to_be_bytes();
        [0x02, a ^ n, b ^ m, c ^ i, d ^ j, e]
    }

    /// The same for the vswitch's end, where that has an address: neighbours that know it go on when the end is made again.
    pub fn host_mac_bytes(&self) -> [u8; 6] {
        let [first, rest @ ..] = self.mac_bytes();
        let [a, b, c, d, e] = rest;
        [first ^ 0x04, a, b, c, d, e]
    }
}

impl fmt::Display for OwnerTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (network, attachment) = (hex_text(&self.network), hex_text(&self.attachment));
        write!(f, "{PREFIX}{network}-{attachment}-{}", self.instance)
    }
}

impl FromStr for OwnerTag {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let mut parts = text.strip_prefix(PREFIX).ok_or(NotAMark)?.split('-');
        let tag = Self {
            network: parts.next().and_then(hex).ok_or(NotAMark)?,
            attachment: parts.next().and_then(hex).ok_or(NotAMark)?,
            instance: parts.next().ok_or(NotAMark)?.parse()?,
        };
        match parts.next() {
            None => Ok(tag),
            Some(_) => Err(NotAMark),
        }
    }
}

impl TryFrom<String> for OwnerTag {
    type Error = NotAMark;

    fn try_from(text: String) -> Result<Self, NotAMark> {
        text.parse()
    }
}

impl From<OwnerTag> for String {
    fn from(tag: OwnerTag) -> String {
        tag.to_string()
    }
}

/// An attachment and its tag, for the engine that is about to mark something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The plain ids.
    pub attachment: AttachmentId,
    /// Their tag.
    pub tag: OwnerTag,
}

impl Owner {
    /// The owner that `attachment` is, made by `instance`.
    pub fn new(attachment: AttachmentId, instance: InstanceId) -> Self {
        let tag = OwnerTag::new(&attachment, instance);
        Self { attachment, tag }
    }

    /// The mark for a thing that was made to `spec`.
    pub fn mark(&self, spec: SpecDigest) -> Mark {
        Mark { tag: self.tag, spec: Some(spec), attachment: Some(self.attachment.clone()) }
    }
}

/// A few digits that change whenever a specification does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecDigest([u8; 4]);

impl SpecDigest {
    /// The digest of a value's JSON form.
    pub fn of(spec: &impl Serialize) -> Self {
        // Our own specifications have string keys and no custom serialiser that can fail.
        let text = serde_json::to_string(spec).unwrap_or_default();
        Self(digest(&[&text]))
    }
}

impl fmt::Display for SpecDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex_text(&self.0))
    }
}

/// A mark as it stands in a vswitch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The owner.
    pub tag: OwnerTag,
    /// What it was made to; absent in a shortened mark.
    pub spec: Option<SpecDigest>,
    /// The plain ids; absent where they did not fit.
    pub attachment: Option<AttachmentId>,
}

impl Mark {
    /// The mark in at most `limit` bytes: with the plain ids when they fit, else without. `limit` is 54 or more.
    pub fn to_text(&self, limit: usize) -> String {
        let mut text = self.tag.to_string();
        if let Some(spec) = self.spec {
            text.push_str(&format!("-{spec}"));
        }
        if let Some(id) = &self.attachment {
            let ids = format!(" {} {} {}", id.network, id.container, id.interface);
            if text.len() + ids.len() <= limit {
                text.push_str(&ids);
            }
        }
        text
    }
}

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let mut words = text.split(' ');
        let first = words.next().ok_or(NotAMark)?;
        let (tag, spec) = match first.parse::<OwnerTag>() {
            Ok(tag) => (tag, None),
            Err(NotAMark) => {
                let (tag, spec) = first.rsplit_once('-').ok_or(NotAMark)?;
                (tag.parse()?, Some(SpecDigest(hex(spec).ok_or(NotAMark)?)))
            }
        };
        let attachment = match (words.next(), words.next(), words.next()) {
            (Some(network), Some(container), Some(interface)) => Some(AttachmentId {
                network: network.parse().map_err(|_| NotAMark)?,
                container: container.parse().map_err(|_| NotAMark)?,
                interface: interface.parse().map_err(|_| NotAMark)?,
            }),
            _ => None,
        };
        // Plain ids that do not hash to the tag are somebody's edit: the tag decides.
        let attachment = attachment.filter(|id| OwnerTag::new(id, tag.instance) == tag);
        Ok(Self { tag, spec, attachment })
    }
}

/// The last digits of [`OwnerTag::digits`] of all attachments to the network of that name.
pub fn network_digits(name: &str) -> String {
    hex_text(&network_hash(name))
}

/// `digits` hex digits (at most 64) of a container's id, for names where its first characters may be those of others too.
pub fn container_digits(id: &str, digits: usize) -> String {
    let mut all = hex_text(&digest::<32>(&[id]));
    all.truncate(digits);
    all
}

/// The mark on a network (a bridge) that `instance` made because an attachment needed it.
pub fn network_mark(instance: InstanceId) -> String {
    format!("{PREFIX}network-{instance}")
}

/// Whether `mark` is that of a network that `instance` made; of any, for [`InstanceId::ANY`].
pub fn marks_network(mark: &str, instance: InstanceId) -> bool {
    let made_by = mark.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix("network-"));
    match made_by.map(str::parse::<InstanceId>) {
        Some(Ok(maker)) => instance == InstanceId::ANY || maker == instance,
        _ => false,
    }
}

fn network_hash(name: &str) -> [u8; 6] {
    digest(&[name])
}

/// The first N bytes of SHA-256 over the parts, each closed by a NUL so that no two lists run together.
fn digest<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let full = hash.finalize();
    std::array::from_fn(|i| full[i])
}

fn hex_text(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 0xf)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(network: &str, container: &str, interface: &str) -> Owner {
        let attachment = AttachmentId {
            network: network.parse().unwrap(),
            container: container.parse().unwrap(),
            interface: interface.parse().unwrap(),
        };
        Owner::new(attachment, InstanceId::new(0x0a1b))
    }

    #[test]
    fn a_mark_comes_back_from_its_text() {
        let owner = owner("net", "0123456789abcdef", "eth0");
        let mark = owner.mark(SpecDigest::of(&"spec"));
        let long = mark.to_text(255);
        assert!(long.ends_with(" net 0123456789abcdef eth0"), "{long}");
        assert_eq!(long.parse(), Ok(mark.clone()));
        let short = mark.to_text(63);
        assert_eq!(short.len(), 54, "{short}");
        assert_eq!(short.parse::<Mark>().unwrap().tag, owner.tag);
        assert_eq!(short.parse::<Mark>().unwrap().spec, mark.spec);
        assert_eq!(owner.tag.to_string().parse(), Ok(owner.tag));
    }

    #[test]
    fn neighbours_have_other_tags() {
        let tag = owner("net", "c1", "net1").tag;
        for other in [
            owner("net", "c1", "net1x"),
            owner("net", "c1", "net2"),
            owner("net", "c1n", "et1"),
            owner("net2", "c1", "net1"),
        ] {
            assert!(!tag.same_attachment(&other.tag));
            assert_ne!(tag.digits(13), other.tag.digits(13));
        }
        let elsewhere = Owner::new(owner("net", "c1", "net1").attachment, InstanceId::new(7)).tag;
        assert!(tag.same_attachment(&elsewhere));
        assert_ne!(tag, elsewhere);
    }

    #[test]
    fn foreign_text_is_no_mark() {
        for text in ["", "uscni1-", "uscni1-network-0a1b", "owner=ovs-cni", "uscni1-zz-zz-zz"] {
            assert_eq!(text.parse::<Mark>(), Err(NotAMark), "{text}");
        }
        let edited = format!("{} other c1 net1", owner("net", "c1", "net1").tag);
        assert_eq!(edited.parse::<Mark>().unwrap().attachment, None);
    }

    #[test]
    fn a_networks_mark_tells_its_maker() {
        let (ours, theirs) = (InstanceId::new(7), InstanceId::new(8));
        let mark = network_mark(ours);
        assert!(marks_network(&mark, ours) && marks_network(&mark, InstanceId::ANY));
        assert!(!marks_network(&mark, theirs));
        assert!(!marks_network("somebody's", InstanceId::ANY));
        assert_ne!(InstanceId::new(0), InstanceId::ANY);
    }

    #[test]
    fn the_mac_is_local_unicast_and_stable() {
        let mac = owner("net", "c1", "net1").tag.mac_bytes();
        assert_eq!(mac[0], 0x02);
        assert_eq!(mac, owner("net", "c1", "net1").tag.mac_bytes());
        assert_ne!(mac, owner("net", "c1", "net2").tag.mac_bytes());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_mark_or_none(text in ".{0,80}") {
            if let Ok(mark) = text.parse::<Mark>() {
                proptest::prop_assert!(text.starts_with(&mark.tag.to_string()));
            }
        }

        #[test]
        fn any_mark_comes_back(ids in ("[a-z0-9][a-z0-9_.-]{0,99}", "[A-Za-z0-9]{1,128}", "[a-z0-9]{1,15}"), limit in 54usize..256) {
            let mark = owner(&ids.0, &ids.1, &ids.2).mark(SpecDigest::of(&ids));
            let text = mark.to_text(limit);
            let back: Mark = text.parse().unwrap();
            proptest::prop_assert!(text.len() <= limit);
            proptest::prop_assert_eq!(back.tag, mark.tag);
            proptest::prop_assert!(back.attachment.is_none() || back.attachment == mark.attachment);
        }
    }
}
