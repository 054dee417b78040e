//! A host with a VPP of its own, and configurations for it.

use std::{
    collections::BTreeSet,
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
use userspace_tests::{Container, Flavour, Host, Vpp, World, merged};

/// See the module.
pub(crate) struct OnVpp {
    pub(crate) vpp: Vpp,
    pub(crate) host: Host,
}

/// Everything that the plugin could leave something in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Everything {
    world: World,
    lines: BTreeSet<String>,
}

impl OnVpp {
    /// A new one, if the machine has what it takes.
    pub(crate) fn new(flavour: Flavour) -> Option<Self> {
        Self::with(&[], flavour)
    }

    /// The same for a test that needs other things too.
    pub(crate) fn with(needs: &[&str], flavour: Flavour) -> Option<Self> {
        let needs: Vec<_> = needs.iter().copied().chain(flavour.need()).collect();
        let host = Host::new(&needs)?;
        let vpp = Vpp::start(host.netns(), flavour);
        Some(Self { vpp, host })
    }

    /// On a fake VPP with these arguments.
    pub(crate) fn fake(arguments: &[&str]) -> Option<Self> {
        let host = Host::new(&[])?;
        let vpp = Vpp::start_fake(host.netns(), arguments);
        Some(Self { vpp, host })
    }

    /// A memif in the bridge domain `blue`, without IPAM; then `patch` over it.
    pub(crate) fn net(&self, patch: Value) -> Value {
        let base = json!({
            "cniVersion": "1.1.0",
            "name": "blue",
            "type": "userspace",
            "stateDir": self.host.state_dir(),
            "sharedDir": self.host.path("shared"),
            "sockets": {"root": self.root()},
            "host": {
                "engine": "vpp",
                "iftype": "memif",
                "netType": "bridge",
                "socket": self.vpp.api_socket(),
                "bridge": {"bridgeName": "blue"},
            },
        });
        merged(base, patch)
    }

    /// The same with addresses of both families by the real host-local, which is older than CNI 1.1.0.
    pub(crate) fn net_with_addresses(&self, patch: Value) -> Value {
        let ranges = json!([[{"subnet": "10.20.0.0/24"}], [{"subnet": "fd20::/64"}]]);
        let ipam = json!({"type": "host-local", "dataDir": self.host.lease_dir(), "ranges": ranges});
        merged(self.net(json!({"cniVersion": "1.0.0", "ipam": ipam})), patch)
    }

    /// `sockets.root`. VPP takes a socket's path in plain characters only.
    pub(crate) fn root(&self) -> PathBuf {
        self.vpp.path("sockets")
    }

    /// The container's directory, as the container sees it.
    pub(crate) fn shared(&self, container: &Container) -> PathBuf {
        self.host.path("shared").join(&container.id)
    }

    /// The file of a published half.
    pub(crate) fn half(&self, container: &Container, interface: &str) -> PathBuf {
        self.shared(container).join(format!("configData-{}-{interface}.json", container.id))
    }

    /// The socket of a result's container interface, in the container's directory.
    pub(crate) fn socket(&self, container: &Container, result: &Value) -> PathBuf {
        let path = result["interfaces"][0]["socketPath"].as_str().expect("a socket's path");
        self.shared(container).join(Path::new(path).file_name().expect("a file"))
    }

    /// The world with what VPP has, the links to sockets and the containers' directories.
    pub(crate) fn everything(&self) -> Everything {
        let mut lines = self.vpp.dump();
        for dir in [self.root(), self.host.path("shared")] {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                lines.insert(format!("entry {:?}", entry.path()));
            }
        }
        Everything { world: self.host.world(), lines }
    }

    /// Fails the test when something is there that was not before, or the other way round. What a killed call has sent may not be done
    /// yet.
    pub(crate) fn is_as(&self, before: &Everything, when: &str) {
        let begin = Instant::now();
        let mut after = self.everything();
        while after != *before && begin.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(20));
            after = self.everything();
        }
        userspace_tests::assert_same(&before.world, &after.world, when);
        let added: Vec<_> = after.lines.difference(&before.lines).collect();
        let gone: Vec<_> = before.lines.difference(&after.lines).collect();
        assert!(added.is_empty() && gone.is_empty(), "{when}: added {added:#?}, gone {gone:#?}");
    }

    /// Whether this VPP limits what it sends to a port of a bridge domain: from 26.06 on.
    pub(super) fn limits_what_it_bridges(&self) -> bool {
        let version = self.vpp.cli("show version");
        // The numbers have two digits each.
        let release = version.split_once(" v").and_then(|(_, rest)| rest.get(..5));
        release.expect("a version") >= "26.06"
    }

    /// Limits on what a container in a bridge domain sends and, where this VPP can, on what it gets.
    pub(super) fn limits(&self) -> Value {
        let [sent, got] = [json!({"egressRate": 4_000_000}), json!({"ingressRate": 8_000_000})];
        let limits = if self.limits_what_it_bridges() { merged(sent, got) } else { sent };
        json!({"runtimeConfig": {"bandwidth": limits}})
    }

    /// The lines of VPP's that hold `word`.
    pub(crate) fn lines(&self, word: &str) -> Vec<String> {
        self.vpp.dump().into_iter().filter(|line| line.contains(word)).collect()
    }
}

/// The mark of a container's `eth0` on the network `blue`.
pub(crate) fn tag(container: &Container) -> OwnerTag {
    let attachment = AttachmentId {
        network: "blue".parse().expect("a network"),
        container: container.id.parse().expect("a container"),
        interface: "eth0".parse().expect("an interface"),
    };
    OwnerTag::new(&attachment, InstanceId::ANY)
}
