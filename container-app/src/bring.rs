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
}

/// The container's vswitch, what it said of itself, and how long a call may take.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) engine: &'a dyn Engine,
    pub(crate) info: &'a EngineInfo,
    pub(crate) cx: Cx,
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
    /// What is wrong with it, as [`ErrorKind::Conflict`]; the engine's own.
    pub(crate) async fn look(&self, owner: &Owner, desired: &Desired) -> Result<String, EngineError> {
        let desired = self.complete(desired)?;
        let wrong = |what: String| Err(EngineError::new(ErrorKind::Conflict, what));
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
    pub(crate) async fn bring_first(&self, owner: &Owner, desired: &Desired) -> Result<Brought, EngineError> {
        let complete = self.complete(desired)?;
        // What is in the way is told by the other, if it is.
        match self.engine.preflight(self.cx, owner, &complete.spec, &complete.network).await {
            Ok(()) => Ok(Brought { name: self.make(owner, &complete).await?, was: Was::Gone }),
            Err(_) => self.bring(owner, desired).await,
        }
    }

    /// Brings it about. What stands is not touched; what is ours and otherwise is mended, or made anew where that does not do.
    ///
    /// # Errors
    /// The engine's own.
    pub(crate) async fn bring(&self, owner: &Owner, desired: &Desired) -> Result<Brought, EngineError> {
        let desired = self.complete(desired)?;
        let found = match self.see(owner, &desired).await? {
            Seen::Right(it) => return Ok(Brought { name: name(it.as_ref()), was: Was::Right }),
            Seen::Gone => {
                let name = self.make(owner, &desired).await?;
                return Ok(Brought { name, was: Was::Gone });
            }
            Seen::Different(found) => found,
        };
        let name = match self.mend(owner, &desired).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.remove(&owner.tag, Some(&desired.network)).await?;
                self.make(owner, &desired).await?
            }
            mended => mended?,
        };
        Ok(Brought { name, was: Was::Different(told(&found)) })
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

    fn complete(&self, desired: &Desired) -> Result<Desired, EngineError> {
        let mut desired = desired.clone();
        self.engine.complete(self.info, &mut desired.spec);
        self.engine.supports(self.info, &desired.spec, &desired.network)?;
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

    /// The same steps for one that is there, and whether they did it: what is set when an interface is made is not set by asking again.
    async fn mend(&self, owner: &Owner, desired: &Desired) -> Result<String, EngineError> {
        self.make(owner, desired).await?;
        match self.see(owner, desired).await? {
            Seen::Right(it) => Ok(name(it.as_ref())),
            Seen::Gone => {
                Err(EngineError::new(ErrorKind::Conflict, "mend an interface (it was gone at once)"))
            }
            Seen::Different(found) => {
                let doing = format!("mend an interface (afterwards {})", told(&found));
                Err(EngineError::new(ErrorKind::Conflict, doing))
            }
        }
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
        assert!(at.look(&owner, &wanted).await.unwrap_err().to_string().contains("not made"));
        assert_eq!(at.bring(&owner, &wanted).await.unwrap().was, Was::Gone);
        assert_eq!(at.bring(&owner, &wanted).await.unwrap().was, Was::Right);
        let (_, other) = desired(9000);
        assert!(at.look(&owner, &other).await.is_err());
        assert!(matches!(at.bring(&owner, &other).await.unwrap().was, Was::Different(_)));
        assert!(at.look(&owner, &other).await.is_ok());
        at.remove(&owner.tag, Some(&other.network)).await.unwrap();
        at.remove(&owner.tag, Some(&other.network)).await.unwrap();
        assert_eq!(engine.owned(cx).await.unwrap(), []);
    }
}
