//! vhost-user ports (plugins/vhost/vhost_user.api; a plugin from 23.02).

use crate::{codec::Text, types::SwIfIndex};

messages! {
    of "vhost plugin";

    /// Makes a vhost-user port.
    request CreateVhostUserIfV2 "create_vhost_user_if_v2_dba1cc1d" -> CreateVhostUserIfV2Reply {
        is_server: bool, sock_filename: Text<256>, renumber: bool, disable_mrg_rxbuf: bool, disable_indirect_desc: bool,
        enable_gso: bool, enable_packed: bool, enable_event_idx: bool, custom_dev_instance: u32, use_custom_mac: bool,
        mac_address: [u8; 6], tag: Text<64>,
    }
    /// The port; with -79 the one that has the path already.
    reply CreateVhostUserIfV2Reply "create_vhost_user_if_v2_reply_5383d31f" { retval: i32, sw_if_index: SwIfIndex }
    /// Removes a vhost-user port.
    request DeleteVhostUserIf "delete_vhost_user_if_f9e6675e" -> DeleteVhostUserIfReply { sw_if_index: SwIfIndex }
    /// Done, or not.
    reply DeleteVhostUserIfReply "delete_vhost_user_if_reply_e8d4e804" { retval: i32 }
    /// Lists one vhost-user port, or all.
    dump SwInterfaceVhostUserDump "sw_interface_vhost_user_dump_f9e6675e" -> SwInterfaceVhostUserDetails {
        sw_if_index: SwIfIndex,
    }
    /// One vhost-user port.
    details SwInterfaceVhostUserDetails "sw_interface_vhost_user_details_0cee1e53" {
        sw_if_index: SwIfIndex, interface_name: Text<64>, virtio_net_hdr_sz: u32, features_first_32: u32, features_last_32: u32,
        is_server: bool, sock_filename: Text<256>, num_regions: u32, sock_errno: i32,
    }
}
