//! A persistent tap in the container, for an application there to open.

use kernel_links::{Link, Netns, Tap};
use userspace_core::{cx::Cx, engine::EngineError, fault, owner::Mark, spec};

use crate::{
    container_end::{self, Finish},
    error,
    place::{Place, derived_name},
};

/// What is to be made.
pub(crate) struct Wanted<'a> {
    pub(crate) netns: &'a Netns,
    pub(crate) device: &'a spec::Tap,
    pub(crate) mtu: Option<u32>,
}

/// The tap, made if need be, named, marked and up.
pub(crate) async fn ensure(
    cx: Cx,
    place: &Place,
    mark: &Mark,
    wanted: &Wanted<'_>,
) -> Result<Link, EngineError> {
    let end = &wanted.device.end;
    let in_the_end = Finish { end, mtu: wanted.mtu, mac: Some(end.mac.bytes()) };
    let name = derived_name(&mark.tag);
    container_end::ensure(cx, place, mark, in_the_end, async { create(&name, wanted) }).await
}

fn create(name: &str, wanted: &Wanted<'_>) -> Result<(), EngineError> {
    fault::point("before create tap")?;
    let tap = Tap {
        name,
        netns: wanted.netns,
        owner_uid: wanted.device.owner_uid,
        group_gid: wanted.device.group_gid,
        multi_queue: wanted.device.multi_queue,
    };
    tap.create().map_err(error::of)?;
    fault::point("after create tap")
}
