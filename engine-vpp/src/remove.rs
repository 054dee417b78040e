//! An interface and all that came with it, from its routes to its socket.

use futures_util::future::join;
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
    memif, names,
    policer::{self, Policers},
};

/// What must go before an interface does.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Whose addresses it borrows.
    pub(crate) lender: Option<SwIfIndex>,
    pub(crate) policers: Policers,
}

/// Removes it. What of it is gone already is no matter.
pub(crate) async fn run(vpp: &Client, made: &Made) -> Result<(), EngineError> {
    let Seen { lender, policers } = match &made.seen {
        Some(seen) => seen.clone(),
        None => look(vpp, made).await?,
    };
    if let (Some(index), Some(loopback)) = (made.index, lender) {
        gateway::leave(vpp, index, loopback, &made.routes).await?;
    }
    if made.index.is_some() {
        fault::point("before policers are removed")?;
    }
    policer::remove(vpp, made, &policers).await?;
    if made.index.is_some() {
        fault::point("before delete")?;
    }
    // VPP does what a client asks in the order in which it asks (and this polls the first one first): when it comes to the socket, no
    // memif is on it any more. Should the memif stay, so does its socket.
    let (deleted, forgotten) = join(delete(vpp, made), forget_socket(vpp, made)).await;
    deleted?;
    if made.index.is_some() {
        fault::point("after delete")?;
    }
    forgotten?;
    if is_memif(made) {
        fault::point("after memif socket is forgotten")?;
    }
    Ok(())
}

fn is_memif(made: &Made) -> bool {
    made.name == names::memif(&made.tag)
}

async fn look(vpp: &Client, made: &Made) -> Result<Seen, EngineError> {
    let lender = made.index.map(|index| gateway::lender(vpp, index));
    let policers = policer::look(vpp, &made.tag);
    let lender = match lender {
        Some(lender) => lender.await?,
        None => None,
    };
    Ok(Seen { lender, policers: policers.await? })
}

async fn forget_socket(vpp: &Client, made: &Made) -> Result<(), EngineError> {
    if is_memif(made) {
        memif::forget_socket(vpp, &made.tag).await?;
    }
    Ok(())
}

async fn delete(vpp: &Client, made: &Made) -> Result<(), EngineError> {
    let Some(sw_if_index) = made.index else {
        return Ok(());
    };
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
