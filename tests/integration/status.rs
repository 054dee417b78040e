//! STATUS: whether an ADD could work now, within a second and without a trace.

use std::time::Duration;

use serde_json::json;
use userspace_tests::{Host, assert_same};

// 59
#[test]
fn a_healthy_host_is_ready_and_stays_as_it_is() {
    let Some(host) = Host::new(&["host-local"]) else { return };
    let before = host.world();
    for config in [
        host.net_latest(json!({})),
        host.net_latest(json!({"ipam": null})),
        host.net(json!({"cniVersion": "1.1.0"})),
    ] {
        let output = host.call("STATUS", &config).run();
        output.silent();
        assert!(output.finished.took < Duration::from_secs(1), "{output:?}");
    }
    assert_same(&before, &host.world(), "after STATUS");
    assert!(!host.state_dir().exists(), "STATUS makes no state");
}

// 59
#[test]
fn ipams_status_is_passed_on() {
    let Some(host) = Host::new(&[]) else { return };
    let config = host.net_latest(json!({}));
    for code in [50, 51, 999] {
        host.stand_in().fail("STATUS", code, "the pool is on fire");
        host.call("STATUS", &config).fails(code.into(), &["the pool is on fire"]);
    }
    host.call("STATUS", &config).env("CNI_PATH", "/nowhere").run().failure();
}

// 59
#[test]
fn an_ipam_that_hangs_is_not_available_within_a_second() {
    let Some(host) = Host::new(&[]) else { return };
    host.stand_in().hang("STATUS");
    let output = host.call("STATUS", &host.net_latest(json!({}))).run();
    output.error(50);
    assert!(output.finished.took < Duration::from_millis(1200), "{output:?}");
}

#[test]
fn status_of_an_engine_that_is_not_built_in_is_an_error() {
    let Some(host) = Host::new(&[]) else { return };
    let config = host.net_latest(json!({"host": {"engine": "vpp"}}));
    host.call("STATUS", &config).fails(50, &["vpp"]);
    host.call("STATUS", &host.net_latest(json!({"host": null}))).fails(7, &["host.engine"]);
}
