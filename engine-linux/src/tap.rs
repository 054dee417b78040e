//! A persistent tap in the container, for an application there to open.

use kernel_links::{Link, Netns, Tap};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    owner::Mark,
    spec,
};

use crate::{
    container_end::{Finish, Standing, finish, standing},
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
    let derived = derived_name(&mark.tag);
    let link = match standing(cx, place, mark, end, &derived).await? {
        Standing::Finished(link) => return Ok(link),
        Standing::Unfinished(link) => link,
        Standing::Nothing => {
            create(&derived, wanted)?;
            let made = place.link(cx, &derived).await?;
            made.ok_or_else(|| {
                let doing = format!("find the tap {derived:?} that was just made");
                EngineError::new(ErrorKind::Protocol, doing)
            })?
        }
    };
    let settings = Finish { end, mtu: wanted.mtu, mac: Some(end.mac.bytes()) };
    finish(cx, place, link, mark, settings).await
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
