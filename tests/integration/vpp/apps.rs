//! Packets between applications over VPP: testpmd at each end, every packet counted.

use serde_json::{Value, json};
use userspace_tests::{Container, Flavour, Memory, Testpmd};

use super::support::OnVpp;
use crate::apps::{BLUE, LIMIT, PACKETS, RED, app, count, meet};

const NEEDS: [&str; 1] = ["testpmd"];

/// What an application has: the kind of the interface, and for vhost-user the host's mode.
fn kind(iftype: &str) -> Value {
    match iftype {
        "memif" => json!({"host": {"iftype": "memif"}}),
        mode => json!({"host": {"iftype": "vhostuser", "vhost": {"mode": mode}}}),
    }
}

/// Attaches the container, with a testpmd at the other end of what it got.
pub(super) fn attached(it: &OnVpp, container: &Container, config: &Value, [mac, peer]: [&str; 2]) -> Testpmd {
    let socket = it.socket(container, &it.host.add(container, config));
    let builder = app(container, Memory::NoHuge, peer);
    let host = &config["host"];
    match (host["iftype"].as_str(), host["vhost"]["mode"].as_str()) {
        (Some("memif"), _) => {
            let mut app = builder.memif_client(&socket, mac).launch();
            app.wait_link_up(LIMIT);
            app
        }
        (_, Some("client")) => builder.vhost_server(&socket, mac).launch(),
        _ => builder.vhost_client(&socket, mac).launch(),
    }
}

/// Two applications, each of which gets all that the other sends.
fn reach(kinds: [&str; 2], patch: &Value) {
    let Some(it) = OnVpp::with(&NEEDS, Flavour::Real) else { return };
    let configs = kinds.map(|one| userspace_tests::merged(it.net(kind(one)), patch.clone()));
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let ends = [[RED, BLUE], [BLUE, RED]];
    let mut apps = [0, 1].map(|i| attached(&it, &containers[i], &configs[i], ends[i]));
    meet(&mut apps);
    let [first, second] = &mut apps;
    assert_eq!([count(first, second), count(second, first)], [PACKETS, PACKETS], "received, each way");
    for (one, config) in containers.iter().zip(&configs) {
        it.host.check(one, config).silent();
    }
    drop(apps);
    for (one, config) in containers.iter().zip(&configs) {
        it.host.del(one, config);
    }
    it.is_as(&before, "in the end");
}

#[test]
fn a_memif_and_a_vhost_user_application_reach_each_other() {
    reach(["memif", "server"], &json!({}));
}

#[test]
fn vhost_user_applications_that_listen_and_connect_reach_each_other() {
    reach(["client", "server"], &json!({}));
}

#[test]
fn memif_applications_in_one_vlan_reach_each_other() {
    reach(["memif", "memif"], &json!({"host": {"bridge": {"vlanId": 100}}}));
}
