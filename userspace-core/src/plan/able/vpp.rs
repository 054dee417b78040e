//! What VPP cannot make of what was asked.

use crate::{
    conf::HalfConf,
    plan::Refusal,
    spec::{Device, InterfaceSpec, Memif, MemifMode, Network, Vlan, VlanMode},
};

/// Refuses what VPP on the host cannot make.
pub(super) fn check(spec: &InterfaceSpec, network: &Network, host: &HalfConf) -> Result<(), Refusal> {
    if let (Some(vrf), false) = (host.vrf, matches!(network, Network::Routed { .. })) {
        return Err(Refusal::of("host.vrf", vrf, "is for host.netType \"interface\""));
    }
    match &spec.device {
        Device::Memif(memif) => on_memif(memif, network)?,
        Device::VhostUser(vhost) => {
            if let Some(retries) = vhost.tx_retries {
                let reason = "is a feature of engine \"ovs-dpdk\"";
                return Err(Refusal::of("host.vhost.txRetriesMax", retries, reason));
            }
        }
        _ if host.vhost.is_some() => {
            return Err(Refusal::of("host.vhost", "{…}", "is for iftype \"vhostuser\""));
        }
        _ => {}
    }
    match network {
        Network::Bridge(bridge) => vlans(&bridge.vlan),
        Network::None | Network::Routed { .. } => Ok(()),
    }
}

fn on_memif(memif: &Memif, network: &Network) -> Result<(), Refusal> {
    if memif.mode == MemifMode::Ip && matches!(network, Network::Bridge(_)) {
        let reason = "a bridge takes \"ethernet\"; \"ip\" takes netType \"interface\" or \"none\"";
        return Err(Refusal::of("host.memif.mode", "ip", reason));
    }
    Ok(())
}

/// An access port is one whose frames get a tag on their way in. A trunk is a sub-interface a VLAN.
fn vlans(vlan: &Vlan) -> Result<(), Refusal> {
    let (key, access) = ("host.bridge.vlanMode", vlan.trunks.is_empty());
    match vlan.mode {
        None | Some(VlanMode::NativeUntagged) => Ok(()),
        Some(VlanMode::Access) if access => Ok(()),
        Some(VlanMode::Trunk) if vlan.id.is_none() && !access => Ok(()),
        Some(VlanMode::Access) => {
            Err(Refusal::of(key, "access", "goes with vlanId, and trunks are given too"))
        }
        Some(VlanMode::Trunk) => {
            let reason = "goes with trunks and without vlanId; beside a vlanId it is \"native-untagged\"";
            Err(Refusal::of(key, "trunk", reason))
        }
        Some(VlanMode::NativeTagged) => {
            let reason = "is a feature of engine \"ovs-dpdk\"; on vpp name the VLAN among the trunks";
            Err(Refusal::of(key, "native-tagged", reason))
        }
        Some(VlanMode::Dot1qTunnel) => {
            Err(Refusal::of(key, "dot1q-tunnel", "is a feature of engine \"ovs-dpdk\""))
        }
    }
}
