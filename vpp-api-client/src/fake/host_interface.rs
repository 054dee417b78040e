//! Kernel interfaces of the host (af_packet): what is to be attached must be there.

use std::fs;

use super::{
    handlers::Handlers,
    model::{Interface, Kind, Model, cut, retval},
};
use crate::{
    messages::af_packet::{
        AfPacketCreateV3, AfPacketCreateV3Reply, AfPacketDelete, AfPacketDetails, AfPacketDump,
    },
    types::{RxMode, SwIfIndex},
};

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.request(|model, request: &AfPacketCreateV3| {
        let (retval, sw_if_index) = create(model, request);
        AfPacketCreateV3Reply { retval, sw_if_index }
    });
    handlers.done(|model, request: &AfPacketDelete| {
        let (index, _) = find(model, &request.host_if_name.to_string()).ok_or(retval::SYSCALL_ERROR_1)?;
        model.delete(index);
        Ok(())
    });
    handlers.dump(|model, _: &AfPacketDump| {
        let details = |(index, netdev): (u32, &str)| AfPacketDetails {
            sw_if_index: SwIfIndex(index),
            host_if_name: cut(netdev),
        };
        attached(model).map(details).collect()
    });
}

fn create(model: &mut Model, request: &AfPacketCreateV3) -> (i32, SwIfIndex) {
    let netdev = request.host_if_name.to_string();
    if let Some((index, _)) = find(model, &netdev) {
        return (retval::IF_ALREADY_EXISTS, SwIfIndex(index));
    }
    if !is_in_kernel(&netdev) {
        return (retval::INVALID_INTERFACE, SwIfIndex::NONE);
    }
    let mac = model.mac(if request.use_random_hw_addr { [0; 6] } else { request.hw_addr });
    let mut interface = Interface::new(format!("host-{netdev}"), Kind::HostInterface(netdev), mac);
    interface.queues = vec![(0, RxMode::INTERRUPT); usize::from(request.num_rx_queues.max(1))];
    (0, SwIfIndex(model.add(interface)))
}

fn attached(model: &Model) -> impl Iterator<Item = (u32, &str)> {
    model.interfaces.iter().filter_map(|(index, interface)| match &interface.kind {
        Kind::HostInterface(netdev) => Some((*index, netdev.as_str())),
        _ => None,
    })
}

fn find<'a>(model: &'a Model, netdev: &str) -> Option<(u32, &'a str)> {
    attached(model).find(|(_, other)| *other == netdev)
}

/// Asks for the network namespace of this thread; what /sys shows is that of whoever mounted it.
fn is_in_kernel(netdev: &str) -> bool {
    let list = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    list.lines().any(|line| line.split_once(':').is_some_and(|(name, _)| name.trim() == netdev))
}
