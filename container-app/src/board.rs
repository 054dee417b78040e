//! How each interface stands: written by those who make them, read by those who ask.

use std::collections::BTreeMap;

use nix::net::if_::if_nametoindex;
use tokio::sync::watch;
use userspace_core::{id::AttachmentId, spec::EngineKind};

use crate::picture::{Task, Wanted};

/// How an interface stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The container's vswitch has it, as the host said; what it is called there.
    Up(String),
    /// It is published; an application takes it up.
    Published,
    /// The host's kernel made it.
    Kernel,
    /// It is not there yet, for that reason.
    Pending(String),
    /// It cannot be, for that reason.
    Refused(String),
}

impl Standing {
    /// Whether there is nothing more to be done.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Published | Self::Kernel)
    }

    /// In a word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Up(_) => "up",
            Self::Published => "published",
            Self::Kernel => "kernel",
            Self::Pending(_) => "pending",
            Self::Refused(_) => "refused",
        }
    }

    /// Why it is not there.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Pending(reason) | Self::Refused(reason) => Some(reason),
            Self::Up(_) | Self::Published | Self::Kernel => None,
        }
    }
}

/// What a half is before its engine has been asked.
pub(crate) fn at_first(wanted: &Wanted) -> Standing {
    match &wanted.task {
        Task::Make(engine, _) => Standing::Pending(format!("not made yet by {engine}")),
        Task::Application => Standing::Published,
        Task::Kernel => kernel(wanted.id().interface.as_str()),
        Task::Refused(reason) => Standing::Refused(reason.clone()),
    }
}

/// The host makes it in the container's network namespace, which is this process's.
fn kernel(name: &str) -> Standing {
    if if_nametoindex(name).is_ok() {
        return Standing::Kernel;
    }
    Standing::Pending(format!("the host makes it, and there is no kernel interface {name:?} here"))
}

/// All that is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) interfaces: BTreeMap<AttachmentId, Standing>,
    /// How many documents could not be read.
    pub(crate) rejected: usize,
    /// Why the halves are not known.
    pub(crate) problem: Option<String>,
    /// Which vswitches answer.
    pub(crate) engines: BTreeMap<EngineKind, bool>,
    /// What each of the interfaces was asked to be.
    asked: BTreeMap<AttachmentId, Wanted>,
}

impl State {
    /// What is still missing, while there are to be `expected` interfaces at least.
    pub(crate) fn missing(&self, expected: usize) -> Option<String> {
        if let Some(problem) = &self.problem {
            return Some(problem.clone());
        }
        let missing = self.interfaces.iter().filter(|(_, standing)| !standing.is_done());
        let mut missing: Vec<_> = missing
            .map(|(id, standing)| format!("{}: {}", id.interface, standing.reason().unwrap_or_default()))
            .collect();
        if self.interfaces.len() < expected {
            missing.push(format!("{} of {expected} interfaces are published", self.interfaces.len()));
        }
        (!missing.is_empty()).then(|| missing.join("; "))
    }
}

/// The one place where the state is kept.
#[derive(Debug, Clone)]
pub(crate) struct Board(watch::Sender<State>);

impl Board {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    pub(crate) fn state(&self) -> State {
        self.0.borrow().clone()
    }

    /// Tells of every change from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    /// There are these, and no others. What was known of one that stays as it was is still known.
    pub(crate) fn publish(&self, all: &[Wanted]) {
        self.0.send_modify(|state| {
            let known = |one: &Wanted| {
                let is_same = state.asked.get(one.id()) == Some(one);
                state.interfaces.get(one.id()).filter(|_| is_same).cloned()
            };
            let next = all.iter().map(|one| (one.id().clone(), known(one).unwrap_or_else(|| at_first(one))));
            state.interfaces = next.collect();
            state.asked = all.iter().map(|one| (one.id().clone(), one.clone())).collect();
        });
    }

    /// How many documents could not be read, and why the halves are not known.
    pub(crate) fn trouble(&self, rejected: usize, problem: Option<String>) {
        self.0.send_modify(|state| (state.rejected, state.problem) = (rejected, problem));
    }

    /// One stands like that: whether that is news. Nothing when it has been withdrawn meanwhile, or is to be another.
    pub(crate) fn set(&self, one: &Wanted, standing: Standing) -> bool {
        self.0.send_if_modified(|state| {
            let is_same = state.asked.get(one.id()) == Some(one);
            match state.interfaces.get_mut(one.id()).filter(|_| is_same) {
                Some(slot) if *slot != standing => {
                    *slot = standing;
                    true
                }
                _ => false,
            }
        })
    }

    /// Whether a vswitch answers.
    pub(crate) fn engine(&self, kind: EngineKind, answers: bool) {
        self.0.send_if_modified(|state| state.engines.insert(kind, answers) != Some(answers));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use userspace_core::{owner::InstanceId, testing::halves};

    use super::*;
    use crate::picture::Rules;

    fn wanted(interface: &str, engine: EngineKind) -> Wanted {
        let mut half = halves::memif("c", interface);
        half.config.iftype = Some(userspace_core::conf::InterfaceType::Memif);
        half.config.memif.as_mut().unwrap().socketfile = Some("a.sock".to_owned());
        Wanted::of(half, Path::new("/s"), Rules { engine: Some(engine), instance: InstanceId::new(1) })
    }

    #[test]
    fn all_must_be_up_and_enough_of_them() {
        let board = Board::new();
        assert_eq!(board.state().missing(1).unwrap(), "0 of 1 interfaces are published");
        let one = wanted("net1", EngineKind::Vpp);
        board.publish(std::slice::from_ref(&one));
        assert!(board.state().missing(1).unwrap().contains("net1: not made yet"));
        board.set(&one, Standing::Up("memif1/0".to_owned()));
        assert_eq!(board.state().missing(1), None);
        assert_eq!(board.state().missing(2).unwrap(), "1 of 2 interfaces are published");
        board.trouble(0, Some("two containers".to_owned()));
        assert_eq!(board.state().missing(1).unwrap(), "two containers");
    }

    #[test]
    fn what_stays_is_still_known_and_what_goes_is_forgotten() {
        let board = Board::new();
        let (one, two) = (wanted("net1", EngineKind::Vpp), wanted("net2", EngineKind::Dpdk));
        board.publish(std::slice::from_ref(&one));
        board.set(&one, Standing::Up("memif1/0".to_owned()));
        board.publish(&[one.clone(), two.clone()]);
        let both = board.state().interfaces;
        assert_eq!((both[one.id()].word(), both[two.id()].word()), ("up", "published"));
        let changed = wanted("net1", EngineKind::Ovs);
        board.publish(std::slice::from_ref(&changed));
        assert!(!board.set(&one, Standing::Kernel), "what an earlier picture asked for is no news");
        assert_eq!(board.state().interfaces[one.id()].word(), "pending");
        board.publish(&[]);
        board.set(&changed, Standing::Kernel);
        assert!(board.state().interfaces.is_empty());
    }
}
