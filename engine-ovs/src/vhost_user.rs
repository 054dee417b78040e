//! vhost-user: on the host a port that a virtio device connects to, in a container that device.

use std::collections::BTreeMap;

use userspace_core::{
    addr::MacAddr,
    devargs,
    engine::{EngineError, ErrorKind},
    owner::OwnerTag,
    spec::{SocketMode, VhostUser},
};

use crate::{kind::Rows, place::Side};

/// The type of a port where ovs-vswitchd listens.
pub(crate) const SERVER: &str = "dpdkvhostuser";

/// The type of the Interface row.
pub(crate) fn kind(side: Side, mode: SocketMode) -> &'static str {
    match (side, mode) {
        (Side::Host, SocketMode::Client) => "dpdkvhostuserclient",
        (Side::Host, SocketMode::Server) => SERVER,
        (Side::Container, _) => "dpdk",
    }
}

/// Whether ovs-vswitchd itself makes the socket, at a path of its own choice.
pub(crate) fn is_server(side: Side, mode: SocketMode) -> bool {
    side == Side::Host && mode == SocketMode::Server
}

/// What the Interface row says.
pub(crate) fn rows(
    side: Side,
    tag: &OwnerTag,
    vhost: &VhostUser,
    mac: Option<MacAddr>,
) -> Result<Rows, EngineError> {
    let mut options = BTreeMap::new();
    let mut set = |key: &str, value: String| options.insert(key.to_owned(), value);
    match (side, vhost.mode) {
        (Side::Host, mode) => {
            if mode == SocketMode::Client {
                set("vhost-server-path", vhost.socket.display().to_string());
            }
            if let Some(retries) = vhost.tx_retries {
                set("tx-retries-max", retries.to_string());
            }
        }
        (Side::Container, _) => {
            let name = format!("{}{}", devargs::VIRTIO_USER, tag.host_name());
            let told = devargs::virtio_user(&name, vhost, mac);
            let doing = "make a vhost-user device";
            set(
                "dpdk-devargs",
                told.map_err(|error| EngineError::new(ErrorKind::Invalid, doing).because(error))?,
            );
            if vhost.queues > 1 {
                set("n_rxq", vhost.queues.to_string());
            }
        }
    }
    Ok(Rows { kind: kind(side, vhost.mode), options })
}
