//! The host's VPP dies and comes back; a repair later packets flow again, and nobody has touched the containers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use userspace_tests::{Flavour, until};

use super::{
    inner::Inner,
    support::OnVpp,
    traffic::{LIMIT, addresses, reaches},
};

/// How many VPPs are lost, each with what was on it.
const ROUNDS: usize = 2;

pub(super) fn pings_go_on(patch: Value) {
    let Some(mut it) = OnVpp::with(&["host-local"], Flavour::Real) else { return };
    let config = it.net_with_addresses(patch);
    let containers = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let mut ips = Vec::new();
    let mut inner = Vec::new();
    for one in &containers {
        ips.push(addresses(&it.host.add(one, &config)));
        let vpp = Inner::start(&it, one, Flavour::Real);
        vpp.app.once();
        inner.push(vpp);
    }
    reaches(&inner[0], &ips[1]);
    for _ in 0..ROUNDS {
        it.vpp.kill();
        it.vpp.restart();
        for one in &containers {
            it.host.check(one, &config).error(103);
        }
        let begin = Instant::now();
        let repaired = it.host.command("repair");
        assert_eq!(repaired.code, Some(0), "{repaired:#?}");
        reaches(&inner[0], &ips[1]);
        reaches(&inner[1], &ips[0]);
        eprintln!("pings go on after {:?}", begin.elapsed());
        for one in &containers {
            it.host.check(one, &config).silent();
        }
    }
    for (one, vpp) in containers.iter().zip(&inner) {
        it.host.del(one, &config);
        vpp.app.once();
        assert_eq!(vpp.vpp.cli("show memif").matches("interface memif").count(), 0);
    }
    it.is_as(&before, "in the end");
}

#[test]
fn pings_go_on_in_a_bridge_domain_after_a_repair() {
    pings_go_on(json!({}));
}

#[test]
fn pings_go_on_routed_after_a_repair() {
    pings_go_on(json!({"host": {"netType": "interface", "bridge": null, "vrf": 7}}));
}

/// CHECK and STATUS say so, ADD fails within its time and leaves nothing, DEL fails and can be repeated.
fn a_vpp_that_is_away_or_hangs_is_told(flavour: Flavour) {
    let Some(mut it) = OnVpp::new(flavour) else { return };
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let config = it.net(json!({"timeoutSeconds": 3}));
    let before = it.everything();
    it.host.add(&red, &config);
    let calls_fail = |code: u64| {
        let begin = Instant::now();
        it.host.call("STATUS", &config).run().error(50);
        it.host.call("ADD", &config).of(&blue).run().error(code);
        assert!(it.host.check(&red, &config).failure().0 > 0);
        it.host.call("DEL", &config).of(&red).run().error(code);
        assert!(begin.elapsed() < Duration::from_secs(16), "{:?}", begin.elapsed());
    };
    it.vpp.suspend();
    calls_fail(11);
    it.vpp.resume();
    // What was sent to it meanwhile is done now, and the DEL that failed comes again.
    it.host.del(&blue, &config);
    it.host.del(&red, &config);
    it.is_as(&before, "after VPP hung");
    it.host.add(&red, &config);
    it.vpp.kill();
    for (command, code) in [("STATUS", 50), ("ADD", 11)] {
        it.host.call(command, &config).of(&blue).run().error(code);
    }
    it.host.call("DEL", &config).of(&red).run().error(11);
    it.vpp.restart();
    it.host.del(&blue, &config);
    it.host.del(&red, &config);
    it.is_as(&before, "in the end");
}

/// VPP dies at each request of an ADD, in turn: a DEL later, on the VPP that comes back, nothing is left.
#[test]
fn slow_a_vpp_that_dies_at_any_request_leaves_nothing() {
    let Some(mut it) = OnVpp::fake(&[]) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({"host": {"bridge": {"vlanId": 7}}, "runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}}));
    let before = it.everything();
    it.vpp.cli("fake reset-requests");
    it.host.add(&red, &config);
    let requests = it.vpp.cli("fake requests");
    it.host.del(&red, &config);
    it.is_as(&before, "after ADD and DEL");
    let names: Vec<_> = requests.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.starts_with("cli_inband")).collect();
    assert!(names.len() >= 8, "{requests}");
    for name in names {
        it.vpp.cli(&format!("fake die-at {name}"));
        it.host.call("ADD", &config).of(&red).run().error(11);
        it.vpp.kill();
        it.vpp.restart();
        it.host.del(&red, &config);
        it.is_as(&before, &format!("VPP died at {name}"));
    }
}

/// VPP refuses each request of an ADD, in turn: the error names it, and nothing is left.
#[test]
fn slow_a_refusal_of_any_request_is_undone() {
    let Some(it) = OnVpp::fake(&[]) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({"host": {"bridge": {"vlanId": 7}}, "runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}}}));
    let before = it.everything();
    it.vpp.cli("fake reset-requests");
    it.host.add(&red, &config);
    let requests = it.vpp.cli("fake requests");
    it.host.del(&red, &config);
    let mut refused = 0;
    for name in requests.lines().filter_map(|line| line.split_whitespace().last()) {
        // A dump is never refused; the filter's answer says nothing (see docs/vpp.md).
        if name.contains("_dump")
            || name.contains("efp_filter")
            || name.contains("cli_inband")
            || name.contains("ping")
        {
            continue;
        }
        it.vpp.cli(&format!("fake retval {name} -12 1"));
        let output = it.host.call("ADD", &config).of(&red).run();
        it.vpp.cli("fake heal");
        if output.finished.code == Some(0) {
            panic!("ADD succeeds though VPP refused {name}");
        }
        it.is_as(&before, &format!("VPP refused {name}"));
        refused += 1;
    }
    assert!(refused >= 7, "{requests}");
}

/// VPP answers one request of an ADD never: the call ends within its time, and a DEL leaves nothing.
#[test]
fn slow_a_request_without_an_answer_ends_in_time() {
    let Some(it) = OnVpp::fake(&[]) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({"timeoutSeconds": 2}));
    let before = it.everything();
    for name in [
        "show_version",
        "sw_interface_dump",
        "memif_create_v2",
        "sw_interface_set_flags",
        "sw_interface_set_l2_bridge",
    ] {
        it.vpp.cli(&format!("fake hang {name}"));
        let begin = Instant::now();
        it.host.call("ADD", &config).of(&red).run().error(11);
        assert!(begin.elapsed() < Duration::from_secs(9), "{name}: {:?}", begin.elapsed());
        it.vpp.cli("fake heal");
        it.host.del(&red, &config);
        it.is_as(&before, &format!("VPP did not answer {name}"));
    }
    until("VPP answers", LIMIT, || it.vpp.cli("show version").contains("vpp"));
}

on_both!(a_vpp_that_is_away_or_hangs_is_told);
