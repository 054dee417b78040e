//! Where VPP's sockets are, and who may use them.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

use serde_json::json;
use userspace_tests::{Flavour, Memory};

use super::support::OnVpp;
use crate::apps::{BLUE, LIMIT, RED, app};

/// User, group and mode.
fn access(path: &Path) -> (u32, u32, u32) {
    let found = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    (found.uid(), found.gid(), found.mode() & 0o777)
}

fn users_are_let_in(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let before = it.everything();
    for half in [json!({"iftype": "memif"}), json!({"iftype": "vhostuser"})] {
        let sockets = json!({"owner": 1234, "group": "4321", "mode": "0770"});
        let config = it.net(json!({"sockets": sockets, "host": half}));
        let socket = it.socket(&red, &it.host.add(&red, &config));
        assert_eq!(access(&it.shared(&red)), (1234, 4321, 0o770), "the directory");
        assert!(fs::symlink_metadata(&socket).expect("the socket").file_type().is_socket());
        assert_eq!(access(&socket), (1234, 4321, 0o660), "the socket");
        it.host.check(&red, &config).silent();
        it.host.del(&red, &config);
        it.is_as(&before, &config.to_string());
    }
}

/// Where kubelet has an emptyDir: with a character that VPP refuses from 23.06 on, and longer than a socket's path may be.
fn a_directory_of_kubelets_works(flavour: Flavour) {
    let needs: &[&str] = if flavour == Flavour::Real { &["testpmd"] } else { &[] };
    let Some(it) = OnVpp::with(needs, flavour) else { return };
    let pod = "var/lib/kubelet/pods/0f4ae44d-26ba-4a5c-9b2a-6d1d3e3d9d70/volumes/kubernetes.io~empty-dir/shared-dir";
    let dir = it.host.path(pod);
    let red = it.host.container("red");
    let before = it.everything();
    for iftype in ["memif", "vhostuser"] {
        let config = it.net(json!({"sharedDir": dir, "host": {"iftype": iftype}}));
        let result = it.host.add(&red, &config);
        let published = result["interfaces"][0]["socketPath"].as_str().expect("a socket's path").to_owned();
        let socket = dir.join(&red.id).join(Path::new(&published).file_name().expect("a file"));
        assert!(fs::symlink_metadata(&socket).expect("the socket").file_type().is_socket());
        if flavour == Flavour::Real && iftype == "memif" {
            // The container has the directory mounted at a short path.
            let short = it.vpp.path("mounted");
            std::os::unix::fs::symlink(dir.join(&red.id), &short).expect("make a link");
            let builder = app(&red, Memory::NoHuge, BLUE);
            let socket = short.join(socket.file_name().expect("a file"));
            builder.memif_client(&socket, RED).launch().wait_link_up(LIMIT);
        }
        it.host.check(&red, &config).silent();
        it.host.del(&red, &config);
        let _ = fs::remove_dir_all(it.host.path("var"));
        it.is_as(&before, iftype);
    }
}

on_both!(users_are_let_in, a_directory_of_kubelets_works);
