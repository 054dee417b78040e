//! The container's end of a pair: made by the host's engine, marked and set up here.

use kernel_links::{Change, Link};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    owner::Mark,
    spec::{ContainerEnd, Veth},
};

use crate::{
    error,
    place::{Owner, Place, alias, conflict, derived_name, owner_of},
};

/// Recognises the end of the pair by its mark, or before that by name, kind and MAC address.
pub(crate) async fn adopt(cx: Cx, place: &Place, mark: &Mark, veth: &Veth) -> Result<Link, EngineError> {
    let end = &veth.end;
    let name = end.name.as_str();
    let Some(link) = place.link(cx, name).await? else {
        let doing = format!("find the container's end {name:?} of the pair");
        return Err(EngineError::new(ErrorKind::Protocol, doing));
    };
    match owner_of(&link) {
        Owner::Marked(found) if found.tag.same_attachment(&mark.tag) => {
            if found.spec != mark.spec {
                return Err(conflict(name, "one of another specification exists"));
            }
        }
        Owner::Unmarked if is_fresh(&link, end) => {}
        _ => return Err(conflict(name, "somebody else's exists")),
    }
    fault::point("before mark container end")?;
    let change = Change { alias: Some(alias(mark)), up: Some(true), ..Change::default() };
    let set = async {
        let done = place.netlink.change_link(link.index, change).await;
        done.map_err(error::of)
    };
    cx.bound(|| format!("mark {name:?}"), set).await?;
    if veth.finish_checksums {
        place.finish_checksums(name)?;
    }
    fault::point("after mark container end")?;
    Ok(Link { alias: Some(alias(mark)), up: true, ..link })
}

fn is_fresh(link: &Link, end: &ContainerEnd) -> bool {
    link.kind.as_deref() == Some("veth") && link.mac == Some(end.mac.bytes())
}

/// An interface that has no end on the host: made under its derived name by `create` when there is none, then named, marked and up.
pub(crate) async fn ensure(
    cx: Cx,
    place: &Place,
    mark: &Mark,
    wanted: Finish<'_>,
    create: impl Future<Output = Result<(), EngineError>>,
) -> Result<Link, EngineError> {
    let derived = derived_name(&mark.tag);
    let link = match standing(cx, place, mark, wanted.end, &derived).await? {
        Standing::Finished(link) => return Ok(link),
        Standing::Unfinished(link) => link,
        Standing::Nothing => {
            create.await?;
            let made = place.link(cx, &derived).await?;
            made.ok_or_else(|| {
                let doing = format!("find the interface {derived:?} that was just made");
                EngineError::new(ErrorKind::Protocol, doing)
            })?
        }
    };
    finish(cx, place, link, mark, wanted).await
}

/// How an interface is to be in the end.
pub(crate) struct Finish<'a> {
    pub(crate) end: &'a ContainerEnd,
    pub(crate) mtu: Option<u32>,
    pub(crate) mac: Option<[u8; 6]>,
}

/// Gives an interface that was made under its derived name its own name, its mark and its MAC address, and sets it up: one request,
/// so that a kill leaves the derived name or a marked interface.
async fn finish(
    cx: Cx,
    place: &Place,
    link: Link,
    mark: &Mark,
    wanted: Finish<'_>,
) -> Result<Link, EngineError> {
    let Finish { end, mtu, mac } = wanted;
    fault::point("before name and mark")?;
    let change = Change {
        name: Some(end.name.to_string()),
        alias: Some(alias(mark)),
        mtu,
        mac,
        up: Some(true),
        ..Change::default()
    };
    let doing = format!("name the interface {:?}", end.name.as_str());
    let context = doing.clone();
    let set = async {
        let done = place.netlink.change_link(link.index, change).await;
        done.map_err(error::doing(context))
    };
    cx.bound(|| doing, set).await?;
    fault::point("after name and mark")?;
    let mac = mac.or(link.mac);
    Ok(Link { name: end.name.to_string(), alias: Some(alias(mark)), up: true, mac, ..link })
}

/// What stands in the container where an interface is to be made.
enum Standing {
    /// Nothing.
    Nothing,
    /// The interface under its derived name, not yet marked.
    Unfinished(Link),
    /// The interface, marked.
    Finished(Link),
}

/// Looks for an earlier attempt at the same interface.
async fn standing(
    cx: Cx,
    place: &Place,
    mark: &Mark,
    end: &ContainerEnd,
    derived: &str,
) -> Result<Standing, EngineError> {
    let name = end.name.as_str();
    if let Some(link) = place.link(cx, name).await? {
        return match owner_of(&link) {
            Owner::Marked(found) if found.tag.same_attachment(&mark.tag) => {
                if found.spec == mark.spec {
                    Ok(Standing::Finished(link))
                } else {
                    Err(conflict(name, "one of another specification exists"))
                }
            }
            _ => Err(conflict(name, "somebody else's exists")),
        };
    }
    match place.link(cx, derived).await? {
        None => Ok(Standing::Nothing),
        Some(link) if owner_of(&link) == Owner::Unmarked => Ok(Standing::Unfinished(link)),
        Some(_) => Err(conflict(derived, "somebody else's exists")),
    }
}
