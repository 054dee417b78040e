//! Connecting, and being there (vlibmemory/memclnt.api). The client itself sends these.

use crate::codec::Text;

messages! {
    of "core";

    /// Leaves.
    request SockclntDelete "sockclnt_delete_8ac76db6" -> SockclntDeleteReply { index: u32 }
    /// `retval` is 1 when the client has left.
    reply SockclntDeleteReply "sockclnt_delete_reply_8f38b1ee" { retval: i32 }
    /// Asks for an answer.
    request ControlPing "control_ping_51077d14" -> ControlPingReply {}
    /// VPP is there.
    reply ControlPingReply "control_ping_reply_f6b0b8ca" { retval: i32, client_index: u32, vpe_pid: u32 }
    /// Asks for the first message number of a plugin.
    request GetFirstMsgId "get_first_msg_id_ebf79a66" -> GetFirstMsgIdReply { name: Text<64> }
    /// The number.
    reply GetFirstMsgIdReply "get_first_msg_id_reply_7d337472" { retval: i32, first_msg_id: u16 }
}
