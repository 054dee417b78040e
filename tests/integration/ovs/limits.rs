//! Rate limits: a part of a burst arrives in the direction that is limited, and all of it in the other.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Container, Memory, transfer};

use super::{
    apps::{BLUE, PACKETS, RED, attached, count, meet},
    kernel::{addresses, veth},
    support::{Vswitch, port_name},
};

/// Bits a second, and bits at once. OVS counts 50 bytes for a packet of 64: it leaves the Ethernet header out.
const RATE: u64 = 40_000;
/// As many as that lets through at once, give or take what the rate adds meanwhile.
const SOME: std::ops::RangeInclusive<u64> = 80..=140;

/// The limited directions: what the container sends, and what it gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limited {
    Sent,
    Got,
}

/// One limited container, and one that is not.
fn application(patch: Value, limited: Limited, columns: &str, qos: usize) {
    let Some(it) = Vswitch::new(Memory::NoHuge) else { return };
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let [config, without] = [it.net(patch), it.net(json!({}))];
    let before = it.everything();
    let mut apps = [attached(&it, &red, &config, [RED, BLUE]), attached(&it, &blue, &without, [BLUE, RED])];
    assert_eq!(policing(&it, &red), columns);
    assert_eq!(policing(&it, &blue), "0 0", "the other is not limited");
    assert_eq!(qos_rows(&it), qos);
    it.host.check(&red, &config).silent();
    meet(&mut apps);
    // The first packets used some of the burst.
    sleep(Duration::from_millis(1200));
    let [first, second] = &mut apps;
    let [sent, got] = [count(first, second), count(second, first)];
    let [some, all] = if limited == Limited::Sent { [sent, got] } else { [got, sent] };
    assert_eq!(all, PACKETS, "the direction without a limit");
    assert!(SOME.contains(&some), "{some} of {PACKETS} passed the limit");
    drop(apps);
    it.host.del(&red, &config);
    it.host.del(&blue, &without);
    it.is_as(&before, "in the end");
}

/// Rate and burst of what the container sends.
fn policing(it: &Vswitch, container: &Container) -> String {
    let columns = "ingress_policing_rate ingress_policing_burst";
    let text = it.ovs.vsctl(&format!("get Interface {} {columns}", port_name(container)));
    text.lines().collect::<Vec<_>>().join(" ")
}

fn qos_rows(it: &Vswitch) -> usize {
    it.ovs.vsctl("--columns=_uuid --bare list QoS").lines().filter(|line| !line.is_empty()).count()
}

#[test]
fn what_an_application_sends_is_limited() {
    let bandwidth = json!({"egressRate": RATE, "egressBurst": RATE});
    application(json!({"runtimeConfig": {"bandwidth": bandwidth}}), Limited::Sent, "40 40", 0);
}

#[test]
fn what_an_application_sends_is_limited_by_the_go_plugins_keys() {
    let vhost = json!({"ingressPolicingRate": RATE / 1000, "ingressPolicingBurst": RATE / 1000});
    application(json!({"host": {"vhost": vhost}}), Limited::Sent, "40 40", 0);
}

#[test]
fn what_an_application_gets_is_limited() {
    let bandwidth = json!({"ingressRate": RATE, "ingressBurst": RATE});
    application(json!({"runtimeConfig": {"bandwidth": bandwidth}}), Limited::Got, "0 0", 1);
}

/// How long a megabyte takes from the one to the other.
fn duration(from: &Container, to: &Container) -> Duration {
    let begin = std::time::Instant::now();
    transfer(&from.netns, &to.netns, &addresses(to)[0], 1);
    begin.elapsed()
}

#[test]
fn what_a_kernel_interface_gets_is_limited() {
    let Some(it) = Vswitch::with(&["ovs-dpdk", "host-local", "htb"], Memory::NoDpdk) else { return };
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let bandwidth = json!({"ingressRate": 8_000_000, "ingressBurst": 400_000});
    let configs = [veth(&it, json!({"runtimeConfig": {"bandwidth": bandwidth}})), veth(&it, json!({}))];
    let before = it.everything();
    it.host.add(&red, &configs[0]);
    it.host.add(&blue, &configs[1]);
    let port = port_name(&red);
    let [qos, queue] =
        ["QoS", "Queue"].map(|table| it.ovs.vsctl(&format!("--bare --columns=_uuid list {table}")));
    assert_eq!(it.ovs.vsctl(&format!("get Port {port} qos")), qos, "one QoS, and it is the port's");
    let words = ["type", "other_config:max-rate", "queues:0"]
        .map(|column| it.ovs.vsctl(&format!("get QoS {qos} {column}")));
    assert_eq!(words, ["linux-htb", "\"8000000\"", &queue]);
    assert_eq!(it.ovs.vsctl(&format!("get Queue {queue} other_config:max-rate")), "\"8000000\"");
    it.host.check(&red, &configs[0]).silent();
    // 8 388 608 bits without those of the burst.
    assert!(duration(&blue, &red) > Duration::from_millis(800), "the limited direction");
    assert!(duration(&red, &blue) < Duration::from_millis(800), "the other");
    it.host.del(&red, &configs[0]);
    it.host.del(&blue, &configs[1]);
    it.is_as(&before, "in the end");
}
