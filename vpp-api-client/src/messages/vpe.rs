//! VPP itself (vpp/api/vpe.api, vlib/vlib.api).

use crate::codec::{LongText, Text};

messages! {
    of "core";

    /// Asks for the version.
    request ShowVersion "show_version_51077d14" -> ShowVersionReply {}
    /// The version.
    reply ShowVersionReply "show_version_reply_c919bde1" {
        retval: i32, program: Text<32>, version: Text<32>, build_date: Text<32>, build_directory: Text<256>,
    }
    /// Runs a command of VPP's command line.
    request CliInband "cli_inband_f8377302" -> CliInbandReply { cmd: LongText }
    /// What the command printed.
    reply CliInbandReply "cli_inband_reply_05879051" { retval: i32, reply: LongText }
}
