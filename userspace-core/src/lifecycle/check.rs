//! Compares what is there with what was made.

use std::fmt;

use ipnet::IpNet;

use super::{World, network_of};
use crate::{
    addr::{Address, MacAddr, Route},
    addressing,
    cx::Cx,
    engine::{EngineError, ErrorKind, Hint, chain},
    id::AttachmentId,
    ipam::Ipam,
    plan::{Container, Part, Plan},
    reconcile::{Difference, State, diff},
    record::Record,
    spec::Network,
};

/// What the caller knows better than the record: a plugin behind this one may have changed it.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The container interface's MAC address.
    pub mac: Option<MacAddr>,
    /// Its MTU.
    pub mtu_bytes: Option<u32>,
    /// Its addresses.
    pub ips: Option<Vec<Address>>,
}

/// Why an attachment is not as it should be.
#[derive(Debug)]
pub enum CheckError {
    /// There is no record of it.
    Unknown(AttachmentId),
    /// One of its halves is gone.
    Missing(&'static str),
    /// A half is there, but not as it was made.
    Different(&'static str, Vec<Difference>),
    /// It could not be found out.
    Failed(EngineError),
}

impl From<EngineError> for CheckError {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "{id} is not attached"),
            Self::Missing(half) => write!(f, "{half} is gone"),
            Self::Different(half, differences) => {
                let all: Vec<_> = differences.iter().map(ToString::to_string).collect();
                write!(f, "{half}: {}", all.join("; "))
            }
            Self::Failed(error) => f.write_str(&chain(error)),
        }
    }
}

/// Whether the attachment is as it was made. What others added to it is no matter.
///
/// # Errors
/// The first half that is not.
pub async fn check(
    world: World<'_>,
    cx: Cx,
    id: &AttachmentId,
    expected: Expected,
    ipam: Option<&dyn Ipam>,
) -> Result<(), CheckError> {
    let record = world.records.load(id);
    let record = record.ok_or_else(|| CheckError::Unknown(id.clone()))?;
    let plan = &record.plan;
    let network = network_of(plan);
    let mut beyond: Vec<Address> = Vec::new();
    let mut allocation = record.allocation.clone().unwrap_or_default();
    if let Some(ips) = &expected.ips {
        // An address that a plugin behind us added is there with its own prefix, whatever our network does with prefixes.
        let known = |ip: &Address| allocation.ips.iter().any(|given| given.ip == ip.ip);
        let (kept, added): (Vec<_>, Vec<_>) = ips.iter().copied().partition(known);
        allocation.ips.retain(|given| kept.iter().any(|ip| ip.ip == given.ip));
        beyond = added;
    }
    let (for_host, mut for_container) = addressing::assign(&network, &allocation)?;
    for_container.addresses.extend(beyond);
    if let Some(part) = &plan.pair {
        let desired = State::desired(&part.spec, &part.network);
        let place = Place { what: "the pair of kernel interfaces", part, hint: None };
        // As the port of a vswitch it has a master that says nothing.
        place.compare(world, cx, &record, State { network: None, ..desired }).await?;
    }
    if let Some(part) = &plan.host {
        let mut desired = State::desired(&part.spec, &part.network);
        give(&mut desired, &for_host);
        let place = Place { what: "the host's half", part, hint: record.host.clone() };
        place.compare(world, cx, &record, desired).await?;
    }
    match &plan.container {
        Container::Kernel(part) => {
            let mut desired = desired_end(plan, part, &expected);
            give(&mut desired, &for_container);
            let place = Place {
                what: "the container's interface",
                part,
                hint: Some(Hint::named(id.interface.as_str())),
            };
            place.compare(world, cx, &record, desired).await?;
        }
        Container::Published(published) => {
            if !world.stores.is_shared(&published.shared) {
                return Err(CheckError::Missing("the link to the container's directory"));
            }
            let store = world.stores.open(&published.shared.dir);
            if !store.is_published(cx, id).await? {
                return Err(CheckError::Missing("the container's published half"));
            }
        }
    }
    if let Some(ipam) = ipam {
        ipam.check(cx, id).await?;
    }
    Ok(())
}

struct Place<'a> {
    what: &'static str,
    part: &'a Part,
    hint: Option<Hint>,
}

impl Place<'_> {
    async fn compare(
        self,
        world: World<'_>,
        cx: Cx,
        record: &Record,
        desired: State,
    ) -> Result<(), CheckError> {
        let engine = world.engines.open(&self.part.engine)?;
        let tag = &record.plan.owner.tag;
        let found = match engine.find(cx, tag, self.hint.as_ref()).await {
            Err(error) if error.kind() == ErrorKind::NamespaceGone => None,
            other => other?,
        };
        let interface = found.ok_or(CheckError::Missing(self.what))?;
        let differences = diff(&desired, &interface.observe(cx, &self.part.spec, &self.part.network).await?);
        if differences.is_empty() {
            return Ok(());
        }
        Err(CheckError::Different(self.what, differences))
    }
}

fn desired_end(plan: &Plan, part: &Part, expected: &Expected) -> State {
    let mac = plan.container_end().map(|end| end.mac);
    State {
        mac: expected.mac.or(mac),
        mtu_bytes: expected.mtu_bytes.or(part.spec.mtu_bytes),
        ..State::desired(&part.spec, &Network::None)
    }
}

fn give(desired: &mut State, assignment: &addressing::Assignment) {
    let addresses: Vec<IpNet> = assignment.addresses.iter().map(|a| a.ip).collect();
    let routes: Vec<Route> = assignment.routes.clone();
    desired.addresses = Some(addresses);
    desired.routes = Some(routes);
}
