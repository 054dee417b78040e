//! What is in the shared directory is anybody's: what is no document of the host's is told of, and harms nothing.

use std::{
    fs,
    os::unix::fs::{chown, symlink},
    path::{Path, PathBuf},
};

use serde_json::Value;
use userspace_tests::{Flavour, Netns, until};

use super::support::{Pair, SOON};

/// What a container could put there, and a word of what is then told.
fn hostile(dir: &Path) -> Vec<(PathBuf, &'static str)> {
    let path = |name: &str| dir.join(format!("configData-x-{name}.json"));
    let outside = dir.with_file_name("outside.json");
    fs::write(&outside, "{}").expect("write a file");
    symlink(&outside, path("link")).expect("make a link");
    fs::hard_link(&outside, path("hard")).expect("make a hard link");
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("make a fifo");
    fs::write(path("huge"), vec![b' '; 1 << 20]).expect("write a file");
    fs::write(path("garbage"), "\u{0}\u{1}{{{").expect("write a file");
    fs::write(path("half"), r#"{"containerId":"red","ifName":"ne"#).expect("write a file");
    let later = r#"{"version":99,"containerId":"red","ifName":"net9","name":"blue"}"#;
    fs::write(path("later"), later).expect("write a file");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    fs::write(path("deep"), deep).expect("write a file");
    fs::write(path("stranger"), r#"{"containerId":"red","ifName":"net9","name":"blue"}"#)
        .expect("write a file");
    chown(path("stranger"), Some(1234), None).expect("give a file away");
    fs::create_dir(path("dir")).expect("make a directory");
    let words = ["link", "hard", "fifo", "huge", "garbage", "half", "later", "deep", "stranger", "dir"];
    let told = ["", "regular", "regular", "larger", "", "", "99", "", "user 1234", ""];
    words.iter().map(|name| path(name)).zip(told).collect()
}

#[test]
fn hostile_documents_are_told_of_and_harm_nothing() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    it.inner.app.start();
    it.add("eth0");
    it.inner.app.wait_up(1);
    let had = it.interfaces();
    let placed = hostile(&it.it.shared(&it.red));
    for (path, word) in &placed {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let is_told = |line: &str| line.contains("not read") && line.contains(name) && line.contains(word);
        until(&format!("{name} is told of"), SOON, || it.inner.app.log().lines().any(is_told));
    }
    // The app still works, and what was there has not been touched.
    it.add("eth1");
    it.inner.app.wait_up(2);
    assert!(
        had.iter().all(|one| it.interfaces().contains_key(one.0)) && it.inner.app.runs(),
        "{}",
        it.inner.app.log()
    );
    let told = it.inner.app.log().matches("not read").count();
    it.del("eth1");
    until("the second is gone", SOON, || it.interfaces() == had);
    assert_eq!(it.inner.app.log().matches("not read").count(), told, "each is told once");
    let outside = it.it.shared(&it.red).with_file_name("outside.json");
    assert_eq!(fs::read_to_string(outside).expect("a file"), "{}");
    for (path, _) in placed {
        let removed = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        removed.expect("remove what was placed");
    }
    it.del("eth0");
}

#[test]
fn a_half_that_is_overwritten_stays_made_until_it_is_gone_or_another() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    it.inner.app.start();
    it.add("eth0");
    it.inner.app.wait_up(1);
    let had = it.interfaces();
    let file = it.it.half(&it.red, "eth0");
    let text = fs::read_to_string(&file).expect("the half");
    fs::write(&file, &text[..text.len() / 2]).expect("write half of it");
    until("it is told of", SOON, || it.inner.app.log().contains("not read"));
    assert_eq!(it.interfaces(), had);
    let mut half: Value = serde_json::from_str(&text).expect("JSON");
    half["config"]["mtu"] = 1400.into();
    fs::write(&file, half.to_string()).expect("write another");
    until("the other is made", SOON, || it.inner.vpp.dump().iter().any(|line| line.contains("1400")));
    it.inner.app.wait_up(1);
    it.del("eth0");
    until("nothing is left", SOON, || it.interfaces().is_empty());
}

#[test]
fn halves_of_two_containers_are_not_mixed_up() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    it.add("eth0");
    let file = it.it.half(&it.red, "eth0");
    let other = fs::read_to_string(&file).expect("the half").replace("\"red\"", "\"0123456789abcdef\"");
    fs::write(file.with_file_name("configData-0123456789ab-eth0.json"), other).expect("write a half");
    let refused = it.inner.app.command("once");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("--container-id") && refused.stderr.contains("0123456789abcdef"),
        "{refused:?}"
    );
    assert!(it.interfaces().is_empty());
    it.inner.app = it.inner.app.with("--container-id", "red");
    it.inner.app.once();
    assert_eq!(it.interfaces().len(), 1);
    fs::remove_file(file.with_file_name("configData-0123456789ab-eth0.json")).expect("remove a file");
    it.del("eth0");
}

#[test]
fn annotations_are_as_good_as_the_directory() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    it.add("eth0");
    let file = it.it.half(&it.red, "eth0");
    let half = fs::read_to_string(&file).expect("the half");
    fs::remove_file(&file).expect("remove a file");
    let info = it.inner.app.path("podinfo");
    fs::create_dir(&info).expect("make a directory");
    let annotations = info.join("annotations");
    it.inner.app = it.inner.app.with("--annotations", &annotations.display().to_string());
    it.inner.app.start();
    let list = format!("[{half}]");
    let text = format!("other=\"x\"\nuserspace/configuration-data={list:?}\n");
    fs::write(&annotations, text).expect("write the annotations");
    it.inner.app.wait_up(1);
    fs::write(&annotations, "other=\"x\"\n").expect("write the annotations");
    until("it is withdrawn", SOON, || it.interfaces().is_empty());
    it.del("eth0");
}

#[test]
fn a_kernel_interface_is_shown_where_it_is() {
    let Some(it) = Pair::new(Flavour::Fake) else { return };
    let dir = it.it.shared(&it.red);
    fs::create_dir_all(&dir).expect("make a directory");
    let half =
        r#"{"containerId":"red","ifName":"net1","name":"blue","config":{"engine":"linux","iftype":"veth"}}"#;
    fs::write(dir.join("configData-red-net1.json"), half).expect("write a half");
    let state = || it.inner.app.show()[0]["state"].clone();
    assert_eq!(state(), "pending");
    let other = Netns::new("other");
    it.red.netns.ip(&format!("link add net1 type veth peer name net2 netns {}", other.path().display()));
    assert_eq!(state(), "kernel");
}

#[test]
fn a_half_that_cannot_be_read_at_the_start_is_not_withdrawn() {
    let Some(mut it) = Pair::new(Flavour::Fake) else { return };
    it.add("eth0");
    it.inner.app.once();
    let had = it.interfaces();
    let file = it.it.half(&it.red, "eth0");
    let text = fs::read_to_string(&file).expect("the half");
    fs::write(&file, "{").expect("write garbage");
    let told = it.inner.app.command("once");
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains("configData-red-eth0.json"), "{told:?}");
    assert_eq!(it.interfaces(), had);
    it.inner.app.start();
    until("the app has looked", SOON, || it.inner.app.log().contains("ours=1"));
    assert_eq!(it.interfaces(), had);
    fs::write(&file, text).expect("write the half");
    it.inner.app.wait_up(1);
    it.del("eth0");
    until("it is withdrawn", SOON, || it.interfaces().is_empty());
}

#[test]
fn what_was_not_chosen_is_not_withdrawn() {
    let Some(it) = Pair::new(Flavour::Fake) else { return };
    it.add("eth0");
    it.add("eth1");
    it.inner.app.once();
    let had = it.interfaces();
    it.inner.app.command("once --interface eth0").success("once");
    assert_eq!(it.interfaces(), had);
    it.del("eth1");
    it.inner.app.command("once --interface eth0").success("once");
    assert_eq!(it.interfaces().len(), 1, "what is published no more goes, whoever made it");
    it.del("eth0");
}
