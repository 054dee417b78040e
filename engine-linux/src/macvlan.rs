//! A macvlan in the container, on top of an interface of the host.

use kernel_links::{Link, Macvlan, MacvlanMode, Netlink, Netns};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    owner::Mark,
    spec,
};

use crate::{
    container_end::{self, Finish},
    error,
    place::{Place, derived_name},
};

/// What is to be made.
pub(crate) struct Wanted<'a> {
    pub(crate) netns: &'a Netns,
    pub(crate) device: &'a spec::Macvlan,
    pub(crate) mtu: Option<u32>,
}

/// The macvlan, made if need be, named, marked and up.
pub(crate) async fn ensure(
    cx: Cx,
    place: &Place,
    mark: &Mark,
    wanted: &Wanted<'_>,
) -> Result<Link, EngineError> {
    let in_the_end = Finish { end: &wanted.device.end, mtu: None, mac: None };
    let name = derived_name(&mark.tag);
    container_end::ensure(cx, place, mark, in_the_end, create(cx, &name, wanted)).await
}

async fn create(cx: Cx, name: &str, wanted: &Wanted<'_>) -> Result<(), EngineError> {
    let Wanted { netns, device, mtu } = wanted;
    let master = device.master.as_str();
    // The master is in the process's own namespace, and so must be the connection that names it.
    let host = Netlink::open().map_err(error::of)?;
    let look = async { host.link_by_name(master).await.map_err(error::of) };
    let below = cx.bound(|| format!("look up {master:?}"), look).await?;
    let below = below.ok_or_else(|| {
        let doing = format!("find host.macvlan.master {master:?} (there is no such interface on the host)");
        EngineError::new(ErrorKind::Invalid, doing)
    })?;
    fault::point("before create macvlan")?;
    let macvlan = Macvlan {
        name,
        netns,
        mac: device.end.mac.bytes(),
        mtu: *mtu,
        master: below.index,
        mode: mode(device.mode),
    };
    let doing =
        format!("create the macvlan {:?} on host.macvlan.master {master:?}", device.end.name.as_str());
    let context = doing.clone();
    let create = async { host.add_macvlan(&macvlan).await.map_err(error::doing(context)) };
    cx.bound(|| doing, create).await?;
    fault::point("after create macvlan")
}

fn mode(mode: spec::MacvlanMode) -> MacvlanMode {
    match mode {
        spec::MacvlanMode::Bridge => MacvlanMode::Bridge,
        spec::MacvlanMode::Private => MacvlanMode::Private,
        spec::MacvlanMode::Vepa => MacvlanMode::Vepa,
        spec::MacvlanMode::Passthru => MacvlanMode::Passthru,
    }
}
