//! vhost-user ports.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
};

use vpp_api_client::{
    messages::vhost_user::{CreateVhostUserIfV2, DeleteVhostUserIf, SwInterfaceVhostUserDump},
    types::SwIfIndex,
};

use crate::at::{At, text};

fn port(path: &str, is_server: bool) -> CreateVhostUserIfV2 {
    CreateVhostUserIfV2 { is_server, sock_filename: text(path), ..CreateVhostUserIfV2::default() }
}

pub(crate) async fn one_a_path(at: &At) {
    let path = at.path("a");
    let create = port(&path, false);
    let sw_if_index = at.done(&create).await.sw_if_index;
    let again = at.vpp.ask(&create).await.unwrap();
    assert_eq!((again.retval, again.sw_if_index), (-79, sw_if_index));
    assert_eq!(at.retval(&port("", false)).await, -73);
    let found = at.dump(&SwInterfaceVhostUserDump { sw_if_index }).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].is_server, found[0].sock_filename.to_string()), (false, path));
    at.done(&DeleteVhostUserIf { sw_if_index }).await;
    for sw_if_index in [sw_if_index, SwIfIndex(0)] {
        assert_eq!(at.retval(&DeleteVhostUserIf { sw_if_index }).await, -2);
    }
    assert_eq!(at.dump(&SwInterfaceVhostUserDump { sw_if_index: SwIfIndex::NONE }).await, []);
}

pub(crate) async fn names_and_tags(at: &At) {
    let plain = at.done(&port(&at.path("a"), false)).await.sw_if_index;
    let create = CreateVhostUserIfV2 {
        renumber: true,
        custom_dev_instance: 2_000_000_000,
        use_custom_mac: true,
        mac_address: [2, 1, 2, 3, 4, 5],
        tag: text("mine"),
        ..port(&at.path("b"), false)
    };
    let numbered = at.done(&create).await.sw_if_index;
    let [plain_one, numbered_one] = [at.look(plain).await.unwrap(), at.look(numbered).await.unwrap()];
    assert_eq!(plain_one.interface_name.to_string(), "VirtualEthernet0/0/0");
    assert_eq!(plain_one.interface_dev_type.to_string(), "vhost-user");
    assert_eq!((plain_one.flags.0, plain_one.mtu, plain_one.link_mtu), (0, [9000, 0, 0, 0], 9000));
    assert_eq!(numbered_one.interface_name.to_string(), "VirtualEthernet0/0/2000000000");
    assert_eq!(numbered_one.l2_address, [2, 1, 2, 3, 4, 5]);
    assert_eq!(numbered_one.tag.to_string(), "mine");
    for sw_if_index in [plain, numbered] {
        at.done(&DeleteVhostUserIf { sw_if_index }).await;
    }
    // The number is not kept for the next.
    let next = at.done(&port(&at.path("c"), false)).await.sw_if_index;
    let name = at.look(next).await.unwrap().interface_name.to_string();
    assert!(["VirtualEthernet0/0/0", "VirtualEthernet0/0/1"].contains(&name.as_str()), "{name}");
    at.done(&DeleteVhostUserIf { sw_if_index: next }).await;
}

pub(crate) async fn servers_own_their_path(at: &At) {
    let path = at.path("a");
    fs::write(&path, "in the way").unwrap();
    let sw_if_index = at.done(&port(&path, true)).await.sw_if_index;
    let file = fs::symlink_metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o755);
    at.done(&DeleteVhostUserIf { sw_if_index }).await;
    assert!(!fs::exists(&path).unwrap());
    assert_eq!(at.retval(&port(&at.path("missing/a"), true)).await, -12);
}
