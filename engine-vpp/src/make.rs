//! An interface from nothing to finished. Its tag is the last thing that it gets: one that has it is complete, and one that has not
//! is made anew.

use userspace_core::{
    engine::{EngineError, ErrorKind},
    fault,
    owner::{Mark, Owner, SpecDigest},
    spec::{InterfaceSpec, Receive, RxMode},
};
use vpp_api_client::{
    Client,
    messages::interface::{
        SwInterfaceDetails, SwInterfaceSetMtu, SwInterfaceSetRxMode, SwInterfaceSetRxPlacement,
    },
    types::{self, SwIfIndex},
};

use crate::{
    access::{self, ask},
    create, error,
    find::{self, Found},
    interface::Made,
    names::{self, TAG, mark_of},
    policer, remove,
};

/// Makes the interface exist as `spec` says. `is_absent` when it is known that nothing has its name.
pub(crate) async fn ensure(
    vpp: &Client,
    owner: &Owner,
    spec: &InterfaceSpec,
    is_absent: bool,
) -> Result<Made, EngineError> {
    let mark = owner.mark(SpecDigest::of(spec));
    if !is_absent {
        match find::of_device(vpp, &owner.tag, &spec.device).await? {
            Found::Nothing => {}
            Found::Foreign(details) => return Err(find::taken(&details)),
            Found::Ours(details) => return stands(vpp, &mark, spec, &details).await,
            Found::Unmarked(details) => remove::run(vpp, &Made::found(owner.tag, &details)).await?,
        }
    }
    fault::point("before create")?;
    let index = create::run(vpp, &owner.tag, spec).await?;
    fault::point("after create")?;
    configure(vpp, owner, spec, index).await?;
    fault::point("before up and mark")?;
    let up = vpp.request(&access::up(index));
    let tagged = vpp.request(&access::tag(index, &mark.to_text(TAG)));
    up.await.map_err(error::doing("set the interface up"))?;
    tagged.await.map_err(error::doing("set the interface's tag"))?;
    fault::point("after up and mark")?;
    let name = names::of_device(&owner.tag, &spec.device);
    Ok(Made { index: Some(index), name, is_new: true, is_complete: true, ..Made::nothing(owner.tag) })
}

/// One that is there is as it was made, or is in the way. What an administrator may have changed is set again.
async fn stands(
    vpp: &Client,
    wanted: &Mark,
    spec: &InterfaceSpec,
    details: &SwInterfaceDetails,
) -> Result<Made, EngineError> {
    let found = mark_of(details).0;
    if found.as_ref().and_then(|mark| mark.spec) != wanted.spec {
        let doing = format!("make {} (there is one of another specification)", details.interface_name);
        return Err(EngineError::new(ErrorKind::Conflict, doing));
    }
    if let Some(mtu) = spec.mtu_bytes.filter(|mtu| details.mtu[0] != *mtu) {
        ask(vpp, "set the MTU", &set_mtu(details.sw_if_index, mtu)).await?;
    }
    if details.flags.0 & types::IfStatus::ADMIN_UP.0 == 0 {
        ask(vpp, "set the interface up", &access::up(details.sw_if_index)).await?;
    }
    Ok(Made::found(found.map_or(wanted.tag, |mark| mark.tag), details))
}

/// What is common to all kinds.
async fn configure(
    vpp: &Client,
    owner: &Owner,
    spec: &InterfaceSpec,
    index: SwIfIndex,
) -> Result<(), EngineError> {
    if let Some(mtu) = spec.mtu_bytes {
        ask(vpp, &format!("set the MTU {mtu}"), &set_mtu(index, mtu)).await?;
    }
    receive(vpp, &spec.receive, index).await?;
    if let Some(bandwidth) = spec.bandwidth {
        fault::point("before policers")?;
        policer::make(vpp, &owner.tag, bandwidth, index).await?;
        fault::point("after policers")?;
    }
    Ok(())
}

fn set_mtu(sw_if_index: SwIfIndex, mtu: u32) -> SwInterfaceSetMtu {
    SwInterfaceSetMtu { sw_if_index, mtu: [mtu, 0, 0, 0] }
}

async fn receive(vpp: &Client, receive: &Receive, sw_if_index: SwIfIndex) -> Result<(), EngineError> {
    if let Some(mode) = receive.mode {
        let mode = rx_mode(mode);
        let set = SwInterfaceSetRxMode { sw_if_index, queue_id_valid: false, queue_id: 0, mode };
        ask(vpp, "set how the interface receives (rxMode)", &set).await?;
    }
    for (queue_id, worker_id) in (0..).zip(receive.workers.iter().copied()) {
        let set = SwInterfaceSetRxPlacement { sw_if_index, queue_id, worker_id, is_main: false };
        let doing = format!("receive from queue {queue_id} on worker {worker_id} (rxWorkers)");
        ask(vpp, &doing, &set).await?;
    }
    Ok(())
}

fn rx_mode(mode: RxMode) -> types::RxMode {
    match mode {
        RxMode::Polling => types::RxMode::POLLING,
        RxMode::Interrupt => types::RxMode::INTERRUPT,
        RxMode::Adaptive => types::RxMode::ADAPTIVE,
    }
}
