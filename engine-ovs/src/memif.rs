//! memif through DPDK's driver: on the host the master, in a container either end.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use userspace_core::{
    addr::MacAddr,
    devargs,
    engine::{EngineError, EngineInfo, ErrorKind},
    owner::OwnerTag,
    spec::{AbstractSocket, InterfaceSpec, Memif, MemifMode, MemifRole, MemifSocket},
};

use crate::{kind::Rows, place::Side};

/// What DPDK's memif cannot do (doc/guides/nics/memif.rst, and tried).
pub(crate) fn supports(
    side: Side,
    info: &EngineInfo,
    memif: &Memif,
    spec: &InterfaceSpec,
) -> Result<(), EngineError> {
    let unsupported =
        |what: &str| Err(EngineError::new(ErrorKind::Unsupported, format!("make a memif {what}")));
    if side == Side::Host && memif.role == MemifRole::Slave {
        return unsupported("of role slave on an Open vSwitch of the host (master works)");
    }
    if memif.mode != MemifMode::Ethernet {
        return unsupported("of another mode than ethernet on ovs-dpdk");
    }
    if memif.dma {
        return unsupported("with DMA on ovs-dpdk (VPP has it)");
    }
    if let MemifSocket::Abstract(AbstractSocket { netns: Some(_), .. }) = &memif.socket {
        return unsupported("on an abstract socket of a container's namespace on ovs-dpdk (VPP has it)");
    }
    if spec.mtu_bytes.is_some() {
        return unsupported("of a given MTU on ovs-dpdk (vhostuser has one)");
    }
    if info.has("no-huge") {
        return unsupported(
            "on an Open vSwitch without hugepages (dpdk-extra has --no-huge; vhostuser works)",
        );
    }
    Ok(())
}

/// What the Interface row says.
pub(crate) fn rows(tag: &OwnerTag, memif: &Memif, mac: Option<MacAddr>) -> Result<Rows, EngineError> {
    let name = format!("{}{}", devargs::MEMIF, tag.host_name());
    let text = devargs::memif(&name, memif, mac)
        .map_err(|error| EngineError::new(ErrorKind::Invalid, "make a memif").because(error))?;
    let mut options = BTreeMap::from([("dpdk-devargs".to_owned(), text)]);
    if memif.rx_queues > 1 {
        options.insert("n_rxq".to_owned(), memif.rx_queues.to_string());
    }
    Ok(Rows { kind: "dpdk", options })
}

/// The options with a device name that DPDK has not seen: one whose socket could not be made keeps its name until ovs-vswitchd ends.
pub(crate) fn with_new_name(mut options: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if let Some(text) = options.get_mut("dpdk-devargs").filter(|text| text.starts_with(devargs::MEMIF)) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = text.find(',').unwrap_or(text.len());
        text.insert_str(at, &format!("_{:x}", now.as_micros()));
    }
    options
}

/// The options as [`with_new_name`] got them.
pub(crate) fn without_new_name(mut options: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if let Some(text) = options.get_mut("dpdk-devargs").filter(|text| text.starts_with(devargs::MEMIF)) {
        let end = text.find(',').unwrap_or(text.len());
        if let Some(at) = text[devargs::MEMIF.len()..end].find('_') {
            text.replace_range(devargs::MEMIF.len() + at..end, "");
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use userspace_core::{spec::Secret, testing::plans};

    use super::*;

    #[test]
    fn a_new_name_is_another_each_time_and_comes_off() {
        let of = |text: &str| BTreeMap::from([("dpdk-devargs".to_owned(), text.to_owned())]);
        let plain = of("net_memif_us0123456789abc,role=server,socket=/a_b/c_d");
        let named = with_new_name(plain.clone());
        assert!(named["dpdk-devargs"].starts_with("net_memif_us0123456789abc_"), "{named:?}");
        assert_eq!(without_new_name(named), plain);
        assert_eq!(without_new_name(plain.clone()), plain);
        let other = of("net_virtio_user_us0,path=/a");
        assert_eq!(with_new_name(other.clone()), other);
        assert_eq!(without_new_name(other.clone()), other);
    }

    #[test]
    fn a_secret_that_could_not_be_cut_out_of_an_error_is_refused() {
        let owner = plans::memif("c1", "net1").owner;
        let mut memif = Memif {
            role: MemifRole::Master,
            mode: MemifMode::Ethernet,
            socket: MemifSocket::File("/s".into()),
            rx_queues: 1,
            tx_queues: 1,
            ring_size: 1024,
            buffer_bytes: 2048,
            secret: None,
            zero_copy: true,
            dma: false,
        };
        for byte in 0..=127_u8 {
            let secret = format!("ab{}cd", char::from(byte));
            memif.secret = Some(Secret::new(secret.clone()));
            match rows(&owner.tag, &memif, None) {
                Ok(rows) => {
                    let told = crate::error::without_secret(&format!("'{}'", rows.options["dpdk-devargs"]));
                    assert!(!told.contains("cd"), "{told}");
                }
                Err(error) => assert!(!error.to_string().contains(&secret), "{error}"),
            }
        }
    }
}
