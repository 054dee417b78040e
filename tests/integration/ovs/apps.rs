//! Applications of containers on Open vSwitch: testpmd over what the published half says.

use std::fs;

use serde_json::Value;
use userspace_tests::{Container, Memory, Testpmd};

use super::support::Vswitch;
pub(super) use crate::apps::{BLUE, LIMIT, PACKETS, RED, app, count, hear, meet, settle};

/// Attaches a container, without hugepages, with a testpmd that listens for the vswitch.
pub(super) fn attached(
    it: &Vswitch,
    container: &Container,
    config: &Value,
    [mac, peer]: [&str; 2],
) -> Testpmd {
    let socket = it.socket(container, &it.host.add(container, config));
    app(container, Memory::NoHuge, peer).vhost_server(&socket, mac).launch()
}

/// The published half of `eth0`.
pub(super) fn published(it: &Vswitch, container: &Container) -> Vec<u8> {
    let path = it.shared(container).join(format!("configData-{}-eth0.json", container.id));
    fs::read(path).expect("the published half")
}
