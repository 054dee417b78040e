//! The trait [`Engine`]: one Open vSwitch, on the host or in a container.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use userspace_core::{
    cx::Cx,
    engine::{Engine, EngineError, EngineInfo, ErrorKind, Hint, Interface, Owned, attached_already},
    owner::{Owner, OwnerTag},
    spec::{Bridge, EngineKind, InterfaceSpec, Network},
};

use crate::{
    apply, bridge,
    columns::Wanted,
    device, error,
    interface::OvsInterface,
    names,
    ovsdb::{Error, Row, Transaction, includes, map},
    place::{Place, Side},
    port::{self, Found, Order},
};

/// One Open vSwitch. Connects when it is first asked something, and again when the connection has ended.
#[derive(Debug)]
pub struct OvsEngine {
    place: Arc<Place>,
    /// What a preflight saw where nothing was in the way: the ensure that follows need not look again.
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug)]
struct Seen {
    tag: OwnerTag,
    bridge: Bridge,
    found: Found,
}

impl OvsEngine {
    /// The Open vSwitch of the host, whose database is at `address`: a path, `unix:PATH` or `tcp:HOST:PORT`; the packages' usual one
    /// when absent.
    pub fn host(address: Option<PathBuf>) -> Self {
        Self::at(address, Side::Host)
    }

    /// The Open vSwitch of the container in which this process runs.
    pub fn in_container(address: Option<PathBuf>) -> Self {
        Self::at(address, Side::Container)
    }

    fn at(address: Option<PathBuf>, side: Side) -> Self {
        Self { place: Arc::new(Place::new(address, side)), seen: Mutex::default() }
    }
}

impl OvsEngine {
    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[async_trait]
impl Engine for OvsEngine {
    async fn ready(&self, cx: Cx) -> Result<EngineInfo, EngineError> {
        let doing = "ask the Open vSwitch what it has";
        let mut look = Transaction::new();
        let step = look.select("Open_vSwitch", &[], &INFO);
        // Before it is asked: should another take its place meanwhile, that one counts as gone.
        let (client, life) = (self.place.client(cx).await?, self.place.life());
        let reply = self.place.transact_by(&client, cx, doing, &look).await?;
        self.place.require_vswitchd()?;
        self.place.note_answer(client, life).await;
        let row = reply.row(step).map_err(error::doing(doing))?;
        let row = row.ok_or_else(|| {
            EngineError::new(ErrorKind::Degraded, format!("{doing} (its database is not initialised)"))
        })?;
        info(&row).map_err(error::doing(doing))
    }

    fn supports(
        &self,
        info: &EngineInfo,
        spec: &InterfaceSpec,
        network: &Network,
    ) -> Result<(), EngineError> {
        device::supports(self.place.side, info, spec, network)
    }

    fn complete(&self, info: &EngineInfo, spec: &mut InterfaceSpec) {
        device::complete(info, spec);
    }

    async fn preflight(
        &self,
        cx: Cx,
        owner: &Owner,
        spec: &InterfaceSpec,
        network: &Network,
    ) -> Result<(), EngineError> {
        let bridge = bridge_of(network)?;
        let wanted = Wanted::of(self.place.side, owner, spec)?;
        let order = Order { wanted: &wanted, spec, bridge };
        let found = port::preflight(cx, &self.place, order).await?;
        if found.port.is_some() {
            return Err(attached_already(&owner.attachment));
        }
        device::preflight(cx, &self.place, &owner.tag, spec).await?;
        *self.seen() = Some(Seen { tag: owner.tag, bridge: bridge.clone(), found });
        Ok(())
    }

    async fn ensure(
        &self,
        cx: Cx,
        owner: &Owner,
        spec: &InterfaceSpec,
        network: &Network,
    ) -> Result<Box<dyn Interface>, EngineError> {
        let bridge = bridge_of(network)?;
        let wanted = Wanted::of(self.place.side, owner, spec)?;
        let order = Order { wanted: &wanted, spec, bridge };
        let seen = self.seen().take().filter(|seen| seen.tag == owner.tag && seen.bridge == *bridge);
        let seen = seen.map(|seen| seen.found);
        let (uuid, is_new) = port::ensure(cx, &self.place, order, seen).await?;
        let joined = is_new.then(|| bridge.clone());
        Ok(Box::new(OvsInterface::new(Arc::clone(&self.place), owner.tag, Some(uuid), joined)))
    }

    async fn find(
        &self,
        cx: Cx,
        owner: &OwnerTag,
        _hint: Option<&Hint>,
    ) -> Result<Option<Box<dyn Interface>>, EngineError> {
        let found = port::look(cx, &self.place, owner, None).await?;
        if !found.has_anything(owner) {
            return Ok(None);
        }
        let ours = found.ours(owner);
        // The instance that made it decides about its network.
        let tag = ours.and_then(|port| port.mark()).map_or(*owner, |mark| mark.tag);
        let port = ours.map(|port| port.uuid.clone());
        let place = Arc::clone(&self.place);
        Ok(Some(Box::new(OvsInterface::new(place, tag, port, None))))
    }

    async fn prune(&self, cx: Cx, owner: &OwnerTag, network: &Network) -> Result<(), EngineError> {
        match network {
            Network::Bridge(wanted) => bridge::prune(cx, &self.place, owner, &wanted.name).await,
            Network::None | Network::Routed { .. } => Ok(()),
        }
    }

    async fn settled(&self, cx: Cx) -> Result<(), EngineError> {
        apply::settled(cx, &self.place).await
    }

    async fn until_gone(&self) {
        self.place.until_gone().await;
    }

    async fn owned(&self, cx: Cx) -> Result<Vec<Owned>, EngineError> {
        let doing = "list the ports that bear our mark";
        let mut look = Transaction::new();
        let ours = |kind: &str| [includes("external_ids", map([(names::KIND, kind)]))];
        let steps = [
            look.select("Port", &ours(names::PORT), &["external_ids"]),
            look.select("QoS", &ours(names::QOS), &["external_ids"]),
            look.select("Queue", &ours(names::QOS), &["external_ids"]),
        ];
        let reply = self.place.transact(cx, doing, &look).await?;
        let mut owned = BTreeMap::new();
        for step in steps {
            for row in reply.rows(step).map_err(error::doing(doing))? {
                let ids = row.map("external_ids").map_err(error::doing(doing))?;
                if let Some(mark) = names::mark_of(&ids) {
                    owned.insert(mark.tag, Owned { tag: mark.tag, attachment: mark.attachment });
                }
            }
        }
        Ok(owned.into_values().collect())
    }
}

fn bridge_of(network: &Network) -> Result<&Bridge, EngineError> {
    match network {
        Network::Bridge(bridge) => Ok(bridge),
        Network::None | Network::Routed { .. } => {
            let doing = "make a port without a bridge (every port of Open vSwitch is on one)";
            Err(EngineError::new(ErrorKind::Unsupported, doing))
        }
    }
}

/// What [`info`] reads. All of them came by Open vSwitch 2.10.
const INFO: [&str; 5] = ["ovs_version", "dpdk_initialized", "iface_types", "datapath_types", "other_config"];

fn info(row: &Row) -> Result<EngineInfo, Error> {
    let mut features: Vec<String> = Vec::new();
    features.extend(row.strings("iface_types")?.iter().map(|kind| format!("type:{kind}")));
    features.extend(row.strings("datapath_types")?.iter().map(|kind| format!("datapath:{kind}")));
    if row.boolean("dpdk_initialized")? {
        features.push("dpdk".to_owned());
    }
    let config = row.map("other_config")?;
    let extra = config.get("dpdk-extra").map(String::as_str).unwrap_or_default();
    if extra.split_whitespace().any(|word| word == "--no-huge") {
        features.push("no-huge".to_owned());
    }
    features.push(format!("{}{}", device::SEND_QUEUES, send_queues(config.get("pmd-cpu-mask"))));
    // ovs-ctl writes the version; without it nobody does.
    let version = row.optional_string("ovs_version")?.unwrap_or_else(|| "of unknown version".to_owned());
    Ok(EngineInfo { kind: EngineKind::Ovs, version, features })
}

/// Each thread sends on a queue of its own: the main thread, and those of `pmd-cpu-mask`, or without one a thread a NUMA node.
fn send_queues(mask: Option<&String>) -> u32 {
    let digits =
        mask.map(|mask| mask.trim_start_matches("0x").chars().filter_map(|digit| digit.to_digit(16)));
    let threads = digits.map_or(0, |digits| digits.map(u32::count_ones).sum());
    1 + if threads > 0 { threads } else { numa_nodes() }
}

fn numa_nodes() -> u32 {
    let entries = std::fs::read_dir("/sys/devices/system/node").into_iter().flatten().flatten();
    let nodes = entries.filter(|entry| {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("node"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    u32::try_from(nodes.count()).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_sends_on_a_queue_of_its_own() {
        for (mask, queues) in [("0x2", 2), ("6", 3), ("0xff00", 9), ("F", 5)] {
            assert_eq!(send_queues(Some(&mask.to_owned())), queues, "{mask}");
        }
        assert!(send_queues(None) >= 2);
    }
}
