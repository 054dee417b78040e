//! Shared-memory packet interfaces (plugins/memif/memif.api).

use crate::{
    codec::{Hidden, LongText, Text},
    types::{IfStatus, MemifMode, MemifRole, SwIfIndex},
};

messages! {
    of "memif plugin";

    /// Up to 23.02: names a socket, or forgets it.
    request MemifSocketFilenameAddDel "memif_socket_filename_add_del_a2ce1a10" -> MemifSocketFilenameAddDelReply {
        is_add: bool, socket_id: u32, socket_filename: Text<108>,
    }
    /// Done, or not.
    reply MemifSocketFilenameAddDelReply "memif_socket_filename_add_del_reply_e8d4e804" { retval: i32 }
    /// From 23.06: names a socket, or forgets it; `socket_id` 0xffffffff lets VPP choose.
    request MemifSocketFilenameAddDelV2 "memif_socket_filename_add_del_v2_34223bdf" -> MemifSocketFilenameAddDelV2Reply {
        is_add: bool, socket_id: u32, socket_filename: LongText,
    }
    /// Its number.
    reply MemifSocketFilenameAddDelV2Reply "memif_socket_filename_add_del_v2_reply_9f29bdb9" { retval: i32, socket_id: u32 }
    /// Lists the sockets.
    dump MemifSocketFilenameDump "memif_socket_filename_dump_51077d14" -> MemifSocketFilenameDetails {}
    /// One socket.
    details MemifSocketFilenameDetails "memif_socket_filename_details_7ff326f7" { socket_id: u32, socket_filename: Text<108> }
    /// Makes a memif.
    request MemifCreate "memif_create_b1b25061" -> MemifCreateReply {
        role: MemifRole, mode: MemifMode, rx_queues: u8, tx_queues: u8, id: u32, socket_id: u32, ring_size: u32,
        buffer_size: u16, no_zero_copy: bool, hw_addr: [u8; 6], secret: Hidden<24>,
    }
    /// The memif.
    reply MemifCreateReply "memif_create_reply_5383d31f" { retval: i32, sw_if_index: SwIfIndex }
    /// From 23.06: makes a memif that may use DMA.
    request MemifCreateV2 "memif_create_v2_8c7de5f7" -> MemifCreateV2Reply {
        role: MemifRole, mode: MemifMode, rx_queues: u8, tx_queues: u8, id: u32, socket_id: u32, ring_size: u32,
        buffer_size: u16, no_zero_copy: bool, use_dma: bool, hw_addr: [u8; 6], secret: Hidden<24>,
    }
    /// The memif.
    reply MemifCreateV2Reply "memif_create_v2_reply_5383d31f" { retval: i32, sw_if_index: SwIfIndex }
    /// Removes a memif.
    request MemifDelete "memif_delete_f9e6675e" -> MemifDeleteReply { sw_if_index: SwIfIndex }
    /// Done, or not.
    reply MemifDeleteReply "memif_delete_reply_e8d4e804" { retval: i32 }
    /// Lists the memifs.
    dump MemifDump "memif_dump_51077d14" -> MemifDetails {}
    /// One memif, with its values at run time: a master shows a ring of 1 and a buffer of 0.
    details MemifDetails "memif_details_da34feb9" {
        sw_if_index: SwIfIndex, hw_addr: [u8; 6], id: u32, role: MemifRole, mode: MemifMode, zero_copy: bool, socket_id: u32,
        ring_size: u32, buffer_size: u16, flags: IfStatus, if_name: Text<64>,
    }
}
