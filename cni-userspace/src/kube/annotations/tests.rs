//! Changes of a pod's annotations, applied as the API applies them.

use std::collections::BTreeMap;

use userspace_core::spec::Secret;

use super::*;

fn pod(annotations: Option<&[(&str, &str)]>) -> Value {
    let mut pod = json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": {}});
    if let Some(annotations) = annotations {
        let map: BTreeMap<_, _> = annotations.iter().copied().collect();
        pod["metadata"]["annotations"] = json!(map);
    }
    pod
}

fn read(pod: &Value) -> Pod {
    serde_json::from_value(pod.clone()).unwrap()
}

fn half(container: &str, interface: &str) -> ContainerHalf {
    let text = json!({"containerId": container, "ifName": interface, "name": "net", "config": {"iftype": "memif",
        "memif": {"socketfile": "s", "secret": "hush"}}});
    ContainerHalf::from_json(text.to_string().as_bytes()).unwrap()
}

/// The pod with the change made, and whether there was one.
fn changed(pod: &Value, wanted: &Halves) -> (Value, bool) {
    let mut after = pod.clone();
    let patch = change(&read(pod), wanted, "/mapped/");
    let is_changed = patch.is_some();
    let patch: json_patch::Patch = serde_json::from_value(patch.unwrap_or(json!([]))).unwrap();
    json_patch::patch(&mut after, &patch).unwrap();
    (after, is_changed)
}

fn halves(pod: &Value) -> Halves {
    Halves::of(&read(pod)).unwrap()
}

#[test]
fn a_half_comes_once_and_goes_whatever_there_was() {
    let others: [Option<&[(&str, &str)]>; 6] = [
        None,
        Some(&[]),
        Some(&[("a", "b")]),
        Some(&[(DATA, "")]),
        Some(&[(DATA, "[]"), ("a", "b")]),
        Some(&[(DATA, "null")]),
    ];
    for before in others {
        let before = pod(before);
        let half = half("c1", "net1");
        let wanted = halves(&before).with(&half, |_| false);
        let (with, _) = changed(&before, &wanted);
        assert!(halves(&with).has(&half.attachment), "{with}");
        assert_eq!(with["metadata"]["annotations"][MAPPED_DIR], "/mapped/");
        let again = halves(&with).with(&half, |_| false);
        assert!(!changed(&with, &again).1, "nothing changes the second time");
        let (without, _) = changed(&with, &halves(&with).without(&half.attachment));
        let left = &without["metadata"]["annotations"];
        assert!(left.get(DATA).is_none() && left.get(MAPPED_DIR).is_none(), "{without}");
        assert_eq!(left.get("a"), before["metadata"]["annotations"].get("a"));
    }
}

#[test]
fn what_others_wrote_stays() {
    let foreign = r#"[{"containerId":"c1","ifName":"net9","name":"other","config":{"x":[1]}},17]"#;
    let before = pod(Some(&[(DATA, foreign), (MAPPED_DIR, "/typed")]));
    let half = half("c1", "net1");
    let (with, _) = changed(&before, &halves(&before).with(&half, |_| true));
    assert_eq!(halves(&with).0.len(), 3);
    assert_eq!(with["metadata"]["annotations"][MAPPED_DIR], "/typed");
    let (without, _) = changed(&with, &halves(&with).without(&half.attachment));
    assert_eq!(halves(&without), halves(&before));
    let garbage = pod(Some(&[(DATA, "{}")]));
    assert!(Halves::of(&read(&garbage)).unwrap_err().contains("no JSON list"));
}

#[test]
fn halves_of_containers_that_are_gone_go_with_the_next() {
    let mut all = Halves::default();
    for container in ["old", "older"] {
        all = all.with(&half(container, "net1"), |_| false);
    }
    all = all.with(&half("new", "net1"), |id| id.container.as_str() == "old");
    assert!(!all.has(&half("old", "net1").attachment));
    assert!(all.has(&half("older", "net1").attachment) && all.has(&half("new", "net1").attachment));
    let sibling = all.with(&half("new", "net2"), |_| true);
    assert!(sibling.has(&half("new", "net1").attachment), "a sibling is not another container's");
}

#[test]
fn a_secret_is_left_out() {
    let half = half("c1", "net1");
    let secret = half.config.memif.as_ref().and_then(|memif| memif.secret.as_ref()).map(Secret::reveal);
    assert_eq!(secret, Some("hush"));
    let all = Halves::default().with(&half, |_| false);
    assert!(!format!("{all:?}").contains("hush") && !format!("{all:?}").contains("secret"));
}

#[test]
fn a_change_stands_on_what_was_seen() {
    let seen = pod(Some(&[(DATA, "[1]")]));
    let patch =
        change(&read(&seen), &halves(&seen).with(&half("c1", "net1"), |_| false), "/mapped/").unwrap();
    let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
    for (path, value) in [("uid", json!("another")), ("annotations", json!({DATA: "[1,2]"}))] {
        let mut pod = seen.clone();
        pod["metadata"][path] = value;
        assert!(json_patch::patch(&mut pod, &patch).is_err(), "{path}");
    }
    let mut pod = pod(None);
    let patch = change(&read(&pod), &Halves::default().with(&half("c1", "net1"), |_| false), "/m/").unwrap();
    pod["metadata"]["resourceVersion"] = json!("8");
    let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
    assert!(json_patch::patch(&mut pod, &patch).is_err());
}
