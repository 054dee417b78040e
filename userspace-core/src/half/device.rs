//! What a container's engine is to make of a published half. Pure: the directory is joined, not looked at.

use std::{
    net::IpAddr,
    path::{Component, Path},
};

use ipnet::IpNet;

use super::{ContainerHalf, Desired};
use crate::{
    addr::{Route, SCOPE_LINK, SCOPE_UNIVERSE},
    addressing::{self, Assignment},
    conf::{InterfaceType, MemifConf, NetType, VhostConf},
    plan::{
        bridge, checked_mtu,
        userspace::{DEFAULT_BUFFER_BYTES, queues, ring, secret},
    },
    spec::{
        AbstractSocket, Device, EngineKind, InterfaceSpec, Memif, MemifRole, MemifSocket, MemifSocketType,
        Network, SocketMode, VhostUser,
    },
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn spec(half: &ContainerHalf, dir: &Path) -> Result<InterfaceSpec, BoxError> {
    let config = &half.config;
    let device = match config.iftype {
        Some(InterfaceType::Memif) => {
            let typed = config.memif.as_ref().ok_or("it is a memif, and has no config.memif")?;
            Device::Memif(memif(typed, dir)?)
        }
        Some(InterfaceType::VhostUser) => {
            let typed = config.vhost.as_ref().ok_or("it is a vhost-user port, and has no config.vhost")?;
            Device::VhostUser(vhost_user(typed, dir)?)
        }
        Some(other) => return Err(format!("config.iftype {other:?} needs nothing in the container").into()),
        None => return Err("config.iftype is missing".into()),
    };
    let mtu_bytes = checked_mtu("config.mtu", config.mtu)?;
    Ok(InterfaceSpec { mac: config.mac, mtu_bytes, ..InterfaceSpec::of(device) })
}

pub(super) fn desired(half: &ContainerHalf, dir: &Path, engine: EngineKind) -> Result<Desired, BoxError> {
    let network = network(half, engine)?;
    let given = match (engine, &network) {
        (EngineKind::Vpp, Network::Bridge(_)) => Assignment::default(),
        // What is published are the container's own already.
        _ => addressing::assign(&Network::None, &half.allocation)?.1,
    };
    let given = if engine == EngineKind::Vpp { as_vpp_has_it(given) } else { given };
    Ok(Desired { spec: spec(half, dir)?, network, given })
}

/// What VPP can be given, and shows again: its routes have no MTU, segment size or metric, and no number of a table of Linux's; the one to an
/// interface's own subnet is VPP's, as is a link-local address.
fn as_vpp_has_it(given: Assignment) -> Assignment {
    let Assignment { mut addresses, mut routes } = given;
    addresses.retain(|address| !matches!(address.ip.addr(), IpAddr::V6(ip) if ip.is_unicast_link_local()));
    routes.retain(|route| !addresses.iter().any(|address| address.ip.trunc() == route.dst.trunc()));
    for route in &mut routes {
        let is_on_link = route.gw.is_none_or(|gw| IpNet::from(gw) == route.dst);
        let gw = route.gw.filter(|_| !is_on_link);
        let scope = if is_on_link { SCOPE_LINK } else { SCOPE_UNIVERSE };
        *route = Route { scope: Some(scope), ..Route::new(route.dst, gw) };
    }
    Assignment { addresses, routes }
}

fn network(half: &ContainerHalf, engine: EngineKind) -> Result<Network, BoxError> {
    let mut typed = half.config.bridge.clone().unwrap_or_default();
    let is_joined = match engine {
        EngineKind::Ovs => {
            typed.bridge_name.get_or_insert_with(|| half.attachment.interface.to_string());
            true
        }
        EngineKind::Vpp => half.config.net_type == Some(NetType::Bridge),
        EngineKind::Linux | EngineKind::Dpdk => false,
    };
    if !is_joined {
        return Ok(Network::None);
    }
    Ok(Network::Bridge(bridge::of(engine, "config.bridge", &typed)?))
}

fn memif(typed: &MemifConf, dir: &Path) -> Result<Memif, BoxError> {
    Ok(Memif {
        role: typed.role.unwrap_or(MemifRole::Slave),
        mode: typed.mode.unwrap_or_default(),
        socket: memif_socket(typed, dir)?,
        rx_queues: queues("config.memif.rxQueues", typed.rx_queues)?,
        tx_queues: queues("config.memif.txQueues", typed.tx_queues)?,
        ring_size: ring("config.memif.ringSize", typed.ring_size)?,
        buffer_bytes: typed.buffer_size.filter(|size| *size > 0).unwrap_or(DEFAULT_BUFFER_BYTES),
        secret: secret("config.memif.secret", typed.secret.as_ref())?,
        zero_copy: !typed.no_zero_copy.unwrap_or(false),
        dma: typed.use_dma.unwrap_or(false),
    })
}

fn memif_socket(typed: &MemifConf, dir: &Path) -> Result<MemifSocket, BoxError> {
    let (name, key) = (typed.socketfile.as_deref(), "config.memif.socketfile");
    match (typed.socket_type.unwrap_or_default(), name) {
        (MemifSocketType::File, name) => Ok(MemifSocket::File(dir.join(file(name, key)?))),
        (MemifSocketType::Abstract, Some(name)) if !name.is_empty() => {
            // The container's vswitch runs in the namespace that is meant.
            Ok(MemifSocket::Abstract(AbstractSocket { name: name.to_owned(), netns: None }))
        }
        (MemifSocketType::Abstract, name) => {
            Err(format!("{key} {name:?} is not the name of a socket").into())
        }
    }
}

fn vhost_user(typed: &VhostConf, dir: &Path) -> Result<VhostUser, BoxError> {
    Ok(VhostUser {
        mode: typed.mode.unwrap_or(SocketMode::Client),
        socket: dir.join(file(typed.socketfile.as_deref(), "config.vhost.socketfile")?),
        queues: typed.queues.filter(|queues| *queues > 0).unwrap_or(1),
        tx_retries: None,
        gso: typed.enable_gso.unwrap_or(false),
        packed: typed.enable_packed.unwrap_or(false),
        event_idx: typed.enable_event_idx.unwrap_or(false),
    })
}

/// A name in the directory, not further below: the container can write to it, and another directory there may be a link. The Go plugins'
/// readers join it to the directory too.
fn file<'n>(name: Option<&'n str>, key: &str) -> Result<&'n Path, BoxError> {
    let path = Path::new(name.unwrap_or_default());
    let mut parts = path.components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        return Err(format!("{key} {name:?} is not the name of a file in the directory").into());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::MemifMode;

    fn half(config: &str) -> ContainerHalf {
        let text = format!(r#"{{"containerId":"c1","ifName":"net1","name":"net","config":{config}}}"#);
        ContainerHalf::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_halves_of_a_go_plugin_are_devices() {
        let memif = half(r#"{"iftype":"memif","memif":{"role":"slave","mode":"ip","socketfile":"a.sock"}}"#);
        let Device::Memif(memif) = memif.spec(Path::new("/shared")).unwrap().device else {
            panic!("a memif")
        };
        assert_eq!((memif.role, memif.mode), (MemifRole::Slave, MemifMode::Ip));
        assert_eq!(memif.socket.path(), Some(Path::new("/shared/a.sock")));
        assert_eq!((memif.rx_queues, memif.ring_size, memif.buffer_bytes), (1, 1024, 2048));
        let vhost = half(r#"{"iftype":"vhostuser","mtu":1400,"vhost":{"mode":"server","socketfile":"b"}}"#);
        let spec = vhost.spec(Path::new("/shared")).unwrap();
        assert_eq!(spec.mtu_bytes, Some(1400));
        let Device::VhostUser(vhost) = spec.device else { panic!("a vhost-user port") };
        assert_eq!((vhost.mode, vhost.queues), (SocketMode::Server, 1));
    }

    #[test]
    fn each_engine_has_its_own_network_and_addresses() {
        let memif = r#""iftype":"memif","memif":{"socketfile":"a.sock"}"#;
        let of = |more: &str, engine| {
            let mut half = half(&format!("{{{memif}{more}}}"));
            half.allocation.ips = vec![crate::addr::Address {
                ip: "10.0.0.2/24".parse().unwrap(),
                gateway: "10.0.0.1".parse().ok(),
            }];
            half.allocation.routes = vec![crate::addr::Route::new("0.0.0.0/0".parse().unwrap(), None)];
            half.desired(Path::new("/shared"), engine).unwrap()
        };
        let name = |desired: &Desired| match &desired.network {
            Network::Bridge(bridge) => bridge.name.clone(),
            other => format!("{other:?}"),
        };
        let plain = of("", EngineKind::Vpp);
        assert_eq!((name(&plain).as_str(), plain.given.addresses.len()), ("None", 1));
        assert_eq!(plain.given.routes[0].gw, "10.0.0.1".parse().ok());
        let joined = of(r#","netType":"bridge","bridge":{"bridgeId":4}"#, EngineKind::Vpp);
        assert_eq!((name(&joined).as_str(), joined.given), ("4", Assignment::default()));
        assert_eq!(name(&of(r#","netType":"interface""#, EngineKind::Ovs)), "net1");
        assert_eq!(name(&of(r#","bridge":{"bridgeName":"br1"}"#, EngineKind::Ovs)), "br1");
    }

    #[test]
    fn an_abstract_socket_is_in_no_directory() {
        let memif = half(r#"{"iftype":"memif","memif":{"socketType":"abstract","socketfile":"memif-0a"}}"#);
        let Device::Memif(memif) = memif.spec(Path::new("/shared")).unwrap().device else {
            panic!("a memif")
        };
        let socket = AbstractSocket { name: "memif-0a".to_owned(), netns: None };
        assert_eq!((memif.role, memif.socket), (MemifRole::Slave, MemifSocket::Abstract(socket)));
    }

    #[test]
    fn a_half_that_is_none_tells_what_is_wrong() {
        for (config, word) in [
            ("{}", "config.iftype"),
            (r#"{"iftype":"memif"}"#, "config.memif"),
            (r#"{"iftype":"memif","memif":{}}"#, "socketfile"),
            (r#"{"iftype":"memif","memif":{"socketType":"abstract"}}"#, "socketfile"),
            (r#"{"iftype":"vhostuser","vhost":{"socketfile":"../other/a"}}"#, "../other/a"),
            (r#"{"iftype":"memif","memif":{"socketfile":"/run/a"}}"#, "/run/a"),
            (r#"{"iftype":"memif","memif":{"socketfile":"below/a"}}"#, "below/a"),
            (r#"{"iftype":"memif","memif":{"socketfile":"a","ringSize":1500}}"#, "config.memif.ringSize"),
            (
                r#"{"iftype":"memif","memif":{"socketfile":"a","secret":"123456789012345678901234"}}"#,
                "config.memif.secret",
            ),
            (r#"{"iftype":"memif","mtu":7,"memif":{"socketfile":"a"}}"#, "config.mtu"),
            (r#"{"iftype":"veth"}"#, "needs nothing"),
        ] {
            let error = half(config).spec(Path::new("/shared")).unwrap_err();
            let text = crate::engine::chain(&error);
            assert!(text.contains(word), "{config}: {text}");
        }
    }
}
