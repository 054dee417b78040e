//! An interface and all that came with it, from its routes to its socket.

use userspace_core::{engine::EngineError, fault};
use vpp_api_client::{
    Client,
    messages::{
        af_packet::AfPacketDelete, memif::MemifDelete, tapv2::TapDeleteV2, vhost_user::DeleteVhostUserIf,
    },
    types::SwIfIndex,
};

use crate::{
    engine::protocol,
    error::{self, retval, unless},
    gateway,
    interface::Made,
    memif, names, policer,
};

/// Removes it. What of it is gone already is no matter.
pub(crate) async fn run(vpp: &Client, made: &Made) -> Result<(), EngineError> {
    if let Some(index) = made.index {
        gateway::leave(vpp, index, &made.routes).await?;
        fault::point("before policers are removed")?;
    }
    policer::remove(vpp, made).await?;
    if let Some(index) = made.index {
        fault::point("before delete")?;
        delete(vpp, made, index).await?;
        fault::point("after delete")?;
    }
    if made.name == names::memif(&made.tag) {
        memif::forget_socket(vpp, &made.tag).await?;
        fault::point("after memif socket is forgotten")?;
    }
    Ok(())
}

async fn delete(vpp: &Client, made: &Made, sw_if_index: SwIfIndex) -> Result<(), EngineError> {
    let name = made.name.as_str();
    let deleted = if name.starts_with("memif") {
        vpp.request(&MemifDelete { sw_if_index }).await.map(drop)
    } else if name.starts_with("VirtualEthernet") {
        vpp.request(&DeleteVhostUserIf { sw_if_index }).await.map(drop)
    } else if let Some(netdev) = name.strip_prefix("host-") {
        vpp.request(&AfPacketDelete { host_if_name: names::text(netdev) }).await.map(drop)
    } else if name.starts_with("tap") {
        vpp.request(&TapDeleteV2 { sw_if_index }).await.map(drop)
    } else {
        return Err(protocol(format!("remove {name:?} (it is of no kind that is made here)")));
    };
    let gone = unless(deleted, &[retval::NO_SUCH_INTERFACE, retval::INVALID_INTERFACE]);
    gone.map(drop).map_err(error::doing(format!("remove {name:?}")))
}
