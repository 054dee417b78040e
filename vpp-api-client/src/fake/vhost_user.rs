//! vhost-user ports. A server's socket is there, and accepts nobody.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
};

use super::{
    handlers::Handlers,
    model::{Interface, Kind, Model, cut, retval},
};
use crate::{
    messages::vhost_user::{
        CreateVhostUserIfV2, CreateVhostUserIfV2Reply, DeleteVhostUserIf, SwInterfaceVhostUserDetails,
        SwInterfaceVhostUserDump,
    },
    types::SwIfIndex,
};

/// `sun_path` without its NUL: a longer path is cut.
const MAX_PATH: usize = 107;

/// One port.
#[derive(Debug)]
pub(crate) struct VhostUser {
    path: String,
    listener: Option<UnixListener>,
    /// Its number among the ports, which its name has when it is not told otherwise.
    instance: u32,
}

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.request(|model, request: &CreateVhostUserIfV2| {
        let (retval, sw_if_index) = match create(model, request) {
            Ok(index) => (0, SwIfIndex(index)),
            Err((retval, index)) => (retval, index.map_or(SwIfIndex::NONE, SwIfIndex)),
        };
        CreateVhostUserIfV2Reply { retval, sw_if_index }
    });
    handlers.done(|model, request: &DeleteVhostUserIf| {
        let index = model.parent(request.sw_if_index)?;
        if !matches!(model.get(SwIfIndex(index))?.kind, Kind::VhostUser(_)) {
            return Err(retval::INVALID_SW_IF_INDEX);
        }
        if let Some(Kind::VhostUser(gone)) = model.delete(index).map(|gone| gone.kind)
            && gone.listener.is_some()
        {
            // It may be gone already.
            let _ = fs::remove_file(cut_path(&gone.path));
        }
        Ok(())
    });
    handlers.dump(|model, dump: &SwInterfaceVhostUserDump| list(model, dump.sw_if_index));
}

/// The error is VPP's number, and the port that has the path already.
fn create(model: &mut Model, request: &CreateVhostUserIfV2) -> Result<u32, (i32, Option<u32>)> {
    let path = request.sock_filename.to_string();
    if path.is_empty() {
        return Err((retval::INVALID_ARGUMENT, None));
    }
    let ports = || {
        model.interfaces.iter().filter_map(|(index, interface)| match &interface.kind {
            Kind::VhostUser(port) => Some((*index, port)),
            _ => None,
        })
    };
    if let Some((index, _)) = ports().find(|(_, port)| port.path == path) {
        return Err((retval::IF_ALREADY_EXISTS, Some(index)));
    }
    let instance = (0..).find(|number| ports().all(|(_, port)| port.instance != *number)).unwrap_or_default();
    let listener = match request.is_server {
        true => Some(listen(&path).ok_or((retval::SYSCALL_ERROR_2, None))?),
        false => None,
    };
    let shown = if request.renumber { request.custom_dev_instance } else { instance };
    let mac = model.mac(if request.use_custom_mac { request.mac_address } else { [0; 6] });
    let port = VhostUser { path, listener, instance };
    let mut interface = Interface::new(format!("VirtualEthernet0/0/{shown}"), Kind::VhostUser(port), mac);
    interface.tag = request.tag;
    Ok(model.add(interface))
}

/// Whatever is at the path goes.
fn listen(path: &str) -> Option<UnixListener> {
    let path = cut_path(path);
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path).ok()?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).ok()?;
    Some(listener)
}

fn cut_path(path: &str) -> &str {
    path.get(..path.len().min(MAX_PATH)).unwrap_or(path)
}

fn list(model: &Model, wanted: SwIfIndex) -> Vec<SwInterfaceVhostUserDetails> {
    let mut all = Vec::new();
    for (index, interface) in &model.interfaces {
        let Kind::VhostUser(port) = &interface.kind else { continue };
        if wanted == SwIfIndex::NONE || wanted.0 == *index {
            all.push(SwInterfaceVhostUserDetails {
                sw_if_index: SwIfIndex(*index),
                interface_name: cut(&interface.name),
                is_server: port.listener.is_some(),
                sock_filename: cut(&port.path),
                ..SwInterfaceVhostUserDetails::default()
            });
        }
    }
    all
}
