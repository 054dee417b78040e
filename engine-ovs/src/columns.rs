//! What the rows of a port should say: computed from the specification, written by `port`, compared by `observe`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use userspace_core::{
    engine::EngineError,
    owner::{Mark, Owner, SpecDigest},
    spec::{Bandwidth, InterfaceSpec, Rate, Sandbox, Vlan, VlanMode},
};

use crate::{
    device,
    kind::Rows,
    memif, names,
    ovsdb::{empty, map, set},
    place::Side,
    qos::Shaping,
};

/// The rows of one port.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// `name` of Port and Interface.
    pub(crate) name: String,
    /// `type` of Interface.
    pub(crate) kind: &'static str,
    /// Those of Interface's `options` that are ours to set.
    pub(crate) options: BTreeMap<String, String>,
    /// `mtu_request` of Interface, in bytes.
    pub(crate) mtu_request: Option<u32>,
    /// `ingress_policing_rate` in kbit/s and `ingress_policing_burst` in kbit: 0 is no limit, and OVS's own burst.
    pub(crate) policing: (u64, u64),
    /// Those of Interface's `external_ids` that are ours to set.
    pub(crate) interface_ids: BTreeMap<String, String>,
    /// Those of Port's.
    pub(crate) port_ids: BTreeMap<String, String>,
    /// The rate of what leaves the switch here.
    pub(crate) shaping: Option<Shaping>,
    /// The mark that all rows bear.
    pub(crate) mark: Mark,
}

impl Wanted {
    /// The rows for `owner`'s port.
    pub(crate) fn of(side: Side, owner: &Owner, spec: &InterfaceSpec) -> Result<Self, EngineError> {
        let mark = owner.mark(SpecDigest::of(spec));
        let mut port_ids = names::ids(&mark, names::PORT);
        port_ids.extend(spec.sandbox.iter().flat_map(sandbox_ids));
        let Rows { kind, options } = device::rows(side, &owner.tag, spec)?;
        let Bandwidth { ingress, egress } =
            spec.bandwidth.unwrap_or(Bandwidth { ingress: None, egress: None });
        let mut interface_ids = BTreeMap::new();
        if let Some(port) = &spec.logical_port {
            // What ovn-controller binds by (ovn-architecture(7)).
            interface_ids.insert("iface-id".to_owned(), port.id.clone());
            interface_ids.insert("attached-mac".to_owned(), port.mac.to_string());
        }
        Ok(Self {
            name: owner.tag.host_name(),
            kind,
            options,
            mtu_request: spec.mtu_bytes.filter(|_| device::is_dpdk(spec)),
            // What the container sends comes in here.
            policing: egress.map_or((0, 0), policing),
            interface_ids,
            port_ids,
            shaping: ingress.map(|rate| Shaping::new(&spec.device, rate)),
            mark,
        })
    }

    /// The Interface row.
    pub(crate) fn interface(&self) -> Map<String, Value> {
        let (rate, burst) = self.policing;
        let mut row = Map::new();
        row.insert("name".to_owned(), json!(self.name));
        row.insert("type".to_owned(), json!(self.kind));
        row.insert("options".to_owned(), map(memif::with_new_name(self.options.clone())));
        row.insert("external_ids".to_owned(), map(&self.interface_ids));
        if let Some(mtu) = self.mtu_request {
            row.insert("mtu_request".to_owned(), json!(mtu));
        }
        if rate > 0 {
            row.insert("ingress_policing_rate".to_owned(), json!(rate));
            row.insert("ingress_policing_burst".to_owned(), json!(burst));
        }
        row
    }

    /// The Port row but for its references.
    pub(crate) fn port(&self, vlan: &Vlan) -> Map<String, Value> {
        let mut row = vlan_columns(vlan);
        row.insert("name".to_owned(), json!(self.name));
        row.insert("external_ids".to_owned(), map(&self.port_ids));
        row
    }
}

/// The columns that say how a port treats VLAN tags.
pub(crate) fn vlan_columns(vlan: &Vlan) -> Map<String, Value> {
    let tag = vlan.id.map_or_else(empty, |id| json!(id));
    let mode = vlan.mode.map_or_else(empty, |mode| json!(mode_name(mode)));
    [("tag", tag), ("trunks", set(vlan.trunks.iter().copied())), ("vlan_mode", mode)]
        .into_iter()
        .map(|(column, value)| (column.to_owned(), value))
        .collect()
}

fn mode_name(mode: VlanMode) -> &'static str {
    match mode {
        VlanMode::Access => "access",
        VlanMode::Trunk => "trunk",
        VlanMode::NativeTagged => "native-tagged",
        VlanMode::NativeUntagged => "native-untagged",
        VlanMode::Dot1qTunnel => "dot1q-tunnel",
    }
}

/// The mode of that name.
pub(crate) fn mode_of(name: &str) -> Option<VlanMode> {
    use VlanMode::{Access, Dot1qTunnel, NativeTagged, NativeUntagged, Trunk};
    [Access, Trunk, NativeTagged, NativeUntagged, Dot1qTunnel]
        .into_iter()
        .find(|mode| mode_name(*mode) == name)
}

/// The keys of the CNI plugin ovs-cni, for tools that know those. Not its `owner`: its cleaner would remove our ports.
fn sandbox_ids(sandbox: &Sandbox) -> impl Iterator<Item = (String, String)> {
    let netns = sandbox.netns.as_ref().map(|path| path.display().to_string());
    let all = [
        ("contIface", Some(sandbox.interface.to_string())),
        ("contNetns", netns),
        ("contPodUid", sandbox.pod_uid.clone()),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)))
}

/// A rate in kbit/s and a burst in kbit; a rate below 1 kbit/s is not no limit.
fn policing(rate: Rate) -> (u64, u64) {
    // The columns are 32 bits wide in ovs-vswitchd.
    let kilo = |bits: u64| bits.div_ceil(1000).min(u32::MAX.into());
    (kilo(rate.bits_per_second), kilo(rate.burst_bits))
}
