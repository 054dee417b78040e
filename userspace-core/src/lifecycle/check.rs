//! Compares what is there with what was made.

use std::fmt;

use super::{
    World, copy, network_of,
    standing::{Piece, Standing, missing_of_published},
};
use crate::{
    addr::{Address, MacAddr},
    addressing,
    cx::Cx,
    engine::{EngineError, Hint, chain},
    id::AttachmentId,
    ipam::Ipam,
    plan::{Container, Part, Plan},
    reconcile::{Difference, State},
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
    let tag = &plan.owner.tag;
    for piece in Piece::pair(plan).into_iter().chain(Piece::host(&record, &for_host)) {
        stands(&piece, piece.look(world, cx, tag).await?)?;
    }
    if let Container::Kernel(part) = &plan.container {
        let desired = desired_end(plan, part, &expected).given(&for_container);
        let hint = Some(Hint::named(id.interface.as_str()));
        let piece = Piece { what: "the container's interface", part, hint, desired };
        stands(&piece, piece.look(world, cx, tag).await?)?;
    }
    if let Some(what) = missing_of_published(world, cx, &record).await? {
        return Err(CheckError::Missing(what));
    }
    if copy::is_missing(world, cx, plan, id).await {
        return Err(CheckError::Missing("the copy of the half in the pod's annotations"));
    }
    if let Some(ipam) = ipam {
        ipam.check(cx, id).await?;
    }
    Ok(())
}

fn stands(piece: &Piece<'_>, standing: Standing) -> Result<(), CheckError> {
    match standing {
        Standing::Right => Ok(()),
        Standing::Different(differences) => Err(CheckError::Different(piece.what, differences)),
        Standing::Gone => Err(CheckError::Missing(piece.what)),
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
