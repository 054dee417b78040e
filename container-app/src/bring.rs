//! One interface in one vswitch: looked at, brought to what is desired, removed.

use userspace_core::{
    cx::Cx,
    engine::{Engine, EngineError, EngineInfo, ErrorKind, Interface},
    half::Desired,
    owner::{Owner, OwnerTag},
    reconcile::{Difference, State, diff},
    spec::Network,
};

/// An interface that is as desired.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Brought {
    /// What the vswitch calls it.
    pub(crate) name: String,
    /// How it was found.
    pub(crate) was: Was,
}

/// How an interface was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Was {
    /// As desired.
    Right,
    /// Not there.
    Gone,
    /// There, but otherwise.
    Different(String),
    /// There, but otherwise in what is set when it is made: it was made anew.
    Remade(String),
}

/// The container's vswitch, what it said of itself, and how long a call may take.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) engine: &'a dyn Engine,
    pub(crate) info: &'a EngineInfo,
    pub(crate) cx: Cx,
}

/// Why an interface is not as desired.
#[derive(Debug)]
pub(crate) enum Failure {
    /// This vswitch cannot make such: asking again brings nothing.
    Refused(EngineError),
    /// It may do next time.
    Failed(EngineError),
}

impl Failure {
    pub(crate) fn error(&self) -> &EngineError {
        match self {
            Self::Refused(error) | Self::Failed(error) => error,
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

/// What is seen of an interface.
enum Seen {
    Right(Box<dyn Interface>),
    Different(Vec<Difference>),
    Gone,
}

impl At<'_> {
    /// Looks only: the interface's name when it is as desired.
    ///
    /// # Errors
    /// What is wrong with it; the engine's own.
    pub(crate) async fn look(&self, owner: &Owner, desired: &Desired) -> Result<String, Failure> {
        let desired = self.complete(desired)?;
        let wrong = |what: String| Err(EngineError::new(ErrorKind::Conflict, what).into());
        match self.see(owner, &desired).await? {
            Seen::Right(it) => Ok(name(it.as_ref())),
            Seen::Different(found) => wrong(told(&found)),
            Seen::Gone => wrong("it is not made".to_owned()),
        }
    }

    /// Brings about what has not been seen in this vswitch yet: as [`Self::bring`], in as few questions as an engine takes.
    ///
    /// # Errors
    /// The engine's own.
    pub(crate) async fn bring_first(&self, owner: &Owner, desired: &Desired) -> Result<Brought, Failure> {
        let complete = self.complete(desired)?;
        // What is in the way is told by the other, if it is.
        match self.engine.preflight(self.cx, owner, &complete.spec, &complete.network).await {
            Ok(()) => Ok(Brought { name: self.make(owner, &complete).await?, was: Was::Gone }),
            Err(_) => self.bring(owner, desired, true).await,
        }
    }

    /// Brings it about. What stands is not touched; what is ours and otherwise is mended. What cannot be mended is made anew if it `may_go`:
    /// once, or traffic would end again and again for a difference that nobody can remove.
    ///
    /// # Errors
    /// The engine's own.
    pub(crate) async fn bring(
        &self,
        owner: &Owner,
        desired: &Desired,
        may_go: bool,
    ) -> Result<Brought, Failure> {
        let desired = self.complete(desired)?;
        let found = match self.see(owner, &desired).await? {
            Seen::Right(it) => return Ok(Brought { name: name(it.as_ref()), was: Was::Right }),
            Seen::Gone => {
                let name = self.make(owner, &desired).await?;
                return Ok(Brought { name, was: Was::Gone });
            }
            Seen::Different(found) => found,
        };
        if !self.mend(owner, &desired).await? {
            if !may_go {
                let doing = format!("mend an interface ({}, also when it was made anew)", told(&found));
                return Err(EngineError::new(ErrorKind::Conflict, doing).into());
            }
            self.remove(&owner.tag, Some(&desired.network)).await?;
            self.make(owner, &desired).await?;
            return Ok(Brought {
                name: self.seen_right(owner, &desired).await?,
                was: Was::Remade(told(&found)),
            });
        }
        Ok(Brought { name: self.seen_right(owner, &desired).await?, was: Was::Different(told(&found)) })
    }

    /// Removes it, and a network that we made for it. Absence is success.
    pub(crate) async fn remove(&self, tag: &OwnerTag, network: Option<&Network>) -> Result<(), EngineError> {
        if let Some(found) = self.engine.find(self.cx, tag, None).await? {
            found.remove(self.cx).await?;
        }
        match network {
            Some(network) => self.engine.prune(self.cx, tag, network).await,
            None => Ok(()),
        }
    }

    /// The same steps for one that is there: whether what is made is as desired then. What it is given is another matter: an address that
    /// VPP refuses is no better on an interface that was made anew.
    async fn mend(&self, owner: &Owner, desired: &Desired) -> Result<bool, EngineError> {
        let Desired { spec, network, given } = desired;
        let it = match self.engine.ensure(self.cx, owner, spec, network).await {
            Err(error) if error.kind() == ErrorKind::Conflict => return Ok(false),
            ensured => ensured?,
        };
        it.join(self.cx, network).await?;
        it.assign(self.cx, &given.addresses, &given.routes).await?;
        let state = State::desired(spec, network);
        Ok(diff(&state, &it.observe(self.cx, spec, network).await?).is_empty())
    }

    async fn seen_right(&self, owner: &Owner, desired: &Desired) -> Result<String, EngineError> {
        let what = match self.see(owner, desired).await? {
            Seen::Right(it) => return Ok(name(it.as_ref())),
            Seen::Gone => "it was gone at once".to_owned(),
            Seen::Different(found) => format!("afterwards {}", told(&found)),
        };
        Err(EngineError::new(ErrorKind::Conflict, format!("mend an interface ({what})")))
    }

    fn complete(&self, desired: &Desired) -> Result<Desired, Failure> {
        let mut desired = desired.clone();
        self.engine.complete(self.info, &mut desired.spec);
        self.engine.supports(self.info, &desired.spec, &desired.network).map_err(Failure::Refused)?;
        Ok(desired)
    }

    async fn see(&self, owner: &Owner, desired: &Desired) -> Result<Seen, EngineError> {
        let Some(it) = self.engine.find(self.cx, &owner.tag, None).await? else {
            return Ok(Seen::Gone);
        };
        let state = State::desired(&desired.spec, &desired.network).given(&desired.given);
        let found = diff(&state, &it.observe(self.cx, &desired.spec, &desired.network).await?);
        Ok(if found.is_empty() { Seen::Right(it) } else { Seen::Different(found) })
    }

    async fn make(&self, owner: &Owner, desired: &Desired) -> Result<String, EngineError> {
        let Desired { spec, network, given } = desired;
        let it = self.engine.ensure(self.cx, owner, spec, network).await?;
        it.join(self.cx, network).await?;
        it.assign(self.cx, &given.addresses, &given.routes).await?;
        Ok(name(it.as_ref()))
    }
}

fn name(it: &dyn Interface) -> String {
    it.hint().name.unwrap_or_default()
}

fn told(found: &[Difference]) -> String {
    let all: Vec<_> = found.iter().map(ToString::to_string).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use userspace_core::{
        addressing::Assignment,
        lifecycle::Engines,
        owner::InstanceId,
        testing::{fake::Fake, plans},
    };

    use super::*;

    fn desired(mtu: u32) -> (Owner, Desired) {
        let plan = plans::memif("c1", "net1");
        let host = plan.host.unwrap();
        let mut spec = host.spec;
        spec.mtu_bytes = Some(mtu);
        let attachment = plan.owner.attachment;
        let owner = Owner::new(attachment, InstanceId::new(9));
        (owner, Desired { spec, network: Network::None, given: Assignment::default() })
    }

    #[tokio::test]
    async fn an_interface_is_brought_about_once_and_anew_when_another_is_wanted() {
        let engine = Fake::default().open(&plans::memif("c1", "net1").host.unwrap().engine).unwrap();
        let engine = engine.as_ref();
        let cx = Cx::within(Duration::from_secs(5));
        let info = engine.ready(cx).await.unwrap();
        let at = At { engine, info: &info, cx };
        let (owner, wanted) = desired(1500);
        assert!(at.look(&owner, &wanted).await.unwrap_err().error().to_string().contains("not made"));
        assert_eq!(at.bring_first(&owner, &wanted).await.unwrap().was, Was::Gone);
        assert_eq!(at.bring(&owner, &wanted, false).await.unwrap().was, Was::Right);
        let (_, other) = desired(9000);
        assert!(at.look(&owner, &other).await.is_err());
        assert!(at.bring(&owner, &other, false).await.is_err(), "it may not go");
        assert!(at.look(&owner, &wanted).await.is_ok(), "and has not gone");
        assert!(matches!(at.bring(&owner, &other, true).await.unwrap().was, Was::Remade(_)));
        assert!(at.look(&owner, &other).await.is_ok());
        at.remove(&owner.tag, Some(&other.network)).await.unwrap();
        at.remove(&owner.tag, Some(&other.network)).await.unwrap();
        assert_eq!(engine.owned(cx).await.unwrap(), []);
    }
}
