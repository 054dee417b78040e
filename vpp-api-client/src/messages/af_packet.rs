//! Kernel interfaces of the host, attached by packet sockets (plugins/af_packet/af_packet.api; a plugin from 23.02).

use crate::{
    codec::Text,
    types::{AfPacketFlags, AfPacketMode, SwIfIndex},
};

messages! {
    of "af_packet plugin";

    /// Attaches a kernel interface.
    request AfPacketCreateV3 "af_packet_create_v3_b3a809d4" -> AfPacketCreateV3Reply {
        mode: AfPacketMode, hw_addr: [u8; 6], use_random_hw_addr: bool, host_if_name: Text<64>, rx_frame_size: u32,
        tx_frame_size: u32, rx_frames_per_block: u32, tx_frames_per_block: u32, flags: AfPacketFlags, num_rx_queues: u16,
        num_tx_queues: u16,
    }
    /// The attached interface; with -79 the one that is attached already.
    reply AfPacketCreateV3Reply "af_packet_create_v3_reply_5383d31f" { retval: i32, sw_if_index: SwIfIndex }
    /// Lets a kernel interface go.
    request AfPacketDelete "af_packet_delete_863fa648" -> AfPacketDeleteReply { host_if_name: Text<64> }
    /// Done, or not.
    reply AfPacketDeleteReply "af_packet_delete_reply_e8d4e804" { retval: i32 }
    /// Lists the attached interfaces.
    dump AfPacketDump "af_packet_dump_51077d14" -> AfPacketDetails {}
    /// One attached interface.
    details AfPacketDetails "af_packet_details_58c7c042" { sw_if_index: SwIfIndex, host_if_name: Text<64> }
}
