//! The messages, a file for each of VPP's `.api` files. All have had these layouts since VPP 22.10 where nothing else is said.

pub mod af_packet;
pub mod interface;
pub mod ip;
pub mod l2;
pub mod memclnt;
pub mod memif;
pub mod policer;
pub mod tapv2;
pub mod vhost_user;
pub mod vpe;

/// The names of all messages that are defined here.
pub fn names() -> impl Iterator<Item = &'static str> {
    parts().into_iter().flat_map(|(_, names)| names).copied()
}

/// The same by the part of VPP that has them.
pub(crate) fn parts() -> [(&'static str, &'static [&'static str]); 10] {
    [
        (af_packet::OF, af_packet::NAMES),
        (interface::OF, interface::NAMES),
        (ip::OF, ip::NAMES),
        (l2::OF, l2::NAMES),
        (memclnt::OF, memclnt::NAMES),
        (memif::OF, memif::NAMES),
        (policer::OF, policer::NAMES),
        (tapv2::OF, tapv2::NAMES),
        (vhost_user::OF, vhost_user::NAMES),
        (vpe::OF, vpe::NAMES),
    ]
}

/// Decodes `bytes` as every message that is defined here, for tests of the decoder.
#[doc(hidden)]
pub fn decode_all(bytes: &[u8]) {
    let all = [
        af_packet::decode_all,
        interface::decode_all,
        ip::decode_all,
        l2::decode_all,
        memclnt::decode_all,
        memif::decode_all,
        policer::decode_all,
        tapv2::decode_all,
        vhost_user::decode_all,
        vpe::decode_all,
    ];
    all.iter().for_each(|decode| decode(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_ends_with_a_checksum() {
        for name in names() {
            let (_, checksum) = name.rsplit_once('_').unwrap();
            assert!(checksum.len() == 8 && u32::from_str_radix(checksum, 16).is_ok(), "{name}");
            assert!(name.len() < 64, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(0u8.., 0..700)) {
            decode_all(&bytes);
        }
    }
}
