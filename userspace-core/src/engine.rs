//! What a vswitch must be able to do, and how it says that it could not.
//!
//! An [`Engine`] is one vswitch (or one network namespace's kernel). It makes interfaces to a specification, marks them with
//! their owner, and finds them again by that mark. The order in which these calls are made stands in [`crate::lifecycle`].
//!
//! # For implementers
//! * Every call is bounded by `cx.deadline`.
//! * Every call can be repeated: `ensure`, `join` and `assign` bring about a state, `remove` of what is gone succeeds.
//! * Nothing without our mark is changed or deleted. Between the request that creates and the request that marks there may be a
//!   kill: `find` recognises such an unmarked thing by a name that is derived from the tag.
//! * No call reads all interfaces of the vswitch but `owned`.
//!
//! [`crate::testing::conformance`] checks all of this against any engine.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use crate::error::{EngineError, ErrorKind, chain};
use crate::{
    addr::{Address, Route},
    cx::Cx,
    id::AttachmentId,
    owner::{Owner, OwnerTag},
    reconcile::State,
    spec::{EngineKind, InterfaceSpec, Network},
};

/// One vswitch, or the kernel in one network namespace.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Connects if need be, and tells what is there.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when nothing answers, [`ErrorKind::Degraded`] when existing traffic suffers too.
    async fn ready(&self, cx: Cx) -> Result<EngineInfo, EngineError>;

    /// Whether the vswitch that `info` describes can make that interface and join it to that network. Changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] or [`ErrorKind::Invalid`], naming what would work.
    fn supports(&self, info: &EngineInfo, spec: &InterfaceSpec, network: &Network)
    -> Result<(), EngineError>;

    /// Fills in what only the vswitch that `info` describes can know of an interface that it will make. Changes nothing there.
    fn complete(&self, _info: &EngineInfo, _spec: &mut InterfaceSpec) {}

    /// Finds out what would stand in the way of [`Self::ensure`] for a new attachment. Makes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the attachment has an interface already, or somebody else has what it would need.
    async fn preflight(
        &self,
        cx: Cx,
        owner: &Owner,
        spec: &InterfaceSpec,
        _network: &Network,
    ) -> Result<(), EngineError> {
        let name = spec.container_end().map(|end| end.name.to_string());
        let hint = Hint { name, ..Hint::default() };
        match self.find(cx, &owner.tag, Some(&hint)).await? {
            Some(_) => Err(attached_already(&owner.attachment)),
            None => Ok(()),
        }
    }

    /// Makes the interface exist as `spec` says, marked with `owner`, and up. When it does already, nothing happens.
    ///
    /// `network` is what it will be joined to: a vswitch that has no interface apart from a network (OVS) makes it there.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when there is one of another specification or of another owner.
    async fn ensure(
        &self,
        cx: Cx,
        owner: &Owner,
        spec: &InterfaceSpec,
        network: &Network,
    ) -> Result<Box<dyn Interface>, EngineError>;

    /// The owner's interface, or `None`. `hint` is what an earlier [`Interface::hint`] said: checked, never trusted.
    async fn find(
        &self,
        cx: Cx,
        owner: &OwnerTag,
        hint: Option<&Hint>,
    ) -> Result<Option<Box<dyn Interface>>, EngineError>;

    /// Removes the network when `owner`'s instance made it and it has no member: the last one may have gone by itself.
    async fn prune(&self, cx: Cx, owner: &OwnerTag, network: &Network) -> Result<(), EngineError>;

    /// Everything here that bears one of our marks, of whatever network and instance. May list all interfaces.
    async fn owned(&self, cx: Cx) -> Result<Vec<Owned>, EngineError>;

    /// Returns when the vswitch has carried out what it has been told so far: one that has just come back may still tell what was before
    /// it went. Changes nothing of ours.
    ///
    /// # Errors
    /// As [`Self::ready`].
    async fn settled(&self, _cx: Cx) -> Result<(), EngineError> {
        Ok(())
    }

    /// Returns when the vswitch that answered last has gone away, and what it had with it; at once when none has answered yet.
    /// Never for one that cannot go (the kernel).
    async fn until_gone(&self) {
        std::future::pending().await
    }
}

/// One interface that an engine made, and a connection to do things with it.
#[async_trait]
pub trait Interface: Send + Sync {
    /// What to remember so that [`Engine::find`] need not search.
    fn hint(&self) -> Hint;

    /// The present state in the words of the specification. What cannot be known now is left out; where it is not as `spec` says
    /// in a way that only the vswitch has words for, that is among [`State::faults`].
    ///
    /// `network` is what it should be joined to: a vswitch that keeps members with their network is asked about that one only.
    async fn observe(&self, cx: Cx, spec: &InterfaceSpec, network: &Network) -> Result<State, EngineError>;

    /// Makes it a member of the network, which is made (and marked as ours) when missing.
    async fn join(&self, cx: Cx, network: &Network) -> Result<(), EngineError>;

    /// Gives it the addresses and routes. What was set here before and is no longer wanted goes; what others set stays.
    async fn assign(&self, cx: Cx, addresses: &[Address], routes: &[Route]) -> Result<(), EngineError>;

    /// Removes it; its network stays, for [`Engine::prune`]. Absence is success.
    async fn remove(self: Box<Self>, cx: Cx) -> Result<(), EngineError>;
}

/// A second ADD of what is there.
pub fn attached_already(id: &AttachmentId) -> EngineError {
    EngineError::new(ErrorKind::Conflict, format!("add {id} (it is attached already)"))
}

/// What a vswitch said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Which engine.
    pub kind: EngineKind,
    /// Its version as it prints it.
    pub version: String,
    /// What it can do, in the engine's own words (message names, interface types, kernel features).
    pub features: Vec<String>,
}

impl EngineInfo {
    /// Whether `feature` is among the features.
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|known| known == feature)
    }
}

/// Where an interface was when it was last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// The vswitch's index for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The vswitch's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The routes that lead to it, where its engine does not keep them with it. Not remembered: the record has the addresses.
    #[serde(skip)]
    pub routes: Vec<Route>,
}

impl Hint {
    /// The vswitch's name for it is known, and nothing else.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }
}

/// A marked thing in a vswitch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Whose it is.
    pub tag: OwnerTag,
    /// The plain ids, where the mark had room for them.
    pub attachment: Option<AttachmentId>,
}
