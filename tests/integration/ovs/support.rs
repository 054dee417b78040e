//! A host with an Open vSwitch of its own, and configurations for it.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use userspace_core::{
    id::AttachmentId,
    owner::{InstanceId, OwnerTag},
};
use userspace_tests::{Container, Host, Memory, Ovs, World, merged};

/// See the module.
pub(crate) struct Vswitch {
    pub(crate) ovs: Ovs,
    pub(crate) host: Host,
}

/// Everything that the plugin could leave something in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Everything {
    world: World,
    rows: std::collections::BTreeSet<String>,
}

impl Vswitch {
    /// A new one, if the machine has what it takes.
    pub(crate) fn new(memory: Memory) -> Option<Self> {
        let mut needs = vec!["ovs-dpdk", "testpmd"];
        needs.extend((memory == Memory::Hugepages).then_some("hugepages"));
        Self::with(&needs, memory)
    }

    /// The same for a test that needs other things.
    pub(crate) fn with(needs: &[&str], memory: Memory) -> Option<Self> {
        let host = Host::new(needs)?;
        let ovs = Ovs::start(host.netns(), memory);
        Some(Self { ovs, host })
    }

    /// vhost-user on the bridge `blue0`, without IPAM; then `patch` over it.
    pub(crate) fn net(&self, patch: Value) -> Value {
        let base = json!({
            "cniVersion": "1.1.0",
            "name": "blue",
            "type": "userspace",
            "stateDir": self.host.state_dir(),
            "sharedDir": self.host.path("shared"),
            "sockets": {"root": self.root()},
            "host": {
                "engine": "ovs-dpdk",
                "iftype": "vhostuser",
                "netType": "bridge",
                "socket": self.ovs.db_socket(),
                "bridge": {"bridgeName": "blue0"},
            },
        });
        merged(base, patch)
    }

    /// `sockets.root`.
    pub(crate) fn root(&self) -> PathBuf {
        self.host.path("sockets")
    }

    /// The container's directory, as the container sees it.
    pub(crate) fn shared(&self, container: &Container) -> PathBuf {
        self.host.path("shared").join(&container.id)
    }

    /// The socket of a result's container interface, in the container's directory.
    pub(crate) fn socket(&self, container: &Container, result: &Value) -> PathBuf {
        let path = result["interfaces"][0]["socketPath"].as_str().expect("a socket's path");
        let name = Path::new(path).file_name().expect("a file");
        self.shared(container).join(name)
    }

    /// The world with the database, the links to sockets and the containers' directories.
    pub(crate) fn everything(&self) -> Everything {
        let mut rows = self.ovs.dump();
        for link in fs::read_dir(self.root()).into_iter().flatten().flatten() {
            rows.insert(format!("link {:?}", link.path()));
        }
        for dir in fs::read_dir(self.host.path("shared")).into_iter().flatten().flatten() {
            rows.insert(format!("directory {:?}", dir.path()));
        }
        Everything { world: self.host.world(), rows }
    }

    /// Fails the test when something is there that was not before, or the other way round. The links of the datapath and its
    /// bridges are vswitchd's, which takes a moment to let go of them.
    pub(crate) fn is_as(&self, before: &Everything, when: &str) {
        let begin = Instant::now();
        let mut after = self.everything();
        while after != *before && begin.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(20));
            after = self.everything();
        }
        userspace_tests::assert_same(&before.world, &after.world, when);
        let added: Vec<_> = after.rows.difference(&before.rows).collect();
        let gone: Vec<_> = before.rows.difference(&after.rows).collect();
        assert!(added.is_empty() && gone.is_empty(), "{when}: added {added:#?}, gone {gone:#?}");
    }
}

/// The name of the port of a container's `eth0` on the network `blue`.
pub(crate) fn port_name(container: &Container) -> String {
    let attachment = AttachmentId {
        network: "blue".parse().expect("a network"),
        container: container.id.parse().expect("a container"),
        interface: "eth0".parse().expect("an interface"),
    };
    OwnerTag::new(&attachment, InstanceId::ANY).host_name()
}
