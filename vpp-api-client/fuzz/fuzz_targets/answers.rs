//! Whatever comes from the socket: split into messages, each read as a table and as every message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vpp_api_client::{
    Table,
    codec::Cursor,
    frame::Splitter,
    messages::{self, memif::MemifDelete},
};

fuzz_target!(|bytes: &[u8]| {
    let mut splitter = Splitter::default();
    splitter.push(bytes);
    while let Ok(Some(message)) = splitter.next_message() {
        if let Ok(table) = Table::take(&mut Cursor::new(message)) {
            let _ = table.id::<MemifDelete>();
        }
        messages::decode_all(message);
    }
});
