//! What is published is there, as long as it is published, whoever dies in between.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use userspace_tests::{Flavour, until};
use vpp_api_client::messages::memif::MemifDelete;

use super::support::{Pair, SOON, make_as_another};

on_both!(
    what_is_published_is_made_and_what_is_withdrawn_goes,
    a_vpp_that_comes_back_has_its_interfaces_again,
    an_app_that_comes_back_knows_its_own,
    what_somebody_else_removed_comes_back,
    what_cannot_be_mended_is_not_torn_down_for_it,
);

fn what_is_published_is_made_and_what_is_withdrawn_goes(flavour: Flavour) {
    let Some(mut it) = Pair::new(flavour) else { return };
    // A half that nobody publishes any more, made by another installation.
    it.add("eth9");
    let foreign = it.it.host.path("foreign.json");
    fs::rename(it.it.half(&it.red, "eth9"), &foreign).expect("move a half away");
    make_as_another(&it.inner, &foreign);
    let before = it.inner.vpp.dump();
    it.inner.app.start();
    let result = it.add("eth0");
    it.inner.app.wait_up(1);
    let shown = it.inner.app.show();
    assert_eq!((shown.len(), &shown[0]["state"]), (1, &"up".into()), "{shown:?}");
    for ip in result["ips"].as_array().expect("addresses") {
        let address = ip["address"].as_str().expect("an address");
        let is_there = it.inner.vpp.dump().iter().any(|line| line.contains(address));
        assert!(is_there, "{address} in {:#?}", it.inner.vpp.dump());
    }
    let first = it.interfaces();
    it.add("eth1");
    it.inner.app.wait_up(2);
    it.del("eth1");
    until("the second is gone", SOON, || it.interfaces() == first);
    it.inner.app.wait_up(1);
    it.del("eth0");
    until("only what is not ours is left", SOON, || it.inner.vpp.dump() == before);
    assert_eq!(it.inner.app.stop(), Some(0), "{}", it.inner.app.log());
    it.del("eth9");
}

fn a_vpp_that_comes_back_has_its_interfaces_again(flavour: Flavour) {
    let Some(mut it) = Pair::new(flavour) else { return };
    it.inner.app.start();
    it.add("eth0");
    it.inner.app.wait_up(1);
    let had = it.inner.vpp.dump();
    for _ in 0..2 {
        it.inner.vpp.kill();
        until("it is told", SOON, || it.inner.app.command("ready").code == Some(1));
        it.inner.vpp.restart();
        let begin = Instant::now();
        until("its interface is back", SOON, || it.inner.vpp.dump() == had);
        // `make bench` holds it to a second.
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        it.inner.app.wait_up(1);
    }
    it.del("eth0");
}

fn an_app_that_comes_back_knows_its_own(flavour: Flavour) {
    let Some(mut it) = Pair::new(flavour) else { return };
    let before = it.inner.vpp.dump();
    it.inner.app.start();
    it.add("eth0");
    it.add("eth1");
    it.inner.app.wait_up(2);
    let had = it.interfaces();
    assert_eq!(it.inner.app.stop(), Some(0), "{}", it.inner.app.log());
    assert_eq!(it.interfaces(), had, "what is made stays");
    it.inner.app.start();
    until("the app knows them", SOON, || it.inner.app.log().matches("ours=2").count() == 1);
    it.inner.app.wait_up(2);
    assert_eq!(it.interfaces(), had, "none is made anew");
    it.inner.app.stop();
    it.del("eth1");
    it.inner.app.start();
    until("what was withdrawn meanwhile goes", SOON, || it.interfaces().len() == 1);
    it.del("eth0");
    until("nothing is left", SOON, || it.inner.vpp.dump() == before);
}

fn what_somebody_else_removed_comes_back(flavour: Flavour) {
    let Some(mut it) = Pair::new(flavour) else { return };
    it.inner.app = it.inner.app.with("--resync", "1");
    it.inner.app.start();
    it.add("eth0");
    it.inner.app.wait_up(1);
    let had = it.inner.vpp.dump();
    let sw_if_index = it.interfaces().into_values().next().expect("an interface");
    let deleted = it.inner.vpp.with_client(async |client| client.request(&MemifDelete { sw_if_index }).await);
    deleted.expect("delete the memif");
    until("it is back", SOON, || it.inner.vpp.dump() == had);
    it.del("eth0");
}

/// Two interfaces of one subnet: VPP refuses the second one's address. Both stay as they are, and it is told.
fn what_cannot_be_mended_is_not_torn_down_for_it(flavour: Flavour) {
    let Some(mut it) = Pair::new(flavour) else { return };
    it.inner.app = it.inner.app.with("--resync", "1");
    it.add("eth0");
    it.add("eth1");
    let (first, second) = (it.it.half(&it.red, "eth0"), it.it.half(&it.red, "eth1"));
    let text = fs::read_to_string(&second).expect("a half");
    let mut half: Value = serde_json::from_str(&text).expect("JSON");
    let taken: Value = serde_json::from_slice(&fs::read(&first).expect("a half")).expect("JSON");
    half["ipResult"] = taken["ipResult"].clone();
    half["ipResult"]["ips"][0]["address"] = "10.20.0.77/24".into();
    fs::write(&second, half.to_string()).expect("write a half");
    it.inner.app.start();
    until("the second is told", SOON, || it.inner.app.log().contains("10.20.0.77"));
    let had = it.interfaces();
    assert_eq!(had.len(), 2, "{}", it.inner.app.log());
    thread::sleep(Duration::from_secs(4));
    assert_eq!(it.interfaces(), had, "{}", it.inner.app.log());
    let states: Vec<_> = it.inner.app.show().iter().map(|one| one["state"].clone()).collect();
    assert_eq!(states, ["up", "pending"]);
    it.del("eth1");
    it.inner.app.wait_up(1);
    it.del("eth0");
}
