//! Prints requests and VPP's answers as they are on the wire, in hex: `cargo run --example capture SOCKET`. Makes some interfaces for
//! that, so it is for a VPP that nobody needs. `tests/golden` was made with it.

use std::{
    collections::HashMap,
    error::Error,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};

use vpp_api_client::{
    Message, Request, Table,
    codec::{Cursor, Text, Wire},
    frame::{self, Splitter},
    messages::{
        interface::{
            CreateLoopbackInstance, SwInterfaceAddDelAddress, SwInterfaceDump, SwInterfaceSetFlags,
            SwInterfaceTagAddDel,
        },
        ip::{IpAddressDump, IpRouteLookup, IpTableDump},
        l2::{BridgeDomainAddDel, BridgeDomainDump, SwInterfaceSetL2Bridge},
        memclnt::ControlPing,
        memif::{MemifCreateV2, MemifDump, MemifSocketFilenameAddDelV2},
        policer::{PolicerAddDel, PolicerDump},
        vpe::ShowVersion,
    },
    types::{Address, AddressFamily, IfStatus, MemifRole, Prefix, QosAction, QosActionType, SwIfIndex},
};

type Anything<T = ()> = Result<T, Box<dyn Error>>;

/// A connection without the client's conveniences: what comes is printed as it is.
struct Raw {
    stream: UnixStream,
    splitter: Splitter,
    index: u32,
    ids: HashMap<String, u16>,
    names: HashMap<u16, String>,
}

impl Raw {
    fn connect(socket: &str) -> Anything<Self> {
        let stream = UnixStream::connect(socket)?;
        let (ids, names) = (HashMap::new(), HashMap::new());
        let mut raw = Self { stream, splitter: Splitter::default(), index: 0, ids, names };
        let name: Text<64> = "capture".parse()?;
        let mut hello = Vec::new();
        frame::put(&mut hello, |out| {
            15u16.put(out);
            0u32.put(out);
            name.put(out);
        });
        raw.stream.write_all(&hello)?;
        let reply = raw.next()?;
        let mut from = Cursor::new(&reply);
        // The number, VPP's own number for the client, the context and the response.
        from.bytes(2 + 4 + 4 + 4)?;
        raw.index = u32::take(&mut from)?;
        for (name, id) in Table::take(&mut from)?.iter() {
            let name = String::from_utf8_lossy(name).into_owned();
            raw.names.insert(id, name.clone());
            raw.ids.insert(name, id);
        }
        Ok(raw)
    }

    fn next(&mut self) -> Anything<Vec<u8>> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(message) = self.splitter.next_message()? {
                return Ok(message.to_vec());
            }
            let count = self.stream.read(&mut bytes)?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.splitter.push(&bytes[..count]);
        }
    }

    fn send<M: Message>(&mut self, message: &M) -> Anything {
        let id = *self.ids.get(M::NAME).ok_or(M::NAME)?;
        let mut out = Vec::new();
        frame::put(&mut out, |out| {
            id.put(out);
            self.index.put(out);
            1u32.put(out);
            message.put(out);
        });
        print(M::NAME, &out[frame::HEADER..])?;
        Ok(self.stream.write_all(&out)?)
    }

    /// A request and its reply.
    fn ask<R: Request>(&mut self, request: &R) -> Anything<R::Reply> {
        self.send(request)?;
        let reply = self.next()?;
        self.show(&reply)?;
        Ok(R::Reply::take(&mut Cursor::new(&reply[6..]))?)
    }

    /// A dump and its details, up to a ping's reply.
    fn dump<M: Message>(&mut self, dump: &M) -> Anything {
        self.send(dump)?;
        self.send(&ControlPing {})?;
        loop {
            let message = self.next()?;
            self.show(&message)?;
            let name = message.first_chunk().and_then(|id| self.names.get(&u16::from_be_bytes(*id)));
            if name.is_some_and(|name| name.starts_with("control_ping_reply")) {
                return Ok(());
            }
        }
    }

    fn show(&self, message: &[u8]) -> io::Result<()> {
        let id = message.first_chunk().map(|id| u16::from_be_bytes(*id)).unwrap_or_default();
        print(self.names.get(&id).map_or("unknown", String::as_str), message)
    }
}

fn print(name: &str, message: &[u8]) -> io::Result<()> {
    let hex: String = message.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(io::stdout(), "{name} {hex}")
}

fn main() -> Anything {
    let socket = std::env::args().nth(1).ok_or("usage: capture SOCKET")?;
    let mut vpp = Raw::connect(&socket)?;
    vpp.ask(&ShowVersion {})?;
    interfaces(&mut vpp)?;
    others(&mut vpp)
}

fn interfaces(vpp: &mut Raw) -> Anything {
    let made = CreateLoopbackInstance { is_specified: true, user_instance: 7, ..Default::default() };
    let sw_if_index = vpp.ask(&made)?.sw_if_index;
    vpp.ask(&SwInterfaceSetFlags { sw_if_index, flags: IfStatus::ADMIN_UP })?;
    vpp.ask(&SwInterfaceTagAddDel { is_add: true, sw_if_index, tag: "golden".parse()? })?;
    let address =
        Address { family: AddressFamily::IP4, bytes: [10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] };
    let prefix = Prefix { address, length: 24 };
    vpp.ask(&SwInterfaceAddDelAddress { sw_if_index, is_add: true, del_all: false, prefix })?;
    vpp.dump(&SwInterfaceDump::named("loop7"))?;
    vpp.dump(&IpAddressDump { sw_if_index, is_ipv6: false })?;
    vpp.ask(&IpRouteLookup { table_id: 0, exact: 1, prefix })?;
    vpp.ask(&IpRouteLookup { table_id: 99, exact: 1, prefix })?;
    vpp.dump(&IpTableDump {})
}

fn others(vpp: &mut Raw) -> Anything {
    let member = vpp.ask(&CreateLoopbackInstance::default())?.sw_if_index;
    let domain =
        BridgeDomainAddDel { bd_id: 5, flood: true, forward: true, is_add: true, ..Default::default() };
    vpp.ask(&BridgeDomainAddDel { bd_tag: "blue".parse()?, ..domain })?;
    vpp.ask(&SwInterfaceSetL2Bridge {
        rx_sw_if_index: member,
        bd_id: 5,
        shg: 1,
        enable: true,
        ..Default::default()
    })?;
    vpp.dump(&BridgeDomainDump::all())?;
    let socket_filename = "/tmp/golden.sock".into();
    vpp.ask(&MemifSocketFilenameAddDelV2 { is_add: true, socket_id: 9, socket_filename })?;
    let hw_addr = [2, 1, 2, 3, 4, 5];
    vpp.ask(&MemifCreateV2 { role: MemifRole::SLAVE, socket_id: 9, hw_addr, ..Default::default() })?;
    vpp.dump(&MemifDump {})?;
    let conform_action = QosAction { kind: QosActionType::TRANSMIT, dscp: 0 };
    vpp.ask(&PolicerAddDel {
        is_add: true,
        name: "golden".parse()?,
        cir: 8000,
        cb: 100_000,
        conform_action,
        ..Default::default()
    })?;
    vpp.dump(&PolicerDump::default())?;
    vpp.dump(&SwInterfaceDump::one(SwIfIndex(4000)))
}
