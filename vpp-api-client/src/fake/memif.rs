//! memif: the table of sockets, and the interfaces on them.

use std::{collections::BTreeMap, os::unix::net::UnixListener};

use super::{
    handlers::Handlers,
    listener::{is_whole, listen},
    model::{Interface, Kind, Model, Outcome, cut, made, retval},
};
use crate::{
    messages::memif::{
        MemifCreate, MemifCreateReply, MemifCreateV2, MemifCreateV2Reply, MemifDelete, MemifDetails,
        MemifDump, MemifSocketFilenameAddDel, MemifSocketFilenameAddDelV2, MemifSocketFilenameAddDelV2Reply,
        MemifSocketFilenameDetails, MemifSocketFilenameDump,
    },
    types::{IfStatus, MemifMode, MemifRole, SwIfIndex},
};

/// A socket's number, as VPP keeps it. The count of users falls below zero when a master cannot listen: the next one then is taken
/// for the second user, and nothing listens.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    path: String,
    users: i32,
    is_listener: bool,
    listener: Option<UnixListener>,
}

/// One memif.
#[derive(Debug)]
pub(crate) struct Memif {
    socket_id: u32,
    id: u32,
    role: MemifRole,
    mode: MemifMode,
    zero_copy: bool,
}

impl Memif {
    pub(crate) fn is_ethernet(&self) -> bool {
        self.mode == MemifMode::ETHERNET
    }
}

/// VPP's own socket.
pub(crate) fn first_sockets(runtime: &str) -> BTreeMap<u32, Socket> {
    let path = format!("{runtime}/memif.sock");
    BTreeMap::from([(0, Socket { path, ..Socket::default() })])
}

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.done(|model, request: &MemifSocketFilenameAddDel| {
        if request.socket_id == u32::MAX {
            return Err(retval::INVALID_ARGUMENT);
        }
        add_del_socket(model, request.is_add, request.socket_id, &request.socket_filename.to_string())
    });
    handlers.request(|model, request: &MemifSocketFilenameAddDelV2| {
        let mut socket_id = request.socket_id;
        if request.is_add && socket_id == u32::MAX {
            socket_id = (1..u32::MAX).find(|id| !model.sockets.contains_key(id)).unwrap_or(u32::MAX);
        }
        let outcome = add_del_socket(model, request.is_add, socket_id, &request.socket_filename.to_string());
        MemifSocketFilenameAddDelV2Reply { retval: outcome.err().unwrap_or_default(), socket_id }
    });
    handlers.dump(|model, _: &MemifSocketFilenameDump| {
        let details = |(id, socket): (&u32, &Socket)| MemifSocketFilenameDetails {
            socket_id: *id,
            socket_filename: cut(&socket.path),
        };
        model.sockets.iter().map(details).collect()
    });
    handlers.request(|model, request: &MemifCreate| {
        let (retval, sw_if_index) = made(create(model, &newer(request)));
        MemifCreateReply { retval, sw_if_index }
    });
    handlers.request(|model, request: &MemifCreateV2| {
        let (retval, sw_if_index) = made(create(model, request));
        MemifCreateV2Reply { retval, sw_if_index }
    });
    handlers.done(|model, request: &MemifDelete| {
        let index = model.parent(request.sw_if_index)?;
        match model.get(SwIfIndex(index))?.kind {
            Kind::Memif(_) => {
                delete(model, index);
                Ok(())
            }
            _ => Err(retval::INVALID_SW_IF_INDEX),
        }
    });
    handlers.dump(|model, _: &MemifDump| list(model));
}

fn newer(request: &MemifCreate) -> MemifCreateV2 {
    MemifCreateV2 {
        role: request.role,
        mode: request.mode,
        rx_queues: request.rx_queues,
        tx_queues: request.tx_queues,
        id: request.id,
        socket_id: request.socket_id,
        ring_size: request.ring_size,
        buffer_size: request.buffer_size,
        no_zero_copy: request.no_zero_copy,
        use_dma: false,
        hw_addr: request.hw_addr,
        secret: request.secret,
    }
}

fn add_del_socket(model: &mut Model, is_add: bool, id: u32, path: &str) -> Outcome {
    if id == 0 || id == u32::MAX {
        return Err(retval::INVALID_ARGUMENT);
    }
    if !is_add {
        return match model.sockets.get(&id) {
            None => Err(retval::INVALID_ARGUMENT),
            Some(socket) if socket.users > 0 => Err(retval::UNEXPECTED_INTF_STATE),
            Some(_) => {
                model.sockets.remove(&id);
                Ok(())
            }
        };
    }
    if path.is_empty() {
        return Err(retval::INVALID_ARGUMENT);
    }
    let path =
        if is_whole(path, model.release) { path.to_owned() } else { format!("{}/{path}", model.runtime) };
    match model.sockets.get(&id) {
        Some(socket) if socket.path == path => Ok(()),
        Some(_) => Err(retval::ENTRY_ALREADY_EXISTS),
        None => {
            model.sockets.insert(id, Socket { path, ..Socket::default() });
            Ok(())
        }
    }
}

fn create(model: &mut Model, request: &MemifCreateV2) -> Outcome<u32> {
    if request.ring_size != 0 && !request.ring_size.is_power_of_two() {
        return Err(retval::INVALID_ARGUMENT);
    }
    let is_taken = model.interfaces.values().any(|other| {
        matches!(&other.kind, Kind::Memif(memif) if (memif.socket_id, memif.id) == (request.socket_id, request.id))
    });
    let release = model.release;
    let socket = model.sockets.get_mut(&request.socket_id).ok_or(retval::INVALID_ARGUMENT)?;
    let is_master = request.role == MemifRole::MASTER;
    if socket.users > 0 && (socket.is_listener != is_master || is_taken) {
        return Err(retval::SUBIF_ALREADY_EXISTS);
    }
    if request.mode != MemifMode::ETHERNET && request.mode != MemifMode::IP {
        model.has_crashed = true;
        return Err(retval::SYSCALL_ERROR_2);
    }
    if socket.users == 0 {
        socket.is_listener = is_master;
        if is_master {
            match listen(&socket.path, release) {
                Some(listener) => socket.listener = Some(listener),
                None => {
                    socket.users -= 1;
                    return Err(retval::SYSCALL_ERROR_4);
                }
            }
        }
    }
    socket.users += 1;
    let memif = Memif {
        socket_id: request.socket_id,
        id: request.id,
        role: if is_master { MemifRole::MASTER } else { MemifRole::SLAVE },
        mode: request.mode,
        zero_copy: !is_master && !request.no_zero_copy,
    };
    let mac = if memif.is_ethernet() { model.mac(request.hw_addr) } else { [0; 6] };
    let name = format!("memif{}/{}", memif.socket_id, memif.id);
    let mut interface = Interface::new(name, Kind::Memif(memif), mac);
    if !interface.is_ethernet() {
        (interface.link_mtu, interface.mtu) = (0, [0; 4]);
    }
    Ok(model.add(interface))
}

/// The last one closes the socket, whose file stays.
fn delete(model: &mut Model, index: u32) {
    let gone = model.delete(index);
    let Some(Kind::Memif(memif)) = gone.map(|gone| gone.kind) else { return };
    if let Some(socket) = model.sockets.get_mut(&memif.socket_id) {
        socket.users -= 1;
        if socket.users == 0 {
            socket.listener = None;
        }
    }
}

fn list(model: &Model) -> Vec<MemifDetails> {
    let mut all = Vec::new();
    for (index, interface) in &model.interfaces {
        let Kind::Memif(memif) = &interface.kind else { continue };
        all.push(MemifDetails {
            sw_if_index: SwIfIndex(*index),
            hw_addr: interface.mac,
            id: memif.id,
            role: memif.role,
            mode: memif.mode,
            zero_copy: memif.zero_copy,
            socket_id: memif.socket_id,
            // Values of run time: nobody is connected.
            ring_size: 1,
            buffer_size: 0,
            flags: if interface.is_up { IfStatus::ADMIN_UP } else { IfStatus::DOWN },
            if_name: cut(&interface.name),
        });
    }
    all
}
