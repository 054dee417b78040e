//! Bridges: made for the first port when missing, removed with the last when they were made here.

use std::time::Duration;

use serde_json::{Map, Value, json};
use userspace_core::{
    addr::MacAddr,
    cx::Cx,
    engine::{EngineError, ErrorKind},
    fault,
    owner::{OwnerTag, marks_network, network_mark},
};

use crate::{
    error, names,
    ovsdb::{Error, Id, Row, Transaction, Until, equal, map, set},
    place::Place,
};

/// The datapath in userspace.
const NETDEV: &str = "netdev";

/// A bridge that is there. The list of its ports is left unread: it may be long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bridge {
    datapath_type: String,
}

/// What [`Bridge::read`] reads.
pub(crate) const COLUMNS: [&str; 1] = ["datapath_type"];

impl Bridge {
    pub(crate) fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self { datapath_type: row.string("datapath_type")? })
    }

    /// DPDK's ports work in the userspace datapath only; elsewhere they never get a number, and nobody says why.
    pub(crate) fn refuse_other_datapath(&self, name: &str, port: &str) -> Result<(), EngineError> {
        if self.datapath_type == NETDEV {
            return Ok(());
        }
        let doing = format!(
            "join {port} to the bridge {name:?} (its datapath_type is {:?}, not \"netdev\")",
            self.datapath_type
        );
        Err(EngineError::new(ErrorKind::Conflict, doing))
    }

    /// Makes the transaction fail when the bridge is not as it was seen.
    pub(crate) fn still_there(&self, name: &str, transaction: &mut Transaction) {
        let row = json!([{"name": name, "datapath_type": self.datapath_type}]);
        let columns = ["name", "datapath_type"];
        transaction.wait("Bridge", &[equal("name", name)], &columns, (Until::Equal, row), Duration::ZERO);
    }
}

/// Adds the rows of a bridge that is not there yet, with the port `reference` beside its own; the transaction fails when somebody else
/// has made it meanwhile.
pub(crate) fn create(
    name: &str,
    tag: &OwnerTag,
    mac: Option<MacAddr>,
    reference: Value,
    transaction: &mut Transaction,
) {
    let nothing = (Until::Equal, json!([]));
    transaction.wait("Bridge", &[equal("name", name)], &["name"], nothing, Duration::ZERO);
    let row = |pairs: Vec<(&str, Value)>| -> Map<String, Value> {
        pairs.into_iter().map(|(column, value)| (column.to_owned(), value)).collect()
    };
    let [own, port, bridge] = ["own_interface", "own_port", "bridge"].map(Id::Named);
    let refer = Transaction::reference;
    let ids = [(names::MARK, network_mark(tag.instance())), (names::KIND, names::BRIDGE.to_owned())];
    let mut columns = vec![
        ("name", json!(name)),
        ("datapath_type", json!(NETDEV)),
        ("ports", set([refer(&port), reference])),
        ("external_ids", map(ids)),
    ];
    // In a container the bridge's own port carries the addresses: it is what neighbours see.
    columns.extend(mac.map(|mac| ("other_config", map([("hwaddr", mac.to_string())]))));
    let interface = row(vec![("name", json!(name)), ("type", json!("internal"))]);
    let own_port = row(vec![("name", json!(name)), ("interfaces", refer(&own))]);
    let reference = refer(&bridge);
    transaction.insert("Interface", own, interface);
    transaction.insert("Port", port, own_port);
    transaction.insert("Bridge", bridge, row(columns));
    transaction.mutate("Open_vSwitch", &[], ("bridges", "insert", set([reference])));
}

/// Removes the bridge of that name when the owner's instance made it and it has no port but its own.
pub(crate) async fn prune(cx: Cx, place: &Place, tag: &OwnerTag, name: &str) -> Result<(), EngineError> {
    let doing = format!("remove the bridge {name:?}");
    let mut look = Transaction::new();
    let bridge = look.select("Bridge", &[equal("name", name)], &["_uuid", "external_ids"]);
    let port = look.select("Port", &[equal("name", name)], &["_uuid"]);
    let reply = place.transact(cx, &doing, &look).await?;
    let read = || {
        let (Some(bridge), Some(port)) = (reply.row(bridge)?, reply.row(port)?) else {
            return Ok(None);
        };
        let ids = bridge.map("external_ids")?;
        let mark = ids.get(names::MARK).map(String::as_str).unwrap_or_default();
        let ours = marks_network(mark, tag.instance());
        Ok(ours.then_some((bridge.uuid("_uuid")?, port.uuid("_uuid")?)))
    };
    let Some((bridge, port)) = read().map_err(error::doing(&doing))? else {
        return Ok(());
    };
    let mut remove = Transaction::new();
    let alone = (Until::Equal, json!([{"ports": set([&port])}]));
    remove.wait("Bridge", &[equal("_uuid", &bridge)], &["ports"], alone, Duration::ZERO);
    remove.mutate("Open_vSwitch", &[], ("bridges", "delete", set([&bridge])));
    fault::point("before remove bridge")?;
    match place.try_transact(cx, &doing, &remove).await? {
        // It has other ports, or is gone.
        Err(error) if error.is_wait_timed_out() => Ok(()),
        Err(error) => Err(error::doing(doing)(error)),
        Ok(_) => fault::point("after remove bridge"),
    }
}
