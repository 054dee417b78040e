//! An API that is slow, refuses, or goes away in the middle: an ADD makes all or nothing, within its time.

use std::time::{Duration, Instant};

use serde_json::json;
use userspace_tests::Fault;

use super::support::Pod;

const ALWAYS: usize = usize::MAX;

#[test]
fn an_api_that_does_not_answer_fails_an_add_in_time_and_leaves_nothing() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    let config = pod.net(json!({"timeoutSeconds": 2}));
    for (method, fault) in [
        ("GET", Fault::Hang),
        ("PATCH", Fault::Hang),
        ("PATCH", Fault::Slow(Duration::from_secs(20))),
        ("GET", Fault::Status(500)),
        ("PATCH", Fault::Status(503)),
        // Somebody changes the pod all the time.
        ("PATCH", Fault::Status(409)),
    ] {
        pod.api.fault(method, fault, ALWAYS);
        let begin = Instant::now();
        let text = pod.call("ADD", &config).run().error(11);
        assert!(text.contains("shop/web-0") && !text.contains("not undone"), "{method} {fault:?}: {text}");
        assert!(begin.elapsed() < Duration::from_secs(4), "{method} {fault:?}: {:?}", begin.elapsed());
        pod.api.behave();
        pod.is_empty(&before, &format!("after {method} {fault:?}"));
        // As a runtime does after a failed ADD.
        pod.call("DEL", &config).run().silent();
    }
    pod.call("ADD", &config).run().result();
    pod.call("DEL", &config).run().silent();
    pod.is_empty(&before, "in the end");
}

#[test]
fn an_api_that_is_not_there_fails_an_add_soon() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    pod.api.stop();
    let begin = Instant::now();
    let text = pod.call("ADD", &pod.net(json!({}))).run().error(11);
    assert!(text.contains("refused") && begin.elapsed() < Duration::from_secs(5), "{text}");
    pod.is_empty(&before, "afterwards");
}

#[test]
fn a_change_that_was_made_without_an_answer_is_taken_back() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    pod.api.fault("PATCH", Fault::Lost, 1);
    // The API goes wrong right behind it, until ADD gives up.
    pod.api.fault("GET", Fault::Slow(Duration::ZERO), 2);
    pod.api.fault("GET", Fault::Status(500), 4);
    pod.call("ADD", &pod.net(json!({}))).fails(11, &["status 500"]);
    pod.is_empty(&before, "afterwards");
}

#[test]
fn a_refusal_says_what_is_needed() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    let config = pod.net(json!({}));
    for (method, fault, words) in [
        ("GET", 403, ["RBAC verb \"get\"", "\"pods\"", "kubeconfig"]),
        ("PATCH", 403, ["RBAC verb \"patch\"", "\"pods\"", "kubeconfig"]),
        ("GET", 401, ["credentials", "kubeconfig", "get"]),
        // The same change again and again: too long for an annotation, or an admission's refusal.
        ("PATCH", 422, ["change the annotations", "shop/web-0", "refused"]),
    ] {
        pod.api.fault(method, Fault::Status(fault), ALWAYS);
        pod.call("ADD", &config).fails(7, &words);
        pod.api.behave();
        pod.is_empty(&before, &format!("after {method} {fault}"));
    }
}

#[test]
fn credentials_that_cannot_be_used_are_refused() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    let path = pod.it.host.path("kubeconfig");
    let without_token =
        json!({"clusters": [], "contexts": [], "users": [{"name": "u", "user": {"tokenFile": "/nowhere"}}]});
    let with_exec = json!({"clusters": [], "contexts": [], "users": [{"name": "u", "user": {"exec": {"command": "/bin/true"}}}]});
    for (text, words) in [
        (None, ["kubeconfig", "No such file"]),
        (Some("{".to_owned()), ["kubeconfig", "use"]),
        (Some(without_token.to_string()), ["tokenFile", "No such file"]),
        (Some(with_exec.to_string()), ["\"exec\"", "tokenFile"]),
    ] {
        if let Some(text) = text {
            std::fs::write(&path, text).expect("write a file");
        }
        pod.call("ADD", &pod.net(json!({"kubeconfig": path}))).fails(7, &words);
    }
    for args in ["K8S_POD_NAMESPACE=a/b;K8S_POD_NAME=p", "K8S_POD_NAMESPACE=a;K8S_POD_NAME=..;K8S_POD_UID=1"]
    {
        pod.call("ADD", &pod.net(json!({}))).env("CNI_ARGS", args).fails(4, &["CNI_ARGS", "K8S_POD_"]);
    }
    assert_eq!(pod.api.requests(), [""; 0]);
    pod.is_empty(&before, "afterwards");
}

#[test]
fn a_kill_at_any_point_leaves_what_del_removes() {
    let Some(pod) = Pod::new() else { return };
    let before = pod.it.everything();
    let config = pod.net(json!({}));
    for point in ["after publish", "before copy", "after copy"] {
        for action in ["fail", "kill"] {
            let failing = format!("{point}={action}");
            let output = pod.call("ADD", &config).env("USERSPACE_FAILPOINT", &failing).run();
            assert_ne!(output.finished.code, Some(0), "{failing}");
            if action == "fail" {
                pod.is_empty(&before, &failing);
            }
            pod.call("DEL", &config).run().silent();
            pod.is_empty(&before, &failing);
        }
    }
    for point in ["before taking back the copy", "after taking back the copy", "before forget"] {
        pod.add("eth0");
        pod.call("DEL", &config).env("USERSPACE_FAILPOINT", &format!("{point}=kill")).run();
        pod.del("eth0");
        pod.is_empty(&before, point);
    }
}
