//! VPP itself: its version and its command line.

use super::handlers::Handlers;
use super::model::cut;
use crate::{
    codec::LongText,
    messages::{
        memclnt::{ControlPing, ControlPingReply, GetFirstMsgId, GetFirstMsgIdReply},
        vpe::{CliInband, CliInbandReply, ShowVersion, ShowVersionReply},
    },
};

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.request(|model, _: &ShowVersion| ShowVersionReply {
        retval: 0,
        program: cut("vpe"),
        version: cut(&format!("{}-fake", model.release)),
        build_date: cut("2026-06-24T00:00:00"),
        build_directory: cut("/"),
    });
    handlers.request(|_, _: &ControlPing| ControlPingReply {
        retval: 0,
        client_index: 0,
        vpe_pid: std::process::id(),
    });
    // No plugin's messages stand together here.
    handlers.request(|_, _: &GetFirstMsgId| GetFirstMsgIdReply {
        retval: super::model::retval::INVALID_VALUE,
        first_msg_id: u16::MAX,
    });
    handlers.request(|model, command: &CliInband| {
        let line = command.cmd.to_string();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["show", "version", ..] => {
                let version = format!("vpp v{}-fake\n", model.release);
                CliInbandReply { retval: 0, reply: LongText::from(version.as_str()) }
            }
            _ => unknown(&line),
        }
    });
}

/// How VPP answers a command that it does not know.
pub(crate) fn unknown(line: &str) -> CliInbandReply {
    let reply = format!("unknown input `{line}'\n");
    CliInbandReply { retval: super::model::retval::UNSPECIFIED, reply: LongText::from(reply.as_str()) }
}
