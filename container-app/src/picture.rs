//! What each half asks of which engine, or why it asks nothing. Pure.

use std::{collections::BTreeMap, path::Path};

use userspace_core::{
    engine::chain,
    half::{ContainerHalf, Desired},
    id::{AttachmentId, InterfaceName},
    owner::{InstanceId, Owner, OwnerTag},
    spec::{EngineKind, Network},
};

use crate::engines::BUILT_IN;

/// One half, and what is to be done about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) half: ContainerHalf,
    pub(crate) owner: Owner,
    pub(crate) task: Task,
}

/// All that is published at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Picture {
    /// What is to be done.
    pub(crate) wanted: Vec<Wanted>,
    /// What is published beside it, and was not chosen.
    pub(crate) others: Vec<OwnerTag>,
    /// Whether every document could be read.
    pub(crate) is_whole: bool,
}

impl Picture {
    /// What the halves ask for, whose sockets are in `dir`.
    pub(crate) fn of(halves: &[ContainerHalf], dir: &Path, rules: Rules) -> Self {
        let mut wanted: Vec<Wanted> =
            halves.iter().map(|half| Wanted::of(half.clone(), dir, rules)).collect();
        refuse_shared_bridges(&mut wanted);
        Self { wanted, others: Vec::new(), is_whole: true }
    }

    /// Whether any of it is made by that vswitch.
    pub(crate) fn has_work(&self, kind: EngineKind) -> bool {
        self.wanted.iter().any(|one| one.engine() == Some(kind))
    }
}

/// On Open vSwitch the bridge has the addresses, and each half would take the other's away.
fn refuse_shared_bridges(wanted: &mut [Wanted]) {
    let mut taken: BTreeMap<String, InterfaceName> = BTreeMap::new();
    for one in wanted {
        let Task::Make(EngineKind::Ovs, desired) = &one.task else { continue };
        let (Network::Bridge(bridge), false) = (&desired.network, desired.given.addresses.is_empty()) else {
            continue;
        };
        let name = bridge.name.clone();
        if let Some(first) = taken.get(&name) {
            one.task =
                Task::Refused(format!("its bridge {name:?} has the addresses of {first}; name another"));
        } else {
            taken.insert(name, one.half.attachment.interface.clone());
        }
    }
}

/// Who does what about a half.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Task {
    /// A vswitch of the container makes it.
    Make(EngineKind, Box<Desired>),
    /// An application takes it up.
    Application,
    /// The host has made it already: a kernel interface.
    Kernel,
    /// Nobody can make it, for that reason.
    Refused(String),
}

/// How halves are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// What makes all of them, whatever they say.
    pub(crate) engine: Option<EngineKind>,
    pub(crate) instance: InstanceId,
}

impl Wanted {
    /// What the half asks for, whose socket is in `dir`.
    pub(crate) fn of(half: ContainerHalf, dir: &Path, rules: Rules) -> Self {
        let owner = Owner::new(half.attachment.clone(), rules.instance);
        let task = task(&half, dir, rules).unwrap_or_else(Task::Refused);
        Self { half, owner, task }
    }

    pub(crate) fn id(&self) -> &AttachmentId {
        &self.half.attachment
    }

    /// The vswitch that makes it.
    pub(crate) fn engine(&self) -> Option<EngineKind> {
        match &self.task {
            Task::Make(engine, _) => Some(*engine),
            _ => None,
        }
    }
}

fn task(half: &ContainerHalf, dir: &Path, rules: Rules) -> Result<Task, String> {
    if half.config.iftype.is_some_and(|kind| userspace_core::spec::InterfaceKind::from(kind).is_kernel()) {
        return Ok(Task::Kernel);
    }
    let named = half.config.engine.map(EngineKind::from);
    let engine = rules.engine.or(named).ok_or("it names no engine; --engine chooses one")?;
    match engine {
        EngineKind::Linux => Ok(Task::Kernel),
        EngineKind::Dpdk => {
            half.spec(dir).map_err(|error| chain(&error))?;
            Ok(Task::Application)
        }
        EngineKind::Vpp | EngineKind::Ovs if BUILT_IN.contains(&engine) => {
            let desired = half.desired(dir, engine).map_err(|error| chain(&error))?;
            Ok(Task::Make(engine, Box::new(desired)))
        }
        EngineKind::Vpp | EngineKind::Ovs => Err(format!("this build has no engine {engine}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(config: &str, engine: Option<EngineKind>) -> Task {
        let text = format!(r#"{{"containerId":"c1","ifName":"net1","name":"net","config":{config}}}"#);
        let half = ContainerHalf::from_json(text.as_bytes()).unwrap();
        Wanted::of(half, Path::new("/shared"), Rules { engine, instance: InstanceId::new(1) }).task
    }

    #[test]
    fn a_bridge_has_the_addresses_of_one_interface() {
        let half = |name: &str| {
            let text = format!(
                r#"{{"containerId":"c1","ifName":"{name}","name":"net","config":{{"engine":"ovs-dpdk",{MEMIF},
                "bridge":{{"bridgeName":"br1"}}}},"ipResult":{{"ips":[{{"address":"10.0.0.2/24"}}]}}}}"#
            );
            ContainerHalf::from_json(text.as_bytes()).unwrap()
        };
        let rules = Rules { engine: None, instance: InstanceId::new(1) };
        let picture = Picture::of(&[half("net1"), half("net2")], Path::new("/shared"), rules);
        assert!(matches!(picture.wanted[0].task, Task::Make(..)));
        let Task::Refused(reason) = &picture.wanted[1].task else { panic!("refused") };
        assert!(reason.contains("br1") && reason.contains("net1"), "{reason}");
    }

    const MEMIF: &str = r#""iftype":"memif","memif":{"socketfile":"a.sock"}"#;

    #[test]
    fn each_half_has_somebody_who_makes_it() {
        let of = |engine: &str| wanted(&format!(r#"{{"engine":"{engine}",{MEMIF}}}"#), None);
        assert!(matches!(of("vpp"), Task::Make(EngineKind::Vpp, _)));
        assert!(matches!(of("ovs"), Task::Make(EngineKind::Ovs, _)));
        assert_eq!(of("dpdk"), Task::Application);
        assert_eq!(wanted(r#"{"engine":"vpp","iftype":"veth"}"#, None), Task::Kernel);
        let chosen = wanted(&format!(r#"{{"engine":"vpp",{MEMIF}}}"#), Some(EngineKind::Dpdk));
        assert_eq!(chosen, Task::Application);
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        for (config, word) in [
            (format!("{{{MEMIF}}}"), "--engine"),
            (r#"{"engine":"vpp","iftype":"memif"}"#.to_owned(), "config.memif"),
            (r#"{"engine":"dpdk","iftype":"vhostuser","vhost":{"socketfile":"../a"}}"#.to_owned(), "../a"),
        ] {
            let Task::Refused(reason) = wanted(&config, None) else { panic!("{config}") };
            assert!(reason.contains(word), "{reason}");
        }
    }
}
