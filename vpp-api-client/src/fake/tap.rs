//! Taps. One that is asked for by name in a network namespace has a kernel's end: a tap of its own, made by the tools `nsenter` and `ip`,
//! which goes with the tap.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::Path,
    process::{Command, Stdio},
};

use super::{
    handlers::Handlers,
    model::{Interface, Kind, Model, Outcome, cut, made, retval},
};
use crate::{
    codec::Text,
    messages::tapv2::{
        SwInterfaceTapV2Details, SwInterfaceTapV2Dump, TapCreateV3, TapCreateV3Reply, TapDeleteV2,
    },
    types::{RxMode, SwIfIndex},
};

/// The largest number (`TAP_MAX_INSTANCE` of tap.h).
const MAX_ID: u32 = 1 << 24;

/// One tap.
#[derive(Debug)]
pub(crate) struct Tap {
    id: u32,
    details: SwInterfaceTapV2Details,
    /// Held for its `Drop`.
    _end: Option<KernelEnd>,
}

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.request(|model, request: &TapCreateV3| {
        let (retval, sw_if_index) = made(create(model, request));
        TapCreateV3Reply { retval, sw_if_index }
    });
    handlers.done(|model, request: &TapDeleteV2| {
        let index = model.parent(request.sw_if_index)?;
        if !matches!(model.get(SwIfIndex(index))?.kind, Kind::Tap(_)) {
            return Err(retval::INVALID_SW_IF_INDEX);
        }
        model.delete(index);
        Ok(())
    });
    handlers.dump(|model, dump: &SwInterfaceTapV2Dump| list(model, dump.sw_if_index));
}

fn create(model: &mut Model, request: &TapCreateV3) -> Outcome<u32> {
    let is_free = |id: &u32| {
        model.interfaces.values().all(|other| !matches!(&other.kind, Kind::Tap(tap) if tap.id == *id))
    };
    let id = match request.id {
        u32::MAX => (0..=MAX_ID).find(is_free).ok_or(retval::UNSPECIFIED)?,
        id if !is_free(&id) => return Err(retval::INVALID_INTERFACE),
        id if id > MAX_ID => return Err(retval::UNSPECIFIED),
        id => id,
    };
    let namespace = match request.host_namespace_set {
        true => Some(Namespace::find(&request.host_namespace.to_string()).ok_or(retval::SYSCALL_ERROR_2)?),
        false => None,
    };
    let end = match (namespace, request.host_if_name_set) {
        (Some(namespace), true) => Some(KernelEnd::make(namespace, request)?),
        _ => None,
    };
    let mac = model.mac(if request.use_random_mac { [0; 6] } else { request.mac_address });
    let details = details(id, request);
    let mut interface =
        Interface::new(format!("tap{id}"), Kind::Tap(Box::new(Tap { id, details, _end: end })), mac);
    interface.queues = vec![(0, RxMode::INTERRUPT); usize::from(request.num_rx_queues.max(1))];
    interface.tag = cut(&request.tag.to_string());
    Ok(model.add(interface))
}

fn details(id: u32, request: &TapCreateV3) -> SwInterfaceTapV2Details {
    let when = |is_set: bool, text: Text<64>| if is_set { text } else { Text::default() };
    SwInterfaceTapV2Details {
        id,
        tx_ring_sz: request.tx_ring_sz,
        rx_ring_sz: request.rx_ring_sz,
        host_mtu_size: if request.host_mtu_set { request.host_mtu_size } else { 0 },
        host_mac_addr: request.host_mac_addr,
        host_ip4_prefix: request.host_ip4_prefix,
        host_ip6_prefix: request.host_ip6_prefix,
        tap_flags: request.tap_flags,
        dev_name: cut(&format!("tap{id}")),
        host_if_name: when(request.host_if_name_set, request.host_if_name),
        host_namespace: when(request.host_namespace_set, request.host_namespace),
        host_bridge: when(request.host_bridge_set, request.host_bridge),
        ..SwInterfaceTapV2Details::default()
    }
}

fn list(model: &Model, wanted: SwIfIndex) -> Vec<SwInterfaceTapV2Details> {
    let taps = model.interfaces.iter().filter(|(index, _)| wanted == SwIfIndex::NONE || wanted.0 == **index);
    let details = |(index, interface): (&u32, &Interface)| match &interface.kind {
        Kind::Tap(tap) => {
            Some(SwInterfaceTapV2Details { sw_if_index: SwIfIndex(*index), ..tap.details.clone() })
        }
        _ => None,
    };
    taps.filter_map(details).collect()
}

/// A network namespace, as an option of `nsenter`.
#[derive(Debug, Clone)]
struct Namespace(String);

impl Namespace {
    /// By path, by name, or by a process: the three ways in which VPP takes one.
    fn find(text: &str) -> Option<Self> {
        let path = match text.strip_prefix("pid:") {
            Some(pid) => format!("/proc/{pid}/ns/net"),
            None if text.contains('/') => text.to_owned(),
            None => format!("/run/netns/{text}"),
        };
        Path::new(&path).exists().then(|| Self(format!("--net={path}")))
    }

    fn ip(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new("nsenter");
        command.arg(&self.0).arg("ip").args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// The kernel's end of a tap.
#[derive(Debug)]
struct KernelEnd {
    namespace: Namespace,
    name: String,
}

impl KernelEnd {
    fn make(namespace: Namespace, request: &TapCreateV3) -> Outcome<Self> {
        let name = request.host_if_name.to_string();
        // One that a killed fake has left; a killed VPP's go with it.
        namespace.ip(&["link", "del", &name]);
        if !namespace.ip(&["tuntap", "add", "name", &name, "mode", "tap"]) {
            return Err(retval::SYSCALL_ERROR_3);
        }
        let end = Self { namespace, name };
        // When this fails the end goes again.
        if end.set_up(request) { Ok(end) } else { Err(NETLINK_ERROR) }
    }

    fn set_up(&self, request: &TapCreateV3) -> bool {
        let name = self.name.as_str();
        let ip = |arguments: &[&str]| self.namespace.ip(arguments);
        let [a, b, c, d, e, f] = request.host_mac_addr;
        let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        let mtu = request.host_mtu_size.to_string();
        let (v4, v6) = (&request.host_ip4_prefix, &request.host_ip6_prefix);
        let v4 = format!("{}/{}", Ipv4Addr::from(v4.address), v4.length);
        let v6 = format!("{}/{}", Ipv6Addr::from(v6.address), v6.length);
        (!request.host_mac_addr_set || ip(&["link", "set", name, "address", &mac]))
            && (!request.host_mtu_set || ip(&["link", "set", name, "mtu", &mtu]))
            && (!request.host_ip4_prefix_set || ip(&["address", "add", &v4, "dev", name]))
            && (!request.host_ip6_prefix_set || ip(&["address", "add", &v6, "dev", name]))
            && ip(&["link", "set", name, "up"])
    }
}

/// What VPP answers when the kernel refuses to set the end up.
const NETLINK_ERROR: i32 = -145;

impl Drop for KernelEnd {
    fn drop(&mut self) {
        self.namespace.ip(&["link", "del", &self.name]);
    }
}
