//! The requests that create: one for each kind of interface.

use std::path::Path;

use userspace_core::{
    addr::MacAddr,
    engine::{EngineError, ErrorKind},
    owner::OwnerTag,
    spec::{Device, InterfaceSpec, Netdev, SocketMode, Tap, VhostUser},
};
use vpp_api_client::{
    Client,
    codec::Text,
    messages::{af_packet::AfPacketCreateV3, tapv2::TapCreateV3, vhost_user::CreateVhostUserIfV2},
    types::{AfPacketFlags, AfPacketMode, SwIfIndex, TapFlags},
};

use crate::{access::ask, memif, names};

/// `sun_path` without its NUL: VPP cuts a longer one silently.
const MAX_SOCKET_PATH: usize = 106;
/// The same without the NUL that begins an abstract socket's name; VPP refuses a longer one.
const MAX_SOCKET_NAME: usize = 105;

/// Creates the interface of `tag`; there is none.
pub(crate) async fn run(
    vpp: &Client,
    tag: &OwnerTag,
    spec: &InterfaceSpec,
) -> Result<SwIfIndex, EngineError> {
    match &spec.device {
        Device::Memif(memif) => memif::create(vpp, tag, memif, spec.mac).await,
        Device::VhostUser(vhost) => vhost_user(vpp, tag, vhost, spec.mac).await,
        Device::Netdev(netdev) => host_interface(vpp, netdev, spec.mac).await,
        Device::Tap(tap) => create_tap(vpp, tag, tap, spec).await,
        Device::Veth(_) | Device::Macvlan(_) => {
            let doing = format!("make a {} on VPP (the kernel's engine makes one)", spec.kind());
            Err(EngineError::new(ErrorKind::Unsupported, doing))
        }
    }
}

async fn vhost_user(
    vpp: &Client,
    tag: &OwnerTag,
    vhost: &VhostUser,
    mac: Option<MacAddr>,
) -> Result<SwIfIndex, EngineError> {
    let create = CreateVhostUserIfV2 {
        is_server: vhost.mode == SocketMode::Server,
        sock_filename: names::text(plain_path(&vhost.socket)?),
        renumber: true,
        enable_gso: vhost.gso,
        enable_packed: vhost.packed,
        enable_event_idx: vhost.event_idx,
        custom_dev_instance: names::number(tag),
        use_custom_mac: mac.is_some(),
        mac_address: bytes(mac),
        ..CreateVhostUserIfV2::default()
    };
    let doing = format!("create vhost-user {:?}", vhost.socket);
    Ok(ask(vpp, &doing, &create).await?.sw_if_index)
}

/// The pair's end is attached with packet sockets, as VPP's own default is: frames and blocks of its choice.
async fn host_interface(
    vpp: &Client,
    netdev: &Netdev,
    mac: Option<MacAddr>,
) -> Result<SwIfIndex, EngineError> {
    let create = AfPacketCreateV3 {
        mode: AfPacketMode::ETHERNET,
        hw_addr: bytes(mac),
        use_random_hw_addr: mac.is_none(),
        host_if_name: names::text(netdev.name.as_str()),
        flags: AfPacketFlags::QDISC_BYPASS,
        num_rx_queues: 1,
        num_tx_queues: 1,
        ..AfPacketCreateV3::default()
    };
    let doing = format!("attach the kernel's interface {:?} to VPP (af_packet)", netdev.name.as_str());
    Ok(ask(vpp, &doing, &create).await?.sw_if_index)
}

/// The kernel's end is born in the container's namespace under a name that follows from the tag; the kernel's engine finds it there and
/// gives it its own.
async fn create_tap(
    vpp: &Client,
    tag: &OwnerTag,
    tap: &Tap,
    spec: &InterfaceSpec,
) -> Result<SwIfIndex, EngineError> {
    let netns = tap.end.netns.path.to_string_lossy();
    let host_namespace: Text<64> = netns.parse().map_err(|error| {
        let doing = format!("make a tap in the network namespace {netns:?}");
        EngineError::new(ErrorKind::Invalid, doing).because(error)
    })?;
    let create = TapCreateV3 {
        id: names::tap_number(tag),
        use_random_mac: spec.mac.is_none(),
        mac_address: bytes(spec.mac),
        num_rx_queues: 1,
        num_tx_queues: 1,
        tx_ring_sz: 256,
        rx_ring_sz: 256,
        host_mtu_set: spec.mtu_bytes.is_some(),
        host_mtu_size: spec.mtu_bytes.unwrap_or_default(),
        host_mac_addr_set: true,
        host_mac_addr: tap.end.mac.bytes(),
        tap_flags: TapFlags::NONE,
        host_namespace_set: true,
        host_namespace,
        host_if_name_set: true,
        host_if_name: names::text(&tag.host_name()),
        ..TapCreateV3::default()
    };
    let doing = format!("create a tap in the network namespace {netns:?} (VPP needs /dev/vhost-net for it)");
    Ok(ask(vpp, &doing, &create).await?.sw_if_index)
}

pub(crate) fn bytes(mac: Option<MacAddr>) -> [u8; 6] {
    mac.map(MacAddr::bytes).unwrap_or_default()
}

/// A path that every release takes as a socket's: from 23.06 on VPP refuses some characters, and answers a memif's all the same.
pub(crate) fn plain_path(path: &Path) -> Result<&str, EngineError> {
    let text = plain_text(path)?;
    short(text, MAX_SOCKET_PATH)?;
    Ok(text)
}

/// The name of an abstract socket that VPP takes.
pub(crate) fn plain_name(name: &str) -> Result<(), EngineError> {
    if name.is_empty() || !is_plain(name) {
        return refused(name, "VPP takes a name of letters, digits, '/', '_', '.' and '-'");
    }
    short(name, MAX_SOCKET_NAME)
}

/// An absolute path of the characters that VPP takes.
pub(crate) fn plain_text(path: &Path) -> Result<&str, EngineError> {
    match path.to_str().filter(|text| text.starts_with('/') && is_plain(text)) {
        Some(text) => Ok(text),
        None => refused(
            &path.display().to_string(),
            "VPP takes an absolute path of letters, digits, '/', '_', '.' and '-'",
        ),
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_.-".contains(&byte))
}

fn short(text: &str, limit: usize) -> Result<(), EngineError> {
    if text.len() <= limit {
        return Ok(());
    }
    refused(text, &format!("it has {} bytes, and VPP takes {limit}", text.len()))
}

fn refused<T>(what: &str, reason: &str) -> Result<T, EngineError> {
    Err(EngineError::new(ErrorKind::Invalid, format!("use {what:?} for a socket ({reason})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_that_every_release_takes() {
        assert!(plain_path(Path::new("/run/userspace/0123456789abcdef/memif-c1-net1.sock")).is_ok());
        let long = format!("/{}", "x".repeat(MAX_SOCKET_PATH));
        for path in
            ["relative", "/var/lib/kubelet/kubernetes.io~empty-dir/s", "/a b", "/a,b", "", long.as_str()]
        {
            let error = plain_path(Path::new(path)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{path}");
        }
    }

    #[test]
    fn a_name_is_one_that_vpp_takes() {
        assert!(plain_name(&"x".repeat(MAX_SOCKET_NAME)).is_ok());
        for name in ["", "a b", "a,netns_pid=1", "til~de", "x".repeat(MAX_SOCKET_NAME + 1).as_str()] {
            let error = plain_name(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
        }
    }
}
