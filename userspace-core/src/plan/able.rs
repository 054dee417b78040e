//! What an engine cannot make of what was asked, told by the key that asked for it, with what would work.

mod vpp;

use super::{Part, Refusal};
use crate::{
    conf::HalfConf,
    spec::{Device, EngineKind, InterfaceKind, InterfaceSpec, Memif, MemifMode, MemifRole, Network, Rate},
};

/// Refuses what the host's engine cannot make.
pub(super) fn check(part: &Part, host: &HalfConf) -> Result<(), Refusal> {
    if part.engine.kind != EngineKind::Vpp {
        only_vpp(host)?;
    }
    match part.engine.kind {
        EngineKind::Linux => on_linux(&part.spec, &part.network, host),
        EngineKind::Ovs => on_ovs(&part.spec, &part.network, host),
        EngineKind::Vpp => vpp::check(&part.spec, &part.network, host),
        EngineKind::Dpdk => Ok(()),
    }
}

fn only_vpp(host: &HalfConf) -> Result<(), Refusal> {
    let reason = "is a feature of engine \"vpp\"";
    if let Some(vrf) = host.vrf {
        return Err(Refusal::of("host.vrf", vrf, reason));
    }
    if let Some(mode) = host.rx_mode {
        return Err(Refusal::of("host.rxMode", format!("{mode:?}").to_lowercase(), reason));
    }
    if let Some(workers) = &host.rx_workers {
        return Err(Refusal::of("host.rxWorkers", format!("{workers:?}"), reason));
    }
    Ok(())
}

/// Why a memif's `inject-punt` is refused.
pub(super) fn refuse_mode(key: &str, mode: MemifMode) -> Result<(), Refusal> {
    match mode {
        MemifMode::Ethernet | MemifMode::Ip => Ok(()),
        MemifMode::InjectPunt => {
            let reason = "VPP crashes on it; \"ethernet\" and \"ip\" work";
            Err(Refusal::of(key, "inject-punt", reason))
        }
    }
}

fn on_ovs(spec: &InterfaceSpec, network: &Network, host: &HalfConf) -> Result<(), Refusal> {
    if matches!(network, Network::Routed { .. }) {
        let reason = "ovs-dpdk takes \"bridge\", or \"none\" for a port on br0";
        return Err(Refusal::of("host.netType", "interface", reason));
    }
    match &spec.device {
        Device::Memif(memif) => memif_on_ovs(memif, spec),
        Device::VhostUser(vhost) => {
            let only_vpp = [
                ("host.vhost.enableGso", vhost.gso),
                ("host.vhost.enablePacked", vhost.packed),
                ("host.vhost.enableEventIdx", vhost.event_idx),
            ];
            match only_vpp.iter().find(|(_, set)| *set) {
                Some((key, _)) => Err(Refusal::of(*key, true, "is a feature of engine \"vpp\"")),
                None => Ok(()),
            }
        }
        Device::Netdev(_) if host.vhost.is_some() => {
            Err(Refusal::of("host.vhost", "{…}", "is for iftype \"vhostuser\""))
        }
        _ => Ok(()),
    }
}

fn memif_on_ovs(memif: &Memif, spec: &InterfaceSpec) -> Result<(), Refusal> {
    if memif.role == MemifRole::Slave {
        let reason = "OVS on the host is the master only: its slave would need a listener before it is made";
        return Err(Refusal::of("host.memif.role", "slave", reason));
    }
    if memif.mode == MemifMode::Ip {
        return Err(Refusal::of("host.memif.mode", "ip", "DPDK's memif carries \"ethernet\" only"));
    }
    if memif.dma {
        return Err(Refusal::of("host.memif.useDma", true, "is a feature of engine \"vpp\""));
    }
    match spec.mtu_bytes {
        Some(mtu) => {
            let reason = "DPDK's memif has no MTU to set: leave it out, or use iftype \"vhostuser\"";
            Err(Refusal::of("host.mtu", mtu, reason))
        }
        None => Ok(()),
    }
}

fn on_linux(spec: &InterfaceSpec, network: &Network, host: &HalfConf) -> Result<(), Refusal> {
    if spec.kind() != InterfaceKind::Veth && *network != Network::None {
        let net_type = match network {
            Network::Bridge(_) => "bridge",
            _ => "interface",
        };
        let reason = format!("a {} on linux takes \"none\" only", spec.kind());
        return Err(Refusal::of("host.netType", net_type, reason));
    }
    if let Network::Bridge(bridge) = network
        && !bridge.vlan.is_untouched()
    {
        let reason =
            "VLANs on linux take a bridge each: name another bridgeName, or use \"ovs-dpdk\" or \"vpp\"";
        let conf = host.bridge.clone().unwrap_or_default();
        return Err(match (conf.vlan_id, conf.trunks) {
            (Some(id), _) => Refusal::of("host.bridge.vlanId", id, reason),
            (None, Some(trunks)) => Refusal::of("host.bridge.trunks", format!("{trunks:?}"), reason),
            (None, None) => Refusal::of("host.bridge.vlanMode", format!("{:?}", conf.vlan_mode), reason),
        });
    }
    if let Some(bandwidth) = spec.bandwidth {
        let reason = "linux has no rate limits of its own: chain the plugin \"bandwidth\" behind this one";
        let rate = |limit: Option<Rate>| limit.map_or(0, |rate| rate.bits_per_second);
        let value =
            format!("ingress {} bit/s, egress {} bit/s", rate(bandwidth.ingress), rate(bandwidth.egress));
        return Err(Refusal::of("bandwidth", value, reason));
    }
    Ok(())
}
