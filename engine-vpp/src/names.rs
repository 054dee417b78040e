//! The names of what the engine makes: all of them follow from the owner's tag, so that what was made is found without a list, and
//! also when its mark is not there yet.

use userspace_core::{
    owner::{Mark, OwnerTag},
    spec::Device,
};
use vpp_api_client::{codec::Text, messages::interface::SwInterfaceDetails};

/// VPP keeps 63 bytes of an interface's tag.
pub(crate) const TAG: usize = 63;

/// A number of 31 bits that is not 0: VPP prints some of its numbers with a sign.
pub(crate) fn number(tag: &OwnerTag) -> u32 {
    bits(tag, 31)
}

/// VPP has a bit for each number of a tap up to the largest: of 24 bits that is 2 MiB.
pub(crate) fn tap_number(tag: &OwnerTag) -> u32 {
    bits(tag, 24)
}

fn bits(tag: &OwnerTag, bits: u32) -> u32 {
    let digits = u32::from_str_radix(&tag.digits(8), 16).unwrap_or_default();
    (digits >> (32 - bits)).max(1)
}

pub(crate) fn memif(tag: &OwnerTag) -> String {
    format!("memif{}/0", number(tag))
}

pub(crate) fn vhost_user(tag: &OwnerTag) -> String {
    format!("VirtualEthernet0/0/{}", number(tag))
}

pub(crate) fn tap(tag: &OwnerTag) -> String {
    format!("tap{}", tap_number(tag))
}

pub(crate) fn host_interface(netdev: &str) -> String {
    format!("host-{netdev}")
}

/// What VPP calls the interface that is made for `device`.
pub(crate) fn of_device(tag: &OwnerTag, device: &Device) -> String {
    match device {
        Device::Memif(_) => memif(tag),
        Device::VhostUser(_) => vhost_user(tag),
        Device::Netdev(netdev) => host_interface(netdev.name.as_str()),
        Device::Tap(_) | Device::Veth(_) | Device::Macvlan(_) => tap(tag),
    }
}

/// What the owner's interface can be called.
pub(crate) fn all(tag: &OwnerTag) -> [String; 4] {
    [memif(tag), vhost_user(tag), host_interface(&tag.host_name()), tap(tag)]
}

/// A policer of the owner's: of what VPP receives from the interface, or of what it sends.
pub(crate) fn policer(tag: &OwnerTag, direction: char) -> String {
    format!("{}{direction}", tag.host_name())
}

/// The mark of an interface, and whether it has no tag at all.
pub(crate) fn mark_of(details: &SwInterfaceDetails) -> (Option<Mark>, bool) {
    let tag = details.tag.to_string();
    (tag.parse().ok(), tag.is_empty())
}

/// Text for a field of VPP's that it is known to fit.
pub(crate) fn text<const N: usize>(text: &str) -> Text<N> {
    let mut end = text.len().min(N.saturating_sub(1));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use userspace_core::{
        id::AttachmentId,
        owner::{InstanceId, Owner},
    };

    fn tag(interface: &str) -> OwnerTag {
        let attachment = AttachmentId {
            network: "net".parse().unwrap(),
            container: "c1".parse().unwrap(),
            interface: interface.parse().unwrap(),
        };
        Owner::new(attachment, InstanceId::new(7)).tag
    }

    #[test]
    fn numbers_have_their_bits_and_differ() {
        for index in 0..200 {
            let tag = tag(&format!("net{index}"));
            assert!((1..1 << 31).contains(&number(&tag)));
            assert!((1..1 << 24).contains(&tap_number(&tag)));
            assert_ne!(number(&tag), number(&super::tests::tag("other")));
        }
    }

    #[test]
    fn text_is_cut_at_a_character() {
        assert_eq!(text::<4>("ab€").to_string(), "ab");
        assert_eq!(text::<8>("ab").to_string(), "ab");
    }
}
