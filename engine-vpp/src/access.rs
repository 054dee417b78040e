//! The requests that several parts of the engine make.

use userspace_core::engine::EngineError;
use vpp_api_client::{
    Client, Request,
    messages::interface::{SwInterfaceDetails, SwInterfaceDump, SwInterfaceSetFlags, SwInterfaceTagAddDel},
    types::{IfStatus, SwIfIndex},
};

use crate::{
    error,
    names::{self, TAG},
};

/// One request, whose failure is told as `doing`.
pub(crate) async fn ask<R: Request>(vpp: &Client, doing: &str, request: &R) -> Result<R::Reply, EngineError> {
    vpp.request(request).await.map_err(error::doing(doing))
}

/// The interface of that index.
pub(crate) async fn by_index(
    vpp: &Client,
    index: SwIfIndex,
) -> Result<Option<SwInterfaceDetails>, EngineError> {
    // To VPP index 0, which is its own local0, means all.
    if index.0 == 0 || index == SwIfIndex::NONE {
        return Ok(None);
    }
    let found = vpp.dump(&SwInterfaceDump::one(index)).await;
    let found = found.map_err(error::doing(format!("look up the interface {}", index.0)))?;
    Ok(found.into_iter().find(|details| details.sw_if_index == index))
}

/// The interface of exactly that name, asked for at once. VPP's filter takes a part of a name.
pub(crate) fn by_name(
    vpp: &Client,
    name: &str,
) -> impl Future<Output = Result<Option<SwInterfaceDetails>, EngineError>> + Send + use<> {
    let asked = vpp.dump(&SwInterfaceDump::named(name));
    let name = name.to_owned();
    async move {
        let found = asked.await.map_err(error::doing(format!("look up the interface {name:?}")))?;
        Ok(found.into_iter().find(|details| details.interface_name == *name))
    }
}

/// The request that sets an interface up.
pub(crate) fn up(sw_if_index: SwIfIndex) -> SwInterfaceSetFlags {
    SwInterfaceSetFlags { sw_if_index, flags: IfStatus::ADMIN_UP }
}

/// The request that gives an interface its tag.
pub(crate) fn tag(sw_if_index: SwIfIndex, text: &str) -> SwInterfaceTagAddDel {
    debug_assert!(text.len() <= TAG);
    SwInterfaceTagAddDel { is_add: true, sw_if_index, tag: names::text(text) }
}
