//! The device information that Multus shows in a pod's network-status: the container's side of what was made.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use userspace_tests::{Flavour, merged};

use crate::vpp::support::OnVpp;

fn given(it: &OnVpp, config: Value, file: &str) -> Value {
    let file = it.host.path(file);
    let runtime = json!({"CNIDeviceInfoFile": file});
    merged(config, json!({"capabilities": {"CNIDeviceInfoFile": true}, "runtimeConfig": runtime}))
}

#[test]
fn what_was_made_is_told_and_goes_with_it() {
    let Some(it) = OnVpp::new(Flavour::Fake) else { return };
    let red = it.host.container("red");
    let dir = it.shared(&red).display().to_string();
    for (half, told) in [
        (
            json!({"iftype": "memif"}),
            json!({"type": "memif", "version": "1.1.0",
                "memif": {"role": "slave", "mode": "ethernet", "path": format!("{dir}/memif-red-eth0.sock")}}),
        ),
        (
            json!({"iftype": "memif", "memif": {"role": "slave", "mode": "ip"}, "netType": "none", "bridge": null}),
            json!({"type": "memif", "version": "1.1.0",
                "memif": {"role": "master", "mode": "ip", "path": format!("{dir}/memif-red-eth0.sock")}}),
        ),
        (
            json!({"iftype": "vhostuser"}),
            json!({"type": "vhost-user", "version": "1.1.0",
                "vhost-user": {"mode": "client", "path": format!("{dir}/red-eth0")}}),
        ),
    ] {
        let config = given(&it, it.net(json!({"host": half})), "info/of/red.json");
        let file = it.host.path("info/of/red.json");
        // An earlier one is no error.
        fs::create_dir_all(file.parent().expect("a directory")).expect("make a directory");
        fs::write(&file, "old").expect("write a file");
        it.host.add(&red, &config);
        let found: Value = serde_json::from_slice(&fs::read(&file).expect("the file")).expect("JSON");
        assert_eq!(found, told);
        let mode = fs::metadata(&file).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o644, "Multus may run as another user");
        it.host.del(&red, &config);
        assert!(!file.exists());
        it.host.del(&red, &config);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_no_reason_to_fail() {
    let Some(it) = OnVpp::new(Flavour::Fake) else { return };
    let red = it.host.container("red");
    fs::write(it.host.path("file"), "").expect("write a file");
    let before = it.everything();
    for path in ["file/red.json", "nothing-is-asked"] {
        let config = given(&it, it.net(json!({})), path);
        let config = match path {
            "nothing-is-asked" => {
                merged(config, json!({"runtimeConfig": {"CNIDeviceInfoFile": "relative.json"}}))
            }
            _ => config,
        };
        it.host.add(&red, &config);
        it.host.check(&red, &config).silent();
        it.host.del(&red, &config);
        it.is_as(&before, path);
    }
}
