//! Makes both halves of an attachment, or nothing.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use futures_util::future::join;
use serde_json::Value;

use super::{
    Detach, Endpoint, Outcome, World, copy, detach::detach_locked, lock_directory, network_of, shared_of,
};
use crate::{
    addr::MacAddr,
    addressing::{self, Assignment},
    cx::Cx,
    engine::{Engine, EngineError, ErrorKind, Interface, attached_already, chain},
    fault,
    half::ContainerHalf,
    ipam::{Allocation, Ipam},
    lock::LockName,
    owner::Owner,
    plan::{Container, Part, Plan, Published, userspace::complete},
    record::Record,
    spec::Device,
};

/// What is to be added.
#[derive(Clone)]
pub struct AddRequest<'a> {
    /// What is to be made.
    pub plan: Plan,
    /// The network's configuration as it came, for the record.
    pub config: Value,
    /// Who gives the addresses; without one the attachment has `addresses`.
    pub ipam: Option<&'a dyn Ipam>,
    /// Addresses that were asked for where no IPAM is configured.
    pub addresses: Allocation,
    /// What the undo of a failure may take, beyond the deadline of the call.
    pub undo_budget: Duration,
}

/// Why nothing was added, and what of the undo failed.
#[derive(Debug)]
pub struct AddError {
    /// The cause.
    pub error: EngineError,
    /// What could not be undone; DEL tries again.
    pub undo: Vec<EngineError>,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(&self.error))?;
        for error in &self.undo {
            write!(f, " (not undone: {})", chain(error))?;
        }
        Ok(())
    }
}

impl From<EngineError> for AddError {
    fn from(error: EngineError) -> Self {
        Self { error, undo: Vec::new() }
    }
}

/// The engines of a plan, opened.
struct Opened {
    pair: Option<Arc<dyn Engine>>,
    host: Option<Arc<dyn Engine>>,
    container: Option<Arc<dyn Engine>>,
}

/// Makes what the plan says.
///
/// # Errors
/// [`ErrorKind::Conflict`] when the attachment exists; it then stays as it is. Any other failure has been undone.
pub async fn add(world: World<'_>, cx: Cx, request: AddRequest<'_>) -> Result<Outcome, AddError> {
    let mut request = request;
    let tag = request.plan.owner.tag;
    let _lock = world.lock(cx, &LockName::attachment(&tag)).await?;
    forget_the_dead(world, cx, &request).await?;
    let opened = refuse(world, cx, &mut request.plan).await?;
    let mut record = Record::new(request.plan, request.config);
    let mut ipam_asked = false;
    let work = Work { world, cx, opened: &opened, ipam: request.ipam };
    match work.run(&mut record, request.addresses, &mut ipam_asked).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            tracing::warn!(error = chain(&error), "undoing the attachment");
            let undo = Detach {
                attachment: record.attachment().clone(),
                ipam: request.ipam.filter(|_| ipam_asked),
                fallback: super::Fallback::default(),
            };
            let undone = detach_locked(world, Cx::within(request.undo_budget), &undo, Some(record)).await;
            let undo = undone.err().map(|error| error.0).unwrap_or_default();
            Err(AddError { error, undo })
        }
    }
}

/// An attachment whose namespace is gone, by a reboot or because its DEL never came, does not stand in the way of a new one.
async fn forget_the_dead(world: World<'_>, cx: Cx, request: &AddRequest<'_>) -> Result<(), AddError> {
    let id = &request.plan.owner.attachment;
    let dead = |record: &Record| record.plan.netns().is_some_and(|netns| !netns.is_alive());
    let Some(record) = world.records.load(id).filter(dead) else {
        return Ok(());
    };
    tracing::info!("detaching an earlier attachment, whose network namespace is gone");
    let target = Detach { attachment: id.clone(), ipam: request.ipam, fallback: super::Fallback::default() };
    // The rest of the time is for the new one.
    let cx = cx.at_most(cx.remaining() / 2);
    let gone = detach_locked(world, cx, &target, Some(record)).await;
    gone.map_err(|errors| {
        let doing = format!("detach the earlier {id}, whose network namespace is gone");
        EngineError::new(ErrorKind::Conflict, doing).because(errors).into()
    })
}

/// What can be known to fail before anything is made; and what the vswitch knows of the plan is put into it.
async fn refuse(world: World<'_>, cx: Cx, plan: &mut Plan) -> Result<Opened, EngineError> {
    let id = plan.owner.attachment.clone();
    if world.records.exists(&id) {
        return Err(attached_already(&id));
    }
    let owner = plan.owner.clone();
    let mut opened = Opened { pair: None, host: None, container: None };
    if let Some(part) = &mut plan.pair {
        opened.pair = Some(able(world, cx, &owner, part).await?);
    }
    if let Some(part) = &mut plan.host {
        opened.host = Some(able(world, cx, &owner, part).await?);
    }
    plan.tell_container();
    if let Container::Kernel(part) = &mut plan.container {
        opened.container = Some(match plan.host {
            // A pair's ends are there together: the host's end has answered for both.
            Some(_) => world.engines.open(&part.engine)?,
            None => able(world, cx, &owner, part).await?,
        });
    }
    if let Some(shared) = shared_of(plan) {
        world.stores.refuse_used(shared, &id)?;
    }
    Ok(opened)
}

/// The engine, if it can make the part and nothing is in the way. With a lost record, the mark in the vswitch tells what is there.
async fn able(
    world: World<'_>,
    cx: Cx,
    owner: &Owner,
    part: &mut Part,
) -> Result<Arc<dyn Engine>, EngineError> {
    let engine = world.engines.open(&part.engine)?;
    // Both are asked at once; that the engine is not ready says more than what follows from it.
    let way = engine.preflight(cx, owner, &part.spec, &part.network);
    let (info, way) = join(engine.ready(cx), way).await;
    let info = info?;
    engine.supports(&info, &part.spec, &part.network)?;
    way?;
    engine.complete(&info, &mut part.spec);
    Ok(engine)
}

struct Work<'a> {
    world: World<'a>,
    cx: Cx,
    opened: &'a Opened,
    ipam: Option<&'a dyn Ipam>,
}

impl Work<'_> {
    async fn run(
        &self,
        record: &mut Record,
        addresses: Allocation,
        ipam_asked: &mut bool,
    ) -> Result<Outcome, EngineError> {
        fault::point("before record")?;
        self.world.records.save(record)?;
        fault::point("after record")?;
        let directory = lock_directory(self.world, self.cx, shared_of(&record.plan)).await?;
        let (host, container) = self.make(&record.plan).await?;
        let allocation = match self.ipam {
            Some(ipam) => {
                *ipam_asked = true;
                fault::point("before IPAM")?;
                let given = ipam.allocate(self.cx, record.attachment()).await?;
                fault::point("after IPAM")?;
                given
            }
            None => addresses,
        };
        record.host = host.as_ref().map(|host| host.hint());
        record.allocation = Some(allocation);
        fault::point("before second record")?;
        self.world.records.save(record)?;
        fault::point("after second record")?;
        let allocation = record.allocation.clone().unwrap_or_default();
        self.assign(&record.plan, &allocation, host, container).await?;
        let half = publish(self.world, self.cx, &record.plan, &allocation).await?;
        drop(directory);
        copy::put(self.world, self.cx, &record.plan, half.as_ref()).await?;
        Ok(outcome(record, allocation))
    }

    /// Both ends, joined to the host's network.
    async fn make(
        &self,
        plan: &Plan,
    ) -> Result<(Option<Box<dyn Interface>>, Option<Box<dyn Interface>>), EngineError> {
        let Self { world, cx, opened, .. } = self;
        if let Some(shared) = shared_of(plan) {
            fault::point("before share")?;
            world.stores.share(shared)?;
            fault::point("after share")?;
        }
        if let (Some(engine), Some(part)) = (&opened.pair, &plan.pair) {
            engine.ensure(*cx, &plan.owner, &part.spec, &part.network).await?;
        }
        let mut host = None;
        if let (Some(engine), Some(part)) = (&opened.host, &plan.host) {
            let made = engine.ensure(*cx, &plan.owner, &part.spec, &part.network).await?;
            let _lock = world.lock_network(*cx, &part.engine, &part.network).await?;
            made.join(*cx, &part.network).await?;
            host = Some(made);
        }
        if let Some(shared) = shared_of(plan) {
            world.stores.open_up(shared)?;
        }
        let mut container = None;
        if let (Some(engine), Container::Kernel(part)) = (&opened.container, &plan.container) {
            container = Some(engine.ensure(*cx, &plan.owner, &part.spec, &part.network).await?);
        }
        Ok((host, container))
    }

    async fn assign(
        &self,
        plan: &Plan,
        allocation: &Allocation,
        host: Option<Box<dyn Interface>>,
        container: Option<Box<dyn Interface>>,
    ) -> Result<(), EngineError> {
        let (for_host, for_container) = addressing::assign(&network_of(plan), allocation)?;
        if let Some(host) = host.filter(|_| for_host != Assignment::default()) {
            host.assign(self.cx, &for_host.addresses, &for_host.routes).await?;
        }
        if let Some(container) = container.filter(|_| for_container != Assignment::default()) {
            let Assignment { addresses, routes } = for_container;
            container.assign(self.cx, &addresses, &routes).await?;
        }
        Ok(())
    }
}

/// Hands the container its half, when that is published: with what its interface is to be given, whatever the host's network. That half.
pub(super) async fn publish(
    world: World<'_>,
    cx: Cx,
    plan: &Plan,
    allocation: &Allocation,
) -> Result<Option<ContainerHalf>, EngineError> {
    let Container::Published(published) = &plan.container else {
        return Ok(None);
    };
    let (_, Assignment { addresses, routes }) = addressing::assign(&network_of(plan), allocation)?;
    let given = Allocation { ips: addresses, routes, dns: allocation.dns.clone() };
    let half = half(plan, published, given);
    world.stores.open(&published.shared).publish(cx, &half).await?;
    Ok(Some(half))
}

/// The document for the container.
fn half(plan: &Plan, published: &Published, allocation: Allocation) -> ContainerHalf {
    let mut config = published.config.clone();
    complete(&mut config, !allocation.ips.is_empty());
    let attachment = plan.owner.attachment.clone();
    ContainerHalf { attachment, pod_uid: published.pod_uid.clone(), config, allocation }
}

fn outcome(record: &Record, allocation: Allocation) -> Outcome {
    let plan = &record.plan;
    let (mac, mtu_bytes) = match &plan.container {
        Container::Kernel(part) => (part.spec.container_end().map(|end| end.mac), part.spec.mtu_bytes),
        Container::Published(published) => (Some(published.mac), published.config.mtu),
    };
    let socket = plan.host.as_ref().and_then(|host| match &host.spec.device {
        Device::Memif(memif) => memif.socket.path().map(Path::to_owned),
        Device::VhostUser(vhost) => Some(vhost.socket.clone()),
        _ => None,
    });
    Outcome {
        host: record.host.clone().and_then(|hint| hint.name),
        container: Endpoint {
            name: record.attachment().interface.clone(),
            mac: mac.unwrap_or_else(|| MacAddr::new(plan.owner.tag.mac_bytes())),
            mtu_bytes,
            socket,
        },
        allocation,
    }
}
