//! Where the sockets and the halves of a pod are, and what its annotations say.

use std::{fs, path::Path};

use serde_json::{Value, json};
use userspace_tests::merged;

use super::support::{Pod, UID};

fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory").flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Everything that is there of one interface when its volume is `dir`, and that nothing is when it has gone.
fn comes_and_goes(pod: &Pod, dir: &Path, config: &Value) {
    let before = pod.it.everything();
    pod.call("ADD", config).run().result();
    assert_eq!(files(dir), ["configData-red-eth0.json", "memif-red-eth0.sock"], "{dir:?}");
    let halves = pod.halves();
    assert_eq!(halves.len(), 1);
    let file: Value =
        serde_json::from_slice(&fs::read(dir.join("configData-red-eth0.json")).expect("a file"))
            .expect("JSON");
    assert_eq!(halves[0], file, "the copy is the file's text");
    assert_eq!((halves[0]["containerId"].as_str(), halves[0]["podUid"].as_str()), (Some("red"), Some(UID)));
    // As the Go readers join it.
    let mapped = pod.mapped_dir().expect("the directory is told");
    let socket = halves[0]["config"]["memif"]["socketfile"].as_str().expect("a name");
    assert_eq!(format!("{mapped}{socket}"), "/var/lib/shared/memif-red-eth0.sock");
    pod.call("CHECK", config).run().silent();
    pod.call("ADD", config).fails(100, &["attached already"]);
    assert_eq!(pod.interfaces(), ["eth0"], "a second ADD doubles nothing");
    pod.call("DEL", config).run().silent();
    assert!(dir.is_dir(), "a volume stays");
    assert_eq!(files(dir), [""; 0]);
    pod.is_empty(&before, "after DEL");
    pod.call("DEL", config).run().silent();
}

#[test]
fn an_empty_dir_is_the_shared_directory() {
    let Some(pod) = Pod::new() else { return };
    comes_and_goes(&pod, &pod.volume(), &pod.net(json!({})));
}

#[test]
fn a_host_path_is_the_shared_directory() {
    let Some(pod) = Pod::new() else { return };
    let dir = pod.it.host.path("theirs");
    fs::create_dir(&dir).expect("make a directory");
    pod.put(json!({"spec": {"volumes": [{"name": "shared-dir", "hostPath": {"path": dir}}]}}));
    comes_and_goes(&pod, &dir, &pod.net(json!({})));
}

#[test]
fn a_static_pod_has_its_volume_under_its_own_uid() {
    let Some(pod) = Pod::new() else { return };
    let theirs = json!({"uid": "another", "annotations": {"kubernetes.io/config.hash": UID}});
    pod.put(json!({"metadata": theirs}));
    comes_and_goes(&pod, &pod.volume(), &pod.net(json!({})));
}

#[test]
fn without_the_volume_the_configured_directory_is_used() {
    let Some(pod) = Pod::new() else { return };
    pod.put(
        json!({"metadata": {"annotations": {"userspace/mapped-dir": "/typed"}}, "spec": {"volumes": null}}),
    );
    let config = pod.net(json!({}));
    let before = pod.it.everything();
    pod.call("ADD", &config).run().result();
    assert!(pod.it.half(&pod.container, "eth0").exists());
    assert_eq!((pod.interfaces(), pod.mapped_dir()), (vec!["eth0".to_owned()], Some("/typed".to_owned())));
    pod.call("DEL", &config).run().silent();
    pod.it.is_as(&before, "after DEL");
    assert_eq!((pod.interfaces().len(), pod.mapped_dir()), (0, Some("/typed".to_owned())));
}

#[test]
fn two_pods_can_share_a_host_path() {
    let Some(pod) = Pod::new() else { return };
    let dir = pod.it.host.path("theirs");
    let volume = json!({"spec": {"volumes": [{"name": "shared-dir", "hostPath": {"path": dir}}]}});
    pod.put(volume.clone());
    pod.api.put("shop", "web-1", merged(json!({"metadata": {"uid": "2"}}), volume));
    let blue = pod.it.host.container("blue");
    let config = pod.net(json!({}));
    pod.add("eth0");
    let args = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1";
    pod.call("ADD", &config).of(&blue).env("CNI_ARGS", args).run().result();
    assert_eq!(files(&dir).len(), 4);
    pod.del("eth0");
    assert_eq!(files(&dir), ["configData-blue-eth0.json", "memif-blue-eth0.sock"]);
    pod.call("CHECK", &config).of(&blue).env("CNI_ARGS", args).run().silent();
    pod.call("DEL", &config).of(&blue).env("CNI_ARGS", args).run().silent();
    assert_eq!(files(&dir), [""; 0]);
}

#[test]
fn what_is_no_volume_is_refused() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    for (volume, words) in [
        (json!({"name": "shared-dir", "configMap": {}}), ["neither a hostPath nor an emptyDir"]),
        (json!({"name": "shared-dir", "hostPath": {"path": "/a/../b"}}), ["no directory's path"]),
    ] {
        pod.put(json!({"spec": {"volumes": [volume]}}));
        pod.call("ADD", &pod.net(json!({}))).fails(7, &words);
    }
    pod.put(json!({}));
    pod.call("ADD", &pod.net(json!({"kubeletDir": "/nowhere"}))).fails(7, &["kubeletDir", "/nowhere"]);
    pod.is_empty(&before, "afterwards");
}

#[test]
fn the_device_information_has_the_containers_path() {
    let Some(pod) = Pod::new() else { return };
    let file = pod.it.host.path("device-info.json");
    let config = pod.net(json!({"runtimeConfig": {"CNIDeviceInfoFile": file}}));
    pod.call("ADD", &config).run().result();
    let told: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(told["memif"]["path"], "/var/lib/shared/memif-red-eth0.sock", "{told}");
    pod.call("DEL", &config).run().silent();
}

#[test]
fn a_secret_is_in_the_file_alone() {
    let Some(pod) = Pod::new() else { return };
    let config = pod.net(json!({"host": {"memif": {"secret": "hush"}}}));
    pod.call("ADD", &config).run().result();
    let file = fs::read_to_string(pod.volume().join("configData-red-eth0.json")).expect("a file");
    assert!(file.contains("hush"));
    let copy = Value::from(pod.halves()).to_string();
    assert!(!copy.contains("hush") && !copy.contains("secret"), "{copy}");
    pod.call("DEL", &config).run().silent();
}

#[test]
fn the_api_is_asked_where_it_is_of_use_alone() {
    let Some(pod) = Pod::new() else { return };
    for (patch, args) in
        [(json!({"kubeconfig": null}), true), (json!({"kubeconfig": ""}), true), (json!({}), false)]
    {
        let config = pod.net(patch);
        for command in ["ADD", "CHECK", "DEL", "DEL"] {
            let call = pod.call(command, &config);
            let call = if args { call } else { call.without("CNI_ARGS") };
            assert_eq!(call.run().finished.code, Some(0), "{command} {config}");
        }
        assert_eq!(pod.api.requests(), [""; 0], "{config}");
    }
    // As it is built for use, without the feature.
    let config = pod.net(json!({}));
    let output = pod.it.host.call("ADD", &config).of(&pod.container).run();
    output.result();
    let told = &output.finished.stderr;
    assert!(told.contains("kubeconfig") && told.contains("without effect"), "{told}");
    pod.it.host.del(&pod.container, &config);
    assert_eq!(pod.api.requests(), [""; 0]);
}
