//! Shaping of what leaves the switch at a port: a QoS row, and for kernel interfaces a Queue.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use userspace_core::{
    owner::Mark,
    spec::{Device, Rate},
};

use crate::{
    names,
    ovsdb::{Id, Transaction, map},
};

/// A QoS row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shaping {
    /// Its `type`.
    pub(crate) kind: &'static str,
    /// Its `other_config`.
    pub(crate) config: BTreeMap<String, String>,
}

/// A tenth of a second, and never less than ten packets.
fn default_burst(bytes_per_second: u64) -> u64 {
    (bytes_per_second / 10).max(15_000)
}

impl Shaping {
    /// DPDK ports are policed (RFC 2697's committed rate and burst, in bytes), kernel interfaces shaped by htb (in bits).
    pub(crate) fn new(device: &Device, rate: Rate) -> Self {
        let pair = |key: &str, value: u64| (key.to_owned(), value.to_string());
        if matches!(device, Device::Netdev(_)) {
            let mut config = BTreeMap::from([pair("max-rate", rate.bits_per_second)]);
            config.extend((rate.burst_bits > 0).then(|| pair("burst", rate.burst_bits)));
            return Self { kind: "linux-htb", config };
        }
        let bytes = rate.bits_per_second.div_ceil(8);
        let burst = if rate.burst_bits > 0 { rate.burst_bits.div_ceil(8) } else { default_burst(bytes) };
        Self { kind: "egress-policer", config: BTreeMap::from([pair("cir", bytes), pair("cbs", burst)]) }
    }

    /// Adds the rows to the transaction; the value is the reference to the QoS.
    pub(crate) fn insert(&self, mark: &Mark, transaction: &mut Transaction) -> Value {
        let ids = map(names::ids(mark, names::QOS));
        let mut qos: Map<String, Value> = Map::new();
        if self.kind == "linux-htb" {
            // Without a queue 0 what is in no queue is not limited.
            let mut queue = Map::new();
            queue.insert("other_config".to_owned(), map(&self.config));
            queue.insert("external_ids".to_owned(), ids.clone());
            transaction.insert("Queue", Id::Named("queue"), queue);
            let reference = Transaction::reference(&Id::Named("queue"));
            qos.insert("queues".to_owned(), json!(["map", [[0, reference]]]));
        }
        qos.insert("type".to_owned(), json!(self.kind));
        qos.insert("other_config".to_owned(), map(&self.config));
        qos.insert("external_ids".to_owned(), ids);
        transaction.insert("QoS", Id::Named("qos"), qos);
        Transaction::reference(&Id::Named("qos"))
    }
}
