//! The rows of a port: looked up by name, made in one transaction, removed in one.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    owner::{Mark, OwnerTag},
    spec::{Bridge as WantedBridge, InterfaceSpec, Vlan},
};

use crate::{
    apply::{self, Made},
    bridge::{self, Bridge},
    columns::{Wanted, mode_of, vlan_columns},
    device, error, memif,
    names::{self, mark_of},
    ovsdb::{Error, Id, Reply, Row, Step, Transaction, Until, Uuid, empty, equal, includes, map, set},
    place::{Place, Side},
    server_socket, vhost_user,
};

/// How often a port is tried to be made whose bridge comes and goes meanwhile.
const ATTEMPTS: usize = 16;

/// What the database has of an attachment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// The port of its name, whoever's it is.
    pub(crate) port: Option<Port>,
    /// QoS rows of it.
    pub(crate) qos: Vec<Uuid>,
    /// Whether there are Queue rows of it.
    pub(crate) has_queues: bool,
    /// The bridge that was asked for.
    pub(crate) bridge: Option<Bridge>,
}

impl Found {
    /// The port, if it bears the mark of that attachment.
    pub(crate) fn ours(&self, tag: &OwnerTag) -> Option<&Port> {
        let port = self.port.as_ref()?;
        port.mark().filter(|mark| mark.tag.same_attachment(tag)).map(|_| port)
    }

    /// Whether there is anything of that attachment.
    pub(crate) fn has_anything(&self, tag: &OwnerTag) -> bool {
        self.ours(tag).is_some() || !self.qos.is_empty() || self.has_queues
    }
}

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    /// The rows.
    pub(crate) wanted: &'a Wanted,
    /// What they were made from.
    pub(crate) spec: &'a InterfaceSpec,
    /// The bridge to be on.
    pub(crate) bridge: &'a WantedBridge,
}

impl Order<'_> {
    fn tag(&self) -> &OwnerTag {
        &self.wanted.mark.tag
    }
}

/// A Port row and its Interface.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    pub(crate) uuid: Uuid,
    pub(crate) ids: BTreeMap<String, String>,
    pub(crate) vlan: Vlan,
    pub(crate) qos: Option<Uuid>,
    pub(crate) interface: Option<Interface>,
}

/// An Interface row.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    pub(crate) kind: String,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) ids: BTreeMap<String, String>,
    pub(crate) mtu_request: Option<i64>,
    pub(crate) policing: (i64, i64),
    pub(crate) ofport: Option<i64>,
    pub(crate) error: Option<String>,
}

impl Port {
    /// The mark, if it is one of ours.
    pub(crate) fn mark(&self) -> Option<Mark> {
        mark_of(&self.ids)
    }

    fn read(row: &Row, interface: Option<Interface>) -> Result<Self, Error> {
        let small = |number: i64| u16::try_from(number).ok();
        let trunks = row.integers("trunks")?;
        Ok(Self {
            uuid: row.uuid("_uuid")?,
            ids: row.map("external_ids")?,
            vlan: Vlan {
                // A tag of 0 is none (ovs-vswitchd.conf.db(5): priority tags).
                id: row.optional_integer("tag")?.and_then(small).filter(|id| *id != 0),
                trunks: trunks.into_iter().filter_map(small).collect(),
                mode: row.optional_string("vlan_mode")?.as_deref().and_then(mode_of),
            },
            qos: row.uuids("qos")?.into_iter().next(),
            interface,
        })
    }
}

impl Interface {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            kind: row.string("type")?,
            options: memif::without_new_name(row.map("options")?),
            ids: row.map("external_ids")?,
            mtu_request: row.optional_integer("mtu_request")?,
            policing: (row.integer("ingress_policing_rate")?, row.integer("ingress_policing_burst")?),
            ofport: row.optional_integer("ofport")?,
            error: row.optional_string("error")?.as_deref().map(error::without_secret),
        })
    }

    /// Whether ovs-vswitchd could not make it.
    pub(crate) fn has_failed(&self) -> bool {
        self.ofport.is_some_and(|number| number < 0)
    }
}

const PORT: [&str; 6] = ["_uuid", "external_ids", "tag", "trunks", "vlan_mode", "qos"];
const INTERFACE: [&str; 8] = [
    "type",
    "options",
    "external_ids",
    "mtu_request",
    "ingress_policing_rate",
    "ingress_policing_burst",
    "ofport",
    "error",
];

/// Looks an attachment up: by the name that its port has, and its other rows by their mark. Reads as much however many ports there are.
pub(crate) async fn look(
    cx: Cx,
    place: &Place,
    tag: &OwnerTag,
    bridge: Option<&str>,
) -> Result<Found, EngineError> {
    let name = tag.host_name();
    let doing = format!("look up the port {name:?}");
    let mut look = Transaction::new();
    let by_name = [equal("name", name)];
    let by_mark = [includes("external_ids", map([(names::ATTACHMENT, names::attachment(tag))]))];
    let steps = Steps {
        port: look.select("Port", &by_name, &PORT),
        interface: look.select("Interface", &by_name, &INTERFACE),
        qos: ["QoS", "Queue"].map(|table| look.select(table, &by_mark, &["_uuid"])),
        bridge: bridge.map(|name| look.select("Bridge", &[equal("name", name)], &bridge::COLUMNS)),
    };
    let reply = place.transact(cx, &doing, &look).await?;
    steps.read(&reply).map_err(error::doing(doing))
}

struct Steps {
    port: Step,
    interface: Step,
    qos: [Step; 2],
    bridge: Option<Step>,
}

impl Steps {
    fn read(&self, reply: &Reply) -> Result<Found, Error> {
        let interface = reply.row(self.interface)?.map(|row| Interface::read(&row)).transpose()?;
        let port = reply.row(self.port)?.map(|row| Port::read(&row, interface)).transpose()?;
        let [qos, queue] = self.qos;
        let rows = reply.rows(qos)?;
        let qos = rows.iter().map(|row| row.uuid("_uuid")).collect::<Result<_, _>>()?;
        let has_queues = reply.row(queue)?.is_some();
        let bridge = match self.bridge {
            Some(step) => reply.row(step)?.map(|row| Bridge::read(&row)).transpose()?,
            None => None,
        };
        Ok(Found { port, qos, has_queues, bridge })
    }
}

/// Refuses what would stand in the way of a new port.
pub(crate) async fn preflight(cx: Cx, place: &Place, order: Order<'_>) -> Result<Found, EngineError> {
    let found = look(cx, place, order.tag(), Some(&order.bridge.name)).await?;
    if let Some(port) = &found.port {
        refuse_other(port, order.wanted)?;
    }
    refuse_bridge(&found, order)?;
    Ok(found)
}

/// The port as it was asked for, made when missing, and made again when ovs-vswitchd could not make it before. Whether it is new, and
/// so on its bridge.
///
/// `seen` is what [`preflight`] has just seen for the same order: should it be true no more, the transaction fails and says so.
pub(crate) async fn ensure(
    cx: Cx,
    place: &Place,
    order: Order<'_>,
    mut seen: Option<Found>,
) -> Result<(Uuid, bool), EngineError> {
    let Order { wanted, spec, .. } = order;
    let tag = order.tag();
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let found = match seen.take() {
            Some(found) => found,
            None => preflight(cx, place, order).await?,
        };
        if let Some(port) = &found.port {
            if stands(cx, place, wanted, port).await? {
                device::finish(cx, place, tag, spec).await?;
                return Ok((port.uuid.clone(), false));
            }
            tracing::info!(name = wanted.name, "making a port again that ovs-vswitchd could not make");
            remove(cx, place, tag, &found).await?;
            continue;
        }
        device::prepare(cx, place, tag, spec).await?;
        match insert(cx, place, order, &found).await? {
            Ok((uuid, made)) => {
                check_made(wanted, made)?;
                device::finish(cx, place, tag, spec).await?;
                return Ok((uuid, true));
            }
            // The bridge has come or gone meanwhile, or a row of that name has: once more, unless nothing else can be the matter.
            Err(error) if error.is_wait_timed_out() => last = Some(error),
            Err(error) if error.is_constraint_violation() && last.is_none() => last = Some(error),
            Err(error) => return Err(error::doing(making(wanted))(error)),
        }
    }
    let error = EngineError::new(ErrorKind::Conflict, making(wanted));
    Err(match last {
        Some(cause) => error.because(cause),
        None => error,
    })
}

/// Whether ovs-vswitchd has made the port that is there, which it may be about to.
async fn stands(cx: Cx, place: &Place, wanted: &Wanted, port: &Port) -> Result<bool, EngineError> {
    match &port.interface {
        Some(interface) if interface.ofport.is_none() => {
            let client = place.client(cx).await?;
            let made = apply::ask_made(cx, place, &client, &wanted.name).await?;
            Ok(made.ofport > 0)
        }
        Some(interface) => Ok(!interface.has_failed()),
        None => Ok(false),
    }
}

fn making(wanted: &Wanted) -> String {
    format!("make the port {:?} (type {:?})", wanted.name, wanted.kind)
}

fn refuse_other(port: &Port, wanted: &Wanted) -> Result<(), EngineError> {
    let why = match port.mark() {
        Some(mark) if mark.tag.same_attachment(&wanted.mark.tag) => {
            if mark.spec == wanted.mark.spec {
                return Ok(());
            }
            "one of another specification exists"
        }
        _ => "somebody else's exists",
    };
    Err(EngineError::new(ErrorKind::Conflict, format!("{} ({why})", making(wanted))))
}

fn refuse_bridge(found: &Found, order: Order<'_>) -> Result<(), EngineError> {
    let Order { spec, bridge: wanted, .. } = order;
    match &found.bridge {
        Some(bridge) if device::is_dpdk(spec) => {
            bridge.refuse_other_datapath(&wanted.name, &format!("a {}", spec.kind()))
        }
        Some(_) => Ok(()),
        None if spec.logical_port.is_some() => {
            let doing = format!(
                "join a port of OVN to the bridge {:?} (it is not there, and ovn-controller is who makes it)",
                wanted.name
            );
            Err(EngineError::new(ErrorKind::Conflict, doing))
        }
        None => Ok(()),
    }
}

/// One transaction: the port, its interface, its limits, its membership, and the bridge when there is none. Then what became of it.
async fn insert(
    cx: Cx,
    place: &Place,
    order: Order<'_>,
    found: &Found,
) -> Result<Result<(Uuid, Made), Error>, EngineError> {
    let Order { wanted, spec, bridge } = order;
    let mut transaction = Transaction::new();
    let port = Id::Named("port");
    let reference = Transaction::reference(&port);
    match &found.bridge {
        Some(seen) => {
            seen.still_there(&bridge.name, &mut transaction);
            let member = ("ports", "insert", set([reference]));
            transaction.mutate("Bridge", &[equal("name", bridge.name.as_str())], member);
        }
        None => {
            let mac = spec.mac.filter(|_| place.side == Side::Container);
            bridge::create(&bridge.name, &wanted.mark.tag, mac, reference, &mut transaction);
        }
    }
    let mut row = wanted.port(&bridge.vlan);
    if let Some(shaping) = &wanted.shaping {
        row.insert("qos".to_owned(), shaping.insert(&wanted.mark, &mut transaction));
    }
    let interface = Id::Named("interface");
    row.insert("interfaces".to_owned(), Transaction::reference(&interface));
    transaction.insert("Interface", interface, wanted.interface());
    let step = transaction.insert("Port", port, row);

    fault::point("before insert port")?;
    let client = place.client(cx).await?;
    // Both are under way before the first is answered.
    let inserted = client.transact(&transaction);
    let made = apply::ask_made(cx, place, &client, &wanted.name);
    let inserted = cx.bound(|| making(wanted), async { Ok::<_, EngineError>(inserted.await) }).await?;
    let uuid = match inserted.and_then(|reply| reply.uuid(step)) {
        Ok(uuid) => uuid,
        Err(error) => return Ok(Err(error)),
    };
    fault::point("after insert port")?;
    Ok(Ok((uuid, made.await?)))
}

fn check_made(wanted: &Wanted, made: Made) -> Result<(), EngineError> {
    if made.ofport > 0 {
        return Ok(());
    }
    let reason = made.error.unwrap_or_else(|| "ovs-vswitchd gave no reason, its log may have one".to_owned());
    Err(EngineError::new(ErrorKind::Unsupported, making(wanted)).because(reason))
}

/// Removes the attachment's rows, all in one transaction, and waits until ovs-vswitchd has let go of the port.
pub(crate) async fn remove(cx: Cx, place: &Place, tag: &OwnerTag, found: &Found) -> Result<(), EngineError> {
    let doing = format!("remove the port {:?}", tag.host_name());
    let mut transaction = Transaction::new();
    let port = found.ours(tag);
    if let Some(port) = port {
        let member = [includes("ports", set([&port.uuid]))];
        transaction.mutate("Bridge", &member, ("ports", "delete", set([&port.uuid])));
    }
    for qos in &found.qos {
        // What refers to a row keeps it: our port, which is dropped only after the references are counted, or one that somebody gave
        // our limits.
        let unlimited = [("qos".to_owned(), empty())].into_iter().collect();
        transaction.update("Port", &[equal("qos", qos)], unlimited);
    }
    let by_mark = [includes("external_ids", map([(names::ATTACHMENT, names::attachment(tag))]))];
    for table in ["QoS", "Queue"] {
        transaction.delete(table, &by_mark);
    }
    let step = apply::number(&mut transaction);
    fault::point("before remove port")?;
    let reply = place.transact(cx, &doing, &transaction).await?;
    fault::point("after remove port")?;
    apply::carried_out(cx, place, &reply, step).await?;
    let kind = port.and_then(|port| port.interface.as_ref()).map(|interface| interface.kind.as_str());
    if kind == Some(vhost_user::SERVER) {
        server_socket::remove_source(cx, place, tag).await?;
    }
    Ok(())
}

/// Makes the port a member of that bridge with that treatment of tags, wherever it was before.
pub(crate) async fn join(
    cx: Cx,
    place: &Place,
    port: &Uuid,
    bridge: &WantedBridge,
) -> Result<(), EngineError> {
    let doing = format!("join a port to the bridge {:?}", bridge.name);
    let mut transaction = Transaction::new();
    let there = (Until::Equal, json!([{"name": bridge.name}]));
    let by_name = [equal("name", bridge.name.as_str())];
    transaction.wait("Bridge", &by_name, &["name"], there, Duration::ZERO);
    let elsewhere = [includes("ports", set([port])), json!(["name", "!=", bridge.name])];
    transaction.mutate("Bridge", &elsewhere, ("ports", "delete", set([port])));
    transaction.mutate("Bridge", &by_name, ("ports", "insert", set([port])));
    transaction.update("Port", &[equal("_uuid", port)], vlan_columns(&bridge.vlan));
    place.transact(cx, &doing, &transaction).await.map(drop)
}
