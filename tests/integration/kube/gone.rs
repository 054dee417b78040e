//! DEL, CHECK and `userspace gc` when the pod or the API is gone, or is another.

use std::time::{Duration, Instant};

use serde_json::json;
use userspace_tests::Fault;

use super::support::{Pod, UID};

#[test]
fn a_del_works_from_the_record_alone() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    type Change = fn(&Pod);
    let changes: [(&str, Change); 4] = [
        ("the pod is gone", |pod| pod.api.remove("shop", "web-0")),
        ("another pod has its name", |pod| {
            pod.put(json!({"metadata": {"uid": "another", "annotations": {"a": "b"}}}))
        }),
        ("the API hangs", |pod| pod.api.fault("", Fault::Hang, usize::MAX)),
        ("the API is gone", |pod| pod.api.stop()),
    ];
    for (when, change) in changes {
        pod.put(json!({}));
        pod.api.behave();
        pod.add("eth0");
        change(&pod);
        pod.api.requests();
        let begin = Instant::now();
        // With neither the credentials nor the pod's name.
        let config = pod.net(json!({"kubeconfig": null}));
        pod.call("DEL", &config).without("CNI_ARGS").run().silent();
        assert!(begin.elapsed() < Duration::from_secs(5), "{when}: {:?}", begin.elapsed());
        let changes = pod.api.requests();
        assert!(changes.iter().all(|request| !request.starts_with("PATCH")), "{when}: {changes:?}");
        pod.it.is_as(&before, when);
    }
}

#[test]
fn a_del_without_credentials_leaves_the_entry_alone() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    pod.add("eth0");
    std::fs::remove_file(pod.api.kubeconfig()).expect("remove a file");
    pod.del("eth0");
    pod.it.is_as(&before, "after DEL");
    assert_eq!(pod.interfaces(), ["eth0"]);
}

#[test]
fn gc_by_hand_takes_the_entry_back() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    pod.add("eth0");
    pod.add("net1");
    let record =
        std::fs::read_dir(pod.it.host.records()).expect("a directory").flatten().next().expect("a record");
    let text = std::fs::read_to_string(record.path()).expect("a file");
    let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let boot =
        record["plan"]["container"]["published"]["netns"]["boot_id"].as_str().expect("a boot").to_owned();
    for entry in std::fs::read_dir(pod.it.host.records()).expect("a directory").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a file").replace(&boot, "an earlier boot");
        std::fs::write(entry.path(), text).expect("write a file");
    }
    let output = pod.gc();
    assert!(output.contains("2 removed"), "{output}");
    pod.is_empty(&before, "after userspace gc");
}

#[test]
fn a_del_removes_its_own_entry_alone() {
    let Some(pod) = Pod::new() else { return };
    pod.add("net1");
    pod.add("net10");
    pod.del("net1");
    assert_eq!(pod.interfaces(), ["net10"]);
    assert_eq!(pod.mapped_dir().as_deref(), Some("/var/lib/shared/"));
    pod.del("net10");
    assert_eq!((pod.interfaces().len(), pod.mapped_dir()), (0, None));
}

#[test]
fn a_lost_record_does_not_keep_the_entry() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    for is_up in [true, false] {
        pod.add("eth0");
        std::fs::remove_dir_all(pod.it.host.records()).expect("remove a directory");
        if !is_up {
            pod.api.stop();
        }
        pod.del("eth0");
        pod.it.is_as(&before, &format!("after DEL (API {is_up})"));
        assert_eq!(pod.interfaces().len(), usize::from(!is_up));
        assert_eq!(std::fs::read_dir(pod.volume()).expect("the volume").count(), 0);
    }
}

#[test]
fn an_entry_that_stayed_goes_with_the_next_add() {
    let Some(pod) = Pod::new() else { return };
    pod.add("eth0");
    pod.api.fault("PATCH", Fault::Status(500), usize::MAX);
    pod.del("eth0");
    assert_eq!(pod.interfaces(), ["eth0"], "the API could not be changed");
    pod.api.behave();
    // The pod's next sandbox.
    let next = pod.it.host.container("blue");
    pod.call("ADD", &pod.net(json!({}))).of(&next).ifname("net1").run().result();
    assert_eq!(pod.interfaces(), ["net1"]);
    pod.call("DEL", &pod.net(json!({}))).of(&next).ifname("net1").run().silent();
}

#[test]
fn check_asks_for_the_entry_and_bears_an_api_that_is_away() {
    let Some(pod) = Pod::new() else { return };
    let config = pod.net(json!({}));
    pod.add("eth0");
    pod.call("CHECK", &config).run().silent();
    pod.api.fault("GET", Fault::Hang, 1);
    pod.call("CHECK", &config).run().silent();
    pod.put(json!({}));
    pod.call("CHECK", &config).fails(103, &["the copy of the half in the pod's annotations is gone"]);
    pod.api.stop();
    pod.call("CHECK", &config).run().silent();
    pod.del("eth0");
}

#[test]
fn an_add_for_a_pod_that_is_not_there_is_refused() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    pod.put(json!({"metadata": {"uid": "another"}}));
    pod.call("ADD", &pod.net(json!({}))).fails(100, &["shop/web-0", UID]);
    pod.api.remove("shop", "web-0");
    pod.call("ADD", &pod.net(json!({}))).fails(11, &["shop/web-0", "knows none"]);
    pod.it.is_as(&before, "afterwards");
}
