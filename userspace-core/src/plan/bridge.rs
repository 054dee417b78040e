//! Which layer-2 domain a half names: checked to what its engine takes.

use super::Refusal;
use crate::{
    conf::BridgeConf,
    id::InterfaceName,
    spec::{Bridge, EngineKind, Vlan},
};

/// The bridge of a port on Open vSwitch when none is named: every port is on one.
pub const OVS_BRIDGE: &str = "br0";

/// The largest number of a bridge domain of VPP (l2_bd.h).
const MAX_DOMAIN: u32 = 0xff_ffff;

/// What a bridge domain's tag has room for behind our mark.
const MAX_DOMAIN_NAME: usize = 40;

/// The domain that the options at `key` name for `engine`.
pub(crate) fn of(engine: EngineKind, key: &str, conf: &BridgeConf) -> Result<Bridge, Refusal> {
    let at = |name: &str| format!("{key}.{name}");
    let name = match (&conf.bridge_name, conf.bridge_id, engine) {
        (Some(name), _, _) => name.clone(),
        (None, Some(id), EngineKind::Vpp) => id.to_string(),
        (None, _, EngineKind::Ovs) => OVS_BRIDGE.to_owned(),
        (None, _, _) => return Err(Refusal::missing(at("bridgeName"), "name the bridge to join")),
    };
    if engine == EngineKind::Vpp {
        domain(&name).map_err(|reason| Refusal::of(at("bridgeName"), &name, reason))?;
    } else if name.parse::<InterfaceName>().is_err() {
        return Err(Refusal::of(
            at("bridgeName"),
            name,
            "a bridge's name has 1 to 15 bytes, without '/', ':' and white space",
        ));
    }
    Ok(Bridge { name, vlan: vlan(key, conf)? })
}

/// VPP's bridge domains have numbers of 24 bits, of which 0 is VPP's own (l2_bd.h), and tags of 63 bytes, where a name stands behind
/// our mark.
fn domain(name: &str) -> Result<(), String> {
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        let number = name.parse::<u32>().ok().filter(|number| (1..=MAX_DOMAIN).contains(number));
        return number.map(drop).ok_or_else(|| format!("a bridge domain's number is 1 to {MAX_DOMAIN}"));
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    if name.is_empty() || name.len() > MAX_DOMAIN_NAME || !plain {
        return Err(format!("a bridge domain's name has 1 to {MAX_DOMAIN_NAME} bytes, without white space"));
    }
    Ok(())
}

fn vlan(key: &str, conf: &BridgeConf) -> Result<Vlan, Refusal> {
    let reason = "a VLAN id is 1 to 4094";
    let id = conf.vlan_id.filter(|id| *id != 0);
    if let Some(bad) = id.filter(|id| *id > 4094) {
        return Err(Refusal::of(format!("{key}.vlanId"), bad, reason));
    }
    let mut trunks = conf.trunks.clone().unwrap_or_default();
    trunks.sort_unstable();
    trunks.dedup();
    if let Some(bad) = trunks.iter().find(|id| !(1..=4094).contains(*id)) {
        return Err(Refusal::of(format!("{key}.trunks"), bad, reason));
    }
    Ok(Vlan { id, trunks, mode: conf.vlan_mode })
}
