//! An IPAM plugin that never answers: the call ends within its limit, the plugin with all that it started is gone, and what could be
//! undone is.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{Host, assert_same, until};

const SOON: Duration = Duration::from_secs(3);

fn net(host: &Host) -> Value {
    host.net_latest(json!({"timeoutSeconds": 2}))
}

/// A grandchild of the plugin's: it goes only when the whole process group is killed.
fn sleeper_goes(host: &Host) {
    let sleeper = host.stand_in().sleeper().expect("the IPAM plugin ran");
    let process = format!("/proc/{sleeper}/cmdline");
    until("the grandchild goes", SOON, || !Path::new(&process).exists());
}

#[test]
fn add_ends_in_time_and_leaves_nothing() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    host.stand_in().hang("ADD");
    let output = host.call("ADD", &net(&host)).of(&red).run();
    let text = output.error(11);
    assert!(text.contains("stand-in") && text.contains("time limit"), "{text}");
    assert!(output.finished.took < SOON, "{output:?}");
    sleeper_goes(&host);
    assert_same(&before, &host.world(), "after the failure");
    host.stand_in().behave("ADD");
    host.add(&red, &net(&host));
    host.del(&red, &net(&host));
    assert_same(&before, &host.world(), "in the end");
}

#[test]
fn an_undo_that_hangs_ends_in_time_too_and_is_left_to_del() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    host.stand_in().hang("ADD");
    host.stand_in().hang("DEL");
    let output = host.call("ADD", &net(&host)).of(&red).run();
    let text = output.error(11);
    assert!(text.contains("left for DEL"), "{text}");
    assert!(output.finished.took < SOON, "{output:?}");
    sleeper_goes(&host);
    assert_eq!(host.world().lines("link"), before.lines("link"), "the interfaces have gone");
    host.stand_in().behave("DEL");
    host.del(&red, &net(&host));
    assert_same(&before, &host.world(), "after DEL");
}

#[test]
fn del_ends_in_time_does_the_rest_and_can_come_again() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    let before = host.world();
    host.add(&red, &net(&host));
    host.stand_in().hang("DEL");
    let output = host.call("DEL", &net(&host)).of(&red).run();
    output.error(11);
    assert!(output.finished.took < SOON, "{output:?}");
    sleeper_goes(&host);
    assert_eq!(host.world().lines("link"), before.lines("link"), "the interfaces have gone");
    assert_eq!(host.stand_in().leases(), ["red eth0"]);
    host.stand_in().behave("DEL");
    host.del(&red, &net(&host));
    assert_same(&before, &host.world(), "after the second DEL");
}

#[test]
fn check_ends_in_time() {
    let Some(host) = Host::new(&[]) else { return };
    let red = host.container("red");
    host.add(&red, &net(&host));
    host.stand_in().hang("CHECK");
    let output = host.check(&red, &net(&host));
    output.error(11);
    assert!(output.finished.took < SOON, "{output:?}");
    host.del(&red, &net(&host));
}
