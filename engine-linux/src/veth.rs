//! The host's end of a pair. The other end is born in the container's namespace with it.

use kernel_links::{Change, Link, VethPair};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    owner::Mark,
    spec::{ContainerEnd, InterfaceSpec, Veth},
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
    veth: &Veth,
    spec: &InterfaceSpec,
) -> Result<Link, EngineError> {
    let (end, name) = (&veth.end, derived_name(&mark.tag));
    // Nearly always there is none: only a refusal is worth a look at what stands there.
    let created = create(cx, place, &name, end, spec).await;
    let existing = match &created {
        Ok(Some(made)) => Some(made.clone()),
        _ => place.link(cx, &name).await?,
    };
    let link = match (created, existing) {
        (Ok(_), Some(link)) => link,
        (Ok(_), None) => return Err(conflict(&name, "it is gone again")),
        (Err(error), None) if error.kind() == ErrorKind::Conflict => {
            let why = "somebody else's is in the container";
            return Err(conflict(end.name.as_str(), why));
        }
        (Err(error), Some(link)) if error.kind() == ErrorKind::Conflict => {
            refuse_other(&link, mark)?;
            if owner_of(&link) == Owner::Unmarked {
                // Nobody knows what it was made to, and nobody uses it yet.
                place.delete(cx, &link).await?;
                create(cx, place, &name, end, spec).await?;
                let made = place.link(cx, &name).await?;
                made.ok_or_else(|| conflict(&name, "it is gone again"))?
            } else {
                link
            }
        }
        (Err(error), _) => return Err(error),
    };
    fault::point("before mark veth")?;
    let change = Change { alias: Some(alias(mark)), up: Some(true), ..Change::default() };
    let set = async { place.netlink.change_link(link.index, change).await.map_err(error::of) };
    cx.bound(|| format!("mark veth {name:?}"), set).await?;
    if veth.finish_checksums {
        place.finish_checksums(&name)?;
    }
    fault::point("after mark veth")?;
    Ok(Link { alias: Some(alias(mark)), up: true, ..link })
}

/// What stands there already must be the same, or not yet marked.
fn refuse_other(link: &Link, mark: &Mark) -> Result<(), EngineError> {
    match owner_of(link) {
        Owner::Marked(found) if found.tag.same_attachment(&mark.tag) => {
            if found.spec == mark.spec {
                return Ok(());
            }
            Err(conflict(&link.name, "one of another specification exists"))
        }
        Owner::Unmarked if link.kind.as_deref() == Some("veth") => Ok(()),
        _ => Err(conflict(&link.name, "somebody else's exists")),
    }
}

async fn create(
    cx: Cx,
    place: &Place,
    name: &str,
    end: &ContainerEnd,
    spec: &InterfaceSpec,
) -> Result<Option<Link>, EngineError> {
    let netns = open_netns(&end.netns)?;
    fault::point("before create veth")?;
    let pair = VethPair {
        name,
        mtu: spec.mtu_bytes,
        peer_netns: &netns,
        peer_name: end.name.as_str(),
        peer_mac: end.mac.bytes(),
    };
    let create = async { place.netlink.add_veth(&pair).await.map_err(error::of) };
    let made = cx.bound(|| format!("create veth {name:?}"), create).await?;
    fault::point("after create veth")?;
    Ok(made)
}
