//! What is there, compared column by column with what the specification would have made.

use std::collections::BTreeMap;

use userspace_core::{
    cx::Cx,
    engine::EngineError,
    owner::{Owner, OwnerTag},
    reconcile::{Difference, State},
    spec::{Bridge, InterfaceSpec, Network, Vlan},
};

use crate::{
    columns::Wanted,
    device, error,
    ovsdb::{Error, Row, Transaction, Uuid, equal, includes, set},
    place::Place,
    port::{self, Interface, Port},
    qos::Shaping,
};

/// The state of the port of `tag`, as it was made to `spec`.
pub(crate) async fn run(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    spec: &InterfaceSpec,
) -> Result<State, EngineError> {
    place.require_vswitchd()?;
    let found = port::look(cx, place, tag, None).await?;
    let mut faults = Faults::default();
    let Some(port) = found.ours(tag) else {
        faults.note("the port", "there", "gone");
        return Ok(State { faults: faults.0, ..State::default() });
    };
    // The plain ids in the mark are of no matter here.
    let attachment = port.mark().and_then(|mark| mark.attachment);
    if let Some(attachment) = attachment {
        let wanted = Wanted::of(place.side, &Owner { attachment, tag: *tag }, spec)?;
        faults.interface(&wanted, port.interface.as_ref());
        if !device::is_reachable(cx, place, tag, spec).await? {
            faults.note("the socket", "in the container's directory", "gone, or another than ovs-vswitchd's");
        }
        let columns = around(cx, place, port).await?;
        faults.shaping(wanted.shaping.as_ref(), columns.shaping);
        if device::is_dpdk(spec) {
            faults.columns("datapath_type", "netdev", &columns.datapath_type);
        }
        let bridge = columns.bridge.map(|name| network(name, port.vlan.clone()));
        return Ok(State {
            network: Some(bridge.unwrap_or(Network::None)),
            faults: faults.0,
            ..State::default()
        });
    }
    faults.note("the mark", "whole", "cut");
    Ok(State { faults: faults.0, ..State::default() })
}

/// Trunks have no order.
fn network(name: String, mut vlan: Vlan) -> Network {
    vlan.trunks.sort_unstable();
    Network::Bridge(Bridge { name, vlan })
}

/// What other rows say of a port.
struct Around {
    bridge: Option<String>,
    datapath_type: String,
    shaping: Option<(String, BTreeMap<String, String>)>,
}

/// The bridge that has the port, and its QoS.
async fn around(cx: Cx, place: &Place, port: &Port) -> Result<Around, EngineError> {
    let doing = "look up the bridge of a port";
    let mut look = Transaction::new();
    let member = [includes("ports", set([&port.uuid]))];
    let bridge = look.select("Bridge", &member, &["name", "datapath_type"]);
    let by_id = |uuid: &Uuid| [equal("_uuid", uuid)];
    let qos = port.qos.as_ref().map(|uuid| look.select("QoS", &by_id(uuid), &["type", "other_config"]));
    let reply = place.transact(cx, doing, &look).await?;
    let read = || -> Result<Around, Error> {
        let bridge = reply.row(bridge)?;
        let shaping = match qos {
            Some(step) => reply.row(step)?.map(|row| shaping(&row)).transpose()?,
            None => None,
        };
        let name = bridge.as_ref().map(|row| row.string("name")).transpose()?;
        let datapath_type = bridge.map(|row| row.string("datapath_type")).transpose()?;
        Ok(Around { bridge: name, datapath_type: datapath_type.unwrap_or_default(), shaping })
    };
    read().map_err(error::doing(doing))
}

fn shaping(row: &Row) -> Result<(String, BTreeMap<String, String>), Error> {
    Ok((row.string("type")?, row.map("other_config")?))
}

/// What is not as it was made.
#[derive(Default)]
struct Faults(Vec<Difference>);

impl Faults {
    fn note(&mut self, what: &str, wanted: impl Into<String>, found: impl Into<String>) {
        self.0.push(Difference { what: what.to_owned(), wanted: wanted.into(), found: found.into() });
    }

    fn columns(&mut self, what: &str, wanted: &str, found: &str) {
        if wanted != found {
            self.note(what, format!("{wanted:?}"), format!("{found:?}"));
        }
    }

    fn interface(&mut self, wanted: &Wanted, found: Option<&Interface>) {
        let Some(found) = found else {
            return self.note("the interface", "there", "gone");
        };
        match (found.ofport, &found.error) {
            (Some(number), None) if number > 0 => {}
            (ofport, error) => {
                let number = ofport.map_or("unset".to_owned(), |number| number.to_string());
                let reason = error.as_deref().unwrap_or("no reason given");
                self.note("ofport", "a port number", format!("{number} ({reason})"));
            }
        }
        self.columns("type", wanted.kind, &found.kind);
        self.keys("options", &wanted.options, &found.options);
        self.keys("external_ids", &wanted.interface_ids, &found.ids);
        let mtu = found.mtu_request.and_then(|mtu| u32::try_from(mtu).ok());
        if mtu != wanted.mtu_request {
            self.note("mtu_request", format!("{:?}", wanted.mtu_request), format!("{mtu:?}"));
        }
        let policing = (u64::try_from(found.policing.0), u64::try_from(found.policing.1));
        if policing != (Ok(wanted.policing.0), Ok(wanted.policing.1)) {
            let text = |rate: &dyn std::fmt::Display, burst: &dyn std::fmt::Display| {
                format!("{rate} kbit/s with a burst of {burst} kbit")
            };
            let (rate, burst) = &wanted.policing;
            self.note("ingress_policing", text(rate, burst), text(&found.policing.0, &found.policing.1));
        }
    }

    fn shaping(&mut self, wanted: Option<&Shaping>, found: Option<(String, BTreeMap<String, String>)>) {
        match (wanted, found) {
            (None, None) => {}
            (Some(wanted), Some((kind, config))) => {
                self.columns("the type of the QoS", wanted.kind, &kind);
                self.keys("the QoS", &wanted.config, &config);
            }
            (Some(wanted), None) => self.note("the QoS", wanted.kind, "gone"),
            (None, Some((kind, _))) => self.note("the QoS", "none", kind),
        }
    }

    /// Ours among the keys of a map; others' are theirs.
    fn keys(&mut self, what: &str, wanted: &BTreeMap<String, String>, found: &BTreeMap<String, String>) {
        for (key, value) in wanted {
            let present = found.get(key);
            if present == Some(value) {
                continue;
            }
            // A device's arguments may have a secret in them.
            if key == "dpdk-devargs" {
                self.note(
                    &format!("{what}:{key}"),
                    "as it was made",
                    if present.is_some() { "changed" } else { "unset" },
                );
            } else {
                let present = present.map_or("unset".to_owned(), |value| format!("{value:?}"));
                self.note(&format!("{what}:{key}"), format!("{value:?}"), present);
            }
        }
    }
}
