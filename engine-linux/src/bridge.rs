//! Bridges: made for the first port when missing, removed with the last when they were made here.

use kernel_links::{Change, Link};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    owner::{OwnerTag, marks_network, network_mark},
};

use crate::{
    error,
    place::{Place, conflict},
};

/// The name of a bridge that is not yet marked: `ub` and 13 digits of the hash of the owner that makes it.
fn unfinished_name(tag: &OwnerTag) -> String {
    format!("ub{}", tag.digits(13))
}

/// Why a port in a VLAN is refused.
pub(crate) fn no_vlan(bridge: &str) -> EngineError {
    let doing = format!("join bridge {bridge:?} in a VLAN (on linux each VLAN takes a bridge)");
    EngineError::new(ErrorKind::Unsupported, doing)
}

/// Makes the interface a port of the bridge, which is made when there is none.
pub(crate) async fn join(
    cx: Cx,
    place: &Place,
    port: &Link,
    tag: &OwnerTag,
    name: &str,
) -> Result<(), EngineError> {
    let bridge = match place.link(cx, name).await? {
        Some(link) if link.kind.as_deref() == Some("bridge") => link,
        Some(_) => return Err(conflict(name, "it is no bridge")),
        None => return create(cx, place, port, tag, name).await,
    };
    enslave(cx, place, port, &bridge, name).await
}

async fn enslave(cx: Cx, place: &Place, port: &Link, bridge: &Link, name: &str) -> Result<(), EngineError> {
    fault::point("before join bridge")?;
    let change = Change { master: Some(bridge.index), ..Change::default() };
    let doing = format!("join {:?} to the bridge {name:?}", port.name);
    let context = doing.clone();
    let set = async {
        let done = place.netlink.change_link(port.index, change).await;
        done.map_err(error::doing(context))
    };
    cx.bound(|| doing, set).await?;
    fault::point("after join bridge")
}

/// Makes the bridge under another name first: it then gets its name together with its mark, in one request. By then it has its
/// port, so that a bridge of ours without one is never left: who removes the port finds the bridge.
async fn create(cx: Cx, place: &Place, port: &Link, tag: &OwnerTag, name: &str) -> Result<(), EngineError> {
    let unfinished = unfinished_name(tag);
    fault::point("before create bridge")?;
    let doing = format!("create the bridge {name:?}");
    let make = async {
        let netlink = &place.netlink;
        if netlink.link_by_name(&unfinished).await.map_err(error::of)?.is_none() {
            netlink.add_bridge(&unfinished).await.map_err(error::of)?;
        }
        netlink.link_by_name(&unfinished).await.map_err(error::of)
    };
    let made = cx.bound(|| doing.clone(), make).await?;
    fault::point("after create bridge")?;
    let made = made.ok_or_else(|| conflict(&unfinished, "it is gone again"))?;
    enslave(cx, place, port, &made, name).await?;
    fault::point("before name bridge")?;
    let change = Change {
        name: Some(name.to_owned()),
        alias: Some(network_mark(tag.instance())),
        up: Some(true),
        ..Change::default()
    };
    let context = doing.clone();
    let finish = async {
        let done = place.netlink.change_link(made.index, change).await;
        done.map_err(error::doing(context))
    };
    cx.bound(|| doing, finish).await?;
    fault::point("after name bridge")
}

/// Removes the bridge of that name when the owner's instance made it and it has no port; and what a kill in [`create`] left of one.
pub(crate) async fn prune(cx: Cx, place: &Place, tag: &OwnerTag, name: &str) -> Result<(), EngineError> {
    let marked = |bridge: &Link| {
        let mark = bridge.alias.as_deref().unwrap_or_default();
        marks_network(mark, tag.instance())
    };
    if let Some(bridge) = place.link(cx, name).await?.filter(marked) {
        remove_if_empty(cx, place, &bridge).await?;
    }
    let unmarked = |link: &Link| link.alias.is_none() && link.kind.as_deref() == Some("bridge");
    match place.link(cx, &unfinished_name(tag)).await?.filter(unmarked) {
        Some(unfinished) => remove_if_empty(cx, place, &unfinished).await,
        None => Ok(()),
    }
}

async fn remove_if_empty(cx: Cx, place: &Place, bridge: &Link) -> Result<(), EngineError> {
    let doing = format!("remove the bridge {:?}", bridge.name);
    let list = async { place.netlink.ports(bridge.index).await.map_err(error::of) };
    if !cx.bound(|| doing, list).await?.is_empty() {
        return Ok(());
    }
    fault::point("before remove bridge")?;
    place.delete(cx, bridge).await?;
    fault::point("after remove bridge")
}
