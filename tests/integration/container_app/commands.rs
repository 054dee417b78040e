//! The commands, as a person or a pod's probe runs them.

use std::{fs, time::Duration};

use userspace_tests::Flavour;

use super::support::Pair;

#[test]
fn once_makes_what_is_there_and_says_what_is_wrong() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    let none = it.inner.app.command("once");
    assert_eq!(none.code, Some(0), "nothing is published, and nothing is wrong: {none:?}");
    it.add("eth0");
    it.inner.vpp.kill();
    let away = it.inner.app.command("once");
    assert_eq!(away.code, Some(1), "{away:?}");
    assert!(away.stderr.contains("eth0: connect to VPP at"), "{away:?}");
    it.inner.vpp.restart();
    let made = it.inner.app.command("once");
    assert_eq!(made.code, Some(0), "{made:?}");
    let row = made.stdout.lines().nth(1).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
    assert_eq!(row[..5], ["eth0", "net0", "memif", "vpp", "up"], "{made:?}");
    assert!(row[5].starts_with("memif") && row[6].starts_with("10.20.0."), "{made:?}");
    let had = it.interfaces();
    it.inner.app.once();
    assert_eq!(it.interfaces(), had, "what stands is not touched");
    it.del("eth0");
    it.inner.app.once();
    assert!(it.interfaces().is_empty(), "what is withdrawn goes");
}

#[test]
fn wait_and_ready_tell_what_is_missing() {
    let Some(it) = Pair::new(Flavour::Fake) else { return };
    let nothing = it.inner.app.command("ready");
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(nothing.stderr.contains("0 of 1 interfaces are published"), "{nothing:?}");
    it.add("eth0");
    let late = it.inner.app.command("wait --timeout 1");
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.stderr.contains("not up after 1 s: eth0: it is not made"), "{late:?}");
    assert!(late.took >= Duration::from_millis(900) && late.took < Duration::from_secs(5), "{late:?}");
    assert!(it.interfaces().is_empty(), "waiting makes nothing");
    it.inner.app.once();
    it.inner.app.command("ready").success("ready");
    it.inner.app.command("wait --timeout 1").success("wait");
    let two = it.inner.app.command("ready --expect 2");
    assert!(two.stderr.contains("1 of 2 interfaces are published"), "{two:?}");
    let named = it.inner.app.command("ready --interface eth7");
    assert_eq!(named.code, Some(1), "{named:?}");
    it.del("eth0");
}

#[test]
fn a_run_that_ends_when_done_ends_when_all_is_up() {
    let Some(it) = Pair::new(Flavour::Fake) else { return };
    it.add("eth0");
    let ended = it.inner.app.command("run --exit-when-done");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(it.interfaces().len(), 1);
    it.del("eth0");
}

#[test]
fn what_no_engine_can_make_is_refused_and_does_not_stop_the_others() {
    let Some(it) = Pair::new(Flavour::Fake) else { return };
    it.add("eth0");
    let file = it.it.shared(&it.red).join("configData-red-eth1.json");
    let half = r#"{"containerId":"red","ifName":"eth1","name":"blue",
        "config":{"engine":"vpp","iftype":"vhostuser","vhost":{"mode":"client","socketfile":"a"}}}"#;
    fs::write(&file, half).expect("write a half");
    let told = it.inner.app.command("once");
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains("eth1: make the device's end of a vhost-user port on VPP"), "{told:?}");
    assert_eq!(it.interfaces().len(), 1, "{told:?}");
    let shown = it.inner.app.show();
    assert_eq!((&shown[0]["state"], &shown[1]["state"]), (&"up".into(), &"refused".into()), "{shown:?}");
    fs::remove_file(file).expect("remove a file");
    it.del("eth0");
}

#[test]
fn what_cannot_be_typed_is_told() {
    let Some(it) = Pair::new(Flavour::Fake) else { return };
    for (words, told) in [
        ("fly", "fly"),
        ("run --health 0.0.0.0:9100", "loopback"),
        ("once --engine bird", "--engine"),
        ("once --config /does/not/exist.json", "/does/not/exist.json"),
        ("wait --timeout soon", "soon"),
    ] {
        let refused = it.inner.app.command(words);
        assert_eq!(refused.code, Some(2), "{words}: {refused:?}");
        assert!(refused.stderr.contains(told), "{words}: {refused:?}");
    }
    for words in ["--help", "run --help", "eal --help", "--version"] {
        let help = it.inner.app.command(words).success(words);
        assert!(help.contains("container-app") || help.contains("Usage"), "{help}");
    }
}
