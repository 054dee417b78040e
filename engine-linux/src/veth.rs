//! The host's end of a pair. The other end is born in the container's namespace with it.

use kernel_links::{Change, Link, VethPair};
use userspace_core::{
    cx::Cx,
    engine::EngineError,
    fault,
    owner::Mark,
    spec::{ContainerEnd, InterfaceSpec},
};

use crate::{
    error,
    place::{Owner, Place, alias, conflict, derived_name, open_netns, owner_of},
};

/// The host's end, made if need be, marked and up.
pub(crate) async fn ensure(
    cx: Cx,
    place: &Place,
    mark: &Mark,
    end: &ContainerEnd,
    spec: &InterfaceSpec,
) -> Result<Link, EngineError> {
    let name = derived_name(&mark.tag);
    let existing = place.link(cx, &name).await?;
    match existing.as_ref().map(owner_of) {
        None => create(cx, place, &name, end, spec).await?,
        Some(Owner::Marked(found)) if found.tag.same_attachment(&mark.tag) => {
            if found.spec != mark.spec {
                return Err(conflict(&name, "one of another specification exists"));
            }
        }
        Some(Owner::Unmarked) => {}
        Some(_) => return Err(conflict(&name, "somebody else's exists")),
    }
    fault::point("before mark veth")?;
    let change = Change { alias: Some(alias(mark)), up: Some(true), ..Change::default() };
    let set = async { place.netlink.change_link_named(&name, change).await };
    cx.bound(|| format!("mark veth {name:?}"), async { set.await.map_err(error::of) }).await?;
    fault::point("after mark veth")?;
    let made = place.link(cx, &name).await?;
    made.ok_or_else(|| conflict(&name, "it is gone again"))
}

async fn create(
    cx: Cx,
    place: &Place,
    name: &str,
    end: &ContainerEnd,
    spec: &InterfaceSpec,
) -> Result<(), EngineError> {
    let netns = open_netns(&end.netns)?;
    fault::point("before create veth")?;
    let doing = format!("create the pair {name:?} and {:?} in {:?}", end.name.as_str(), end.netns.path);
    let pair = VethPair {
        name,
        mtu: spec.mtu_bytes,
        peer_netns: &netns,
        peer_name: end.name.as_str(),
        peer_mac: end.mac.bytes(),
    };
    let context = doing.clone();
    let create = async { place.netlink.add_veth(&pair).await.map_err(error::doing(context)) };
    cx.bound(|| doing, create).await?;
    fault::point("after create veth")
}
