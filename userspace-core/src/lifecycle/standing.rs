//! Whether the parts of an attachment stand as they were made: the one comparison, for CHECK and for repair.

use super::{World, gone_is_none, host_hint};
use crate::{
    addressing::Assignment,
    cx::Cx,
    engine::{EngineError, Hint},
    owner::OwnerTag,
    plan::{Container, Part, Plan},
    reconcile::{Difference, State, diff},
    record::Record,
};

/// A part of an attachment, where it was last seen, and what it should be.
pub(super) struct Piece<'a> {
    /// What it is to a reader.
    pub(super) what: &'static str,
    pub(super) part: &'a Part,
    pub(super) hint: Option<Hint>,
    pub(super) desired: State,
}

/// What became of a part.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is as it was made.
    Right,
    /// It is there, but not as it was made.
    Different(Vec<Difference>),
    /// It is not there.
    Gone,
}

impl<'a> Piece<'a> {
    /// The pair of kernel interfaces of which another vswitch has the host's end.
    pub(super) fn pair(plan: &'a Plan) -> Option<Self> {
        let part = plan.pair.as_ref()?;
        // As the port of a vswitch it has a master that says nothing.
        let desired = State { network: None, ..State::desired(&part.spec, &part.network) };
        Some(Self { what: "the pair of kernel interfaces", part, hint: None, desired })
    }

    /// The host's half, which is to have been `given` that.
    pub(super) fn host(record: &'a Record, given: &Assignment) -> Option<Self> {
        let part = record.plan.host.as_ref()?;
        let desired = State::desired(&part.spec, &part.network).given(given);
        Some(Self { what: "the host's half", part, hint: host_hint(record), desired })
    }

    /// Looks at it. A vanished namespace took everything in it along.
    pub(super) async fn look(
        &self,
        world: World<'_>,
        cx: Cx,
        tag: &OwnerTag,
    ) -> Result<Standing, EngineError> {
        let Part { engine, spec, network } = self.part;
        let Some(engine) = gone_is_none(world.engines.open(engine).map(Some))? else {
            return Ok(Standing::Gone);
        };
        let Some(interface) = gone_is_none(engine.find(cx, tag, self.hint.as_ref()).await)? else {
            return Ok(Standing::Gone);
        };
        let differences = diff(&self.desired, &interface.observe(cx, spec, network).await?);
        Ok(if differences.is_empty() { Standing::Right } else { Standing::Different(differences) })
    }
}

/// What is gone of that which the host keeps for a published half.
pub(super) async fn missing_of_published(
    world: World<'_>,
    cx: Cx,
    record: &Record,
) -> Result<Option<&'static str>, EngineError> {
    let Container::Published(published) = &record.plan.container else {
        return Ok(None);
    };
    if !world.stores.is_shared(&published.shared) {
        return Ok(Some("the link to the container's directory"));
    }
    let store = world.stores.open(&published.shared);
    let is_published = store.is_published(cx, record.attachment()).await?;
    Ok((!is_published).then_some("the container's published half"))
}
