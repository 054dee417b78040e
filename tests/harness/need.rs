//! What a test needs of the machine. What is absent skips the test, in one line that says so; `USERSPACE_REQUIRE`, a list of these
//! words, makes it fail instead.

use std::{
    env,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
};

use nix::unistd::geteuid;

use crate::{hugepages::Hugepages, netns::Netns, ovs, testpmd};

/// Where Debian and others have the stock plugins.
const PLUGIN_DIRS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

/// Whether all of `needs` are there. Says what is not.
///
/// # Panics
/// When the test is not run by root, or something that `USERSPACE_REQUIRE` names is missing.
#[allow(
    clippy::print_stdout,
    reason = "the test runner shows it, and the summary of skipped tests is made of it"
)]
pub fn all_there(needs: &[&str]) -> bool {
    assert!(geteuid().is_root(), "the integration tests make network namespaces: run them as root");
    let missing: Vec<_> = needs.iter().copied().filter(|need| !is_there(need)).collect();
    if missing.is_empty() {
        return true;
    }
    let required = env::var("USERSPACE_REQUIRE").unwrap_or_default();
    for word in required.split([',', ' ']) {
        assert!(!missing.contains(&word), "{word} is missing, and USERSPACE_REQUIRE names it");
    }
    let thread = thread::current();
    println!("skipped: {}: no {}", thread.name().unwrap_or("a test"), missing.join(", "));
    false
}

/// The directory that has the stock IPAM plugin.
pub(crate) fn stock_plugins() -> PathBuf {
    let mut dirs = PLUGIN_DIRS.iter().map(Path::new);
    let found = dirs.find(|dir| dir.join("host-local").exists());
    found.unwrap_or(Path::new(PLUGIN_DIRS[0])).to_owned()
}

fn is_there(need: &str) -> bool {
    match need {
        "host-local" => stock_plugins().join(need).exists(),
        "tun" => Path::new("/dev/net/tun").exists(),
        "vhost-net" => Path::new("/dev/vhost-net").exists(),
        "macvlan" => {
            kernel_makes("link add probe0 type veth peer probe1; link add link probe0 probe2 type macvlan")
        }
        "htb" => Netns::new("probe").exec("tc qdisc add dev lo root htb").code == Some(0),
        "ovs-dpdk" => Path::new(ovs::VSWITCHD).exists() && on_path("ovsdb-server"),
        "testpmd" => on_path("dpdk-testpmd"),
        "hugepages" => has_hugepages(),
        program => on_path(program),
    }
}

/// Whether the kernel has as many as a host and two containers take. Asked once: later, other tests have theirs.
fn has_hugepages() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| Hugepages::try_reserve(ovs::HUGEPAGES_MIB + 2 * testpmd::HUGEPAGES_MIB).is_ok())
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn kernel_makes(commands: &str) -> bool {
    let netns = Netns::new("probe");
    let mut commands = commands.split("; ");
    commands.all(|words| netns.exec(&format!("ip {words}")).code == Some(0))
}
