//! Rate limits: a part of a burst arrives in the direction that is limited, and all of it in the other.

use std::{ops::RangeInclusive, thread::sleep, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Flavour, Testpmd, merged};

use super::{apps, support::OnVpp, traffic};
use crate::apps::{BLUE, PACKETS, RED, count, meet};

/// Bits a second. The least burst that the engine asks for is 15180 bytes, which are 237 packets of 64.
const RATE: u64 = 40_000;
const ALL: u64 = 3 * PACKETS;
/// The burst, give or take what the rate adds meanwhile.
const SOME: RangeInclusive<u64> = 200..=420;

/// One limited container, and one that is not: what of a burst arrives that it sends, and that it gets.
fn limited(bandwidth: &Value, [sent, got]: [RangeInclusive<u64>; 2]) {
    let Some(it) = OnVpp::with(&["testpmd"], Flavour::Real) else { return };
    if bandwidth["ingressRate"].is_u64() && !it.limits_what_it_bridges() {
        let config = it.net(json!({"runtimeConfig": {"bandwidth": bandwidth}}));
        it.host.call("ADD", &config).of(&it.host.container("red")).fails(2, &["ingressRate", "26.06"]);
        return;
    }
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let config = it.net(json!({"runtimeConfig": {"bandwidth": bandwidth}}));
    let before = it.everything();
    let mut apps = [
        apps::attached(&it, &red, &config, [RED, BLUE]),
        apps::attached(&it, &blue, &it.net(json!({})), [BLUE, RED]),
    ];
    meet(&mut apps);
    // The packets before took of the burst.
    sleep(Duration::from_secs(3));
    let [first, second] = &mut apps;
    let all = |from: &mut Testpmd, to: &mut Testpmd| (0..3).map(|_| count(from, to)).sum::<u64>();
    let arrived = all(first, second);
    assert!(sent.contains(&arrived), "{arrived} of {ALL} that it sent arrived, not {sent:?}");
    let arrived = all(second, first);
    assert!(got.contains(&arrived), "{arrived} of {ALL} that it was sent arrived, not {got:?}");
    it.host.check(&red, &config).silent();
    drop(apps);
    it.host.del(&red, &config);
    it.host.del(&blue, &it.net(json!({})));
    it.is_as(&before, "in the end");
}

#[test]
fn what_a_container_sends_is_limited() {
    limited(&json!({"egressRate": RATE}), [SOME, ALL..=ALL]);
}

#[test]
fn what_a_container_gets_is_limited() {
    limited(&json!({"ingressRate": RATE}), [ALL..=ALL, SOME]);
}

/// Every release limits what it routes.
#[test]
fn what_a_routed_container_gets_is_limited() {
    let Some(it) = OnVpp::with(&["host-local"], Flavour::Real) else { return };
    let routed = json!({"host": {"netType": "interface", "bridge": null}});
    let free = it.net_with_addresses(routed);
    let limited = merged(free.clone(), json!({"runtimeConfig": {"bandwidth": {"ingressRate": RATE}}}));
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let (_limited, targets) = traffic::attached(&it, &red, &limited);
    let (pinging, _) = traffic::attached(&it, &blue, &free);
    traffic::reaches(&pinging, &targets);
    for target in &targets {
        // The pings before took of the burst, which has ten frames of the usual size.
        sleep(Duration::from_secs(3));
        let told = pinging.vpp.vppctl(&format!("ping {target} size 1000 repeat 60 interval 0.02"));
        let answered = told.matches("bytes from").count();
        assert!((8..=25).contains(&answered), "{answered} of 60 were answered: {told}");
    }
    it.host.check(&red, &limited).silent();
    it.host.del(&red, &limited);
    it.host.del(&blue, &free);
    it.is_as(&before, "in the end");
}
