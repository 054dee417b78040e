//! Many interfaces of one pod at once: none is lost, none is there twice.

use std::{thread, time::Duration};

use serde_json::json;
use userspace_tests::Fault;

use super::support::Pod;

const MANY: usize = 32;
const AT_ONCE: usize = 8;

/// Does `work` for all interfaces, with some processes at a time.
fn for_all(work: impl Fn(&str) + Sync) {
    let work = &work;
    thread::scope(|scope| {
        for first in 0..AT_ONCE {
            scope.spawn(move || {
                (first..MANY).step_by(AT_ONCE).for_each(|number| work(&format!("net{number:02}")))
            });
        }
    });
}

fn names() -> Vec<String> {
    (0..MANY).map(|number| format!("net{number:02}")).collect()
}

/// The interfaces that are the plugin's, and how many are others'.
fn ours(pod: &Pod) -> (Vec<String>, usize) {
    let (ours, others): (Vec<_>, Vec<_>) =
        pod.interfaces().into_iter().partition(|name| name.starts_with("net"));
    (ours, others.len())
}

#[test]
fn many_interfaces_at_once() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    for_all(|interface| drop(pod.add(interface)));
    assert_eq!(pod.interfaces(), names());
    for_all(|interface| pod.call("CHECK", &pod.net(json!({}))).ifname(interface).run().silent());
    // Every second one goes, while the others stay.
    for_all(|interface| {
        if interface.ends_with(['0', '2', '4', '6', '8']) {
            pod.del(interface);
        }
    });
    assert_eq!(pod.interfaces().len(), MANY / 2);
    for_all(|interface| pod.del(interface));
    pod.is_empty(&before, "in the end");
}

#[test]
fn calls_that_share_no_lock_lose_none() {
    let Some(pod) = Pod::new() else { return };
    // As if each were on a node of its own: the API alone keeps them apart.
    let config =
        |interface: &str| pod.net(json!({"stateDir": pod.it.host.path(&format!("state-{interface}"))}));
    for_all(|interface| drop(pod.call("ADD", &config(interface)).ifname(interface).run().result()));
    assert_eq!(pod.interfaces(), names());
    for_all(|interface| pod.call("DEL", &config(interface)).ifname(interface).run().silent());
    assert_eq!((pod.interfaces().len(), pod.mapped_dir()), (0, None));
}

#[test]
fn what_goes_wrong_on_the_way_loses_none() {
    let Some(pod) = Pod::new() else { return };
    let changed = [("PATCH", Fault::Meddle), ("PATCH", Fault::Status(409)), ("PATCH", Fault::Status(422))];
    let broken = [
        ("GET", Fault::Status(500)),
        ("PATCH", Fault::Lost),
        ("", Fault::Slow(Duration::from_millis(100))),
        ("GET", Fault::Lost),
        ("PATCH", Fault::Status(503)),
        ("GET", Fault::Status(429)),
    ];
    let go_wrong = |faults: &[(&'static str, Fault)]| {
        for (method, fault) in faults.iter().cycle().take(3 * faults.len()) {
            pod.api.fault(method, *fault, 1);
        }
    };
    go_wrong(&[&changed[..], &broken[..]].concat());
    for_all(|interface| drop(pod.add(interface)));
    assert_eq!(ours(&pod), (names(), 3), "what others wrote meanwhile stays");
    pod.api.behave();
    // A DEL does not wait long for an API that is broken, but bears others' changes.
    go_wrong(&changed);
    for_all(|interface| pod.del(interface));
    assert_eq!(ours(&pod), (Vec::new(), 6));
}
