//! VLANs of a port in a bridge domain.
//!
//! An access port gets its tag by a rewrite: what comes in is tagged, what goes out must have that tag and loses it. A trunk is a
//! sub-interface for each VLAN, which keeps the tag. The port itself is a member too when it has a native VLAN. VPP sends a frame of another
//! VLAN there all the same, unless it is told to filter.

use userspace_core::{engine::EngineError, fault, spec::Vlan};
use vpp_api_client::{
    Client,
    messages::{
        interface::{CreateSubif, SwInterfaceDetails, SwInterfaceDump},
        l2::{L2InterfaceEfpFilter, L2InterfaceVlanTagRewrite},
    },
    types::{SubIfFlags, SwIfIndex, VtrOp},
};

use crate::{
    access::{self, ask},
    error::{self, retval},
};

/// Makes the sub-interfaces of a trunk.
pub(crate) async fn set(
    vpp: &Client,
    index: SwIfIndex,
    name: &str,
    vlan: &Vlan,
    is_new: bool,
) -> Result<(), EngineError> {
    if vlan.trunks.is_empty() {
        return Ok(());
    }
    let there = if is_new { Vec::new() } else { subinterfaces(vpp, index, name).await? };
    for id in &vlan.trunks {
        let found = there.iter().find(|sub| sub.sub_outer_vlan_id == *id).map(|sub| sub.sw_if_index);
        let sub = match found {
            Some(sub) => sub,
            None => create(vpp, index, *id).await?,
        };
        filter(vpp, sub).await?;
        ask(vpp, &format!("set the sub-interface of VLAN {id} up"), &access::up(sub)).await?;
    }
    Ok(())
}

async fn create(vpp: &Client, sw_if_index: SwIfIndex, id: u16) -> Result<SwIfIndex, EngineError> {
    fault::point("before sub-interface")?;
    let create = CreateSubif {
        sw_if_index,
        sub_id: u32::from(id),
        flags: SubIfFlags::ONE_TAG_EXACT,
        outer_vlan_id: id,
        inner_vlan_id: 0,
    };
    let made = ask(vpp, &format!("make the sub-interface of VLAN {id}"), &create).await?;
    fault::point("after sub-interface")?;
    Ok(made.sw_if_index)
}

/// What of the port is in the domain.
pub(crate) async fn members(
    vpp: &Client,
    index: SwIfIndex,
    name: &str,
    vlan: &Vlan,
) -> Result<Vec<SwIfIndex>, EngineError> {
    if vlan.trunks.is_empty() {
        return Ok(vec![index]);
    }
    let all = subinterfaces(vpp, index, name).await?;
    let wanted = all.iter().filter(|sub| vlan.trunks.contains(&sub.sub_outer_vlan_id));
    let native = vlan.id.map(|_| index);
    Ok(wanted.map(|sub| sub.sw_if_index).chain(native).collect())
}

/// Sets what happens to the tags of the port itself.
pub(crate) async fn rewrite(vpp: &Client, sw_if_index: SwIfIndex, vlan: &Vlan) -> Result<(), EngineError> {
    let Some(id) = vlan.id else {
        return Ok(());
    };
    fault::point("before tag rewrite")?;
    let push = L2InterfaceVlanTagRewrite {
        sw_if_index,
        vtr_op: VtrOp::PUSH_1,
        push_dot1q: 1,
        tag1: u32::from(id),
        tag2: 0,
    };
    ask(vpp, &format!("give the port its VLAN {id}"), &push).await?;
    filter(vpp, sw_if_index).await?;
    fault::point("after tag rewrite")
}

/// Lets the port send frames of its own VLAN alone.
async fn filter(vpp: &Client, sw_if_index: SwIfIndex) -> Result<(), EngineError> {
    let request = L2InterfaceEfpFilter { sw_if_index, enable_disable: true };
    match vpp.request(&request).await {
        // VPP answers with the number of whatever failed last, and does it. Only that there is no such interface is its own answer.
        Err(error) if error.retval().is_some_and(|retval| retval != retval::NO_SUCH_INTERFACE) => Ok(()),
        answered => answered.map(drop).map_err(error::doing("keep other VLANs from the port")),
    }
}

/// How the port treats tags, as VPP has it: the rewrite of its own, and its sub-interfaces.
pub(crate) async fn observe(
    vpp: &Client,
    port: &SwInterfaceDetails,
    wanted: &Vlan,
) -> Result<Vlan, EngineError> {
    let id = (VtrOp(port.vtr_op) == VtrOp::PUSH_1).then(|| u16::try_from(port.vtr_tag1).unwrap_or_default());
    if wanted.trunks.is_empty() {
        return Ok(Vlan { id, ..wanted.clone() });
    }
    let all = subinterfaces(vpp, port.sw_if_index, &port.interface_name.to_string()).await?;
    let mut trunks: Vec<u16> = all.iter().map(|sub| sub.sub_outer_vlan_id).collect();
    trunks.sort_unstable();
    Ok(Vlan { id, trunks, mode: wanted.mode })
}

pub(crate) async fn subinterfaces(
    vpp: &Client,
    index: SwIfIndex,
    name: &str,
) -> Result<Vec<SwInterfaceDetails>, EngineError> {
    let found = vpp.dump(&SwInterfaceDump::named(&format!("{name}."))).await;
    let found = found.map_err(error::doing(format!("look up the sub-interfaces of {name:?}")))?;
    Ok(found.into_iter().filter(|sub| sub.sup_sw_if_index == index && sub.sw_if_index != index).collect())
}
