//! Routing tables and routes: those that are asked for, those that addresses bring, and those that every table has.

use std::collections::BTreeMap;

use super::{
    handlers::Handlers,
    model::{Interface, Model, Outcome, cut, retval},
};
use crate::{
    codec::{Counted, Text},
    messages::ip::{
        IpRouteAddDel, IpRouteAddDelReply, IpRouteDetails, IpRouteDump, IpRouteLookup, IpRouteLookupReply,
        IpTableAddDel, IpTableDetails, IpTableDump,
    },
    types::{Address, AddressFamily, FibNhProto, FibPath, FibPathType, Prefix, SwIfIndex},
};

/// A prefix whose bits stand at the left end, of either family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Net {
    pub(crate) is_ip6: bool,
    pub(crate) bits: u128,
    pub(crate) length: u8,
}

impl Net {
    pub(crate) fn of(prefix: &Prefix) -> Self {
        let is_ip6 = prefix.address.family == AddressFamily::IP6;
        let bits = u128::from_be_bytes(prefix.address.bytes);
        // An IPv4 address is the first four bytes; what is behind them says nothing.
        let bits = if is_ip6 { bits } else { bits & (u128::MAX << 96) };
        Self { is_ip6, bits, length: prefix.length }
    }

    /// How many bits an address has.
    pub(crate) fn width(self) -> u8 {
        if self.is_ip6 { 128 } else { 32 }
    }

    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.length.min(128))).unwrap_or(0)
    }

    fn trunc(self) -> Self {
        Self { bits: self.bits & self.mask(), ..self }
    }

    fn with_length(self, length: u8) -> Self {
        Self { length, ..self }.trunc()
    }

    /// Whether the other's address is in this network.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.is_ip6 == other.is_ip6 && (self.bits ^ other.bits) & self.mask() == 0
    }

    fn prefix(self) -> Prefix {
        let family = if self.is_ip6 { AddressFamily::IP6 } else { AddressFamily::IP4 };
        Prefix { address: Address { family, bytes: self.bits.to_be_bytes() }, length: self.length }
    }
}

/// A routing table.
#[derive(Debug, Default)]
pub(crate) struct FibTable {
    name: Text<64>,
    /// Whether it was asked for; one that was not goes when it has no interface any more.
    is_kept: bool,
    routes: BTreeMap<Net, Vec<FibPath>>,
}

pub(crate) fn first_tables() -> BTreeMap<(u32, bool), FibTable> {
    [false, true].into_iter().map(|is_ip6| ((0, is_ip6), table(0, is_ip6, Text::default()))).collect()
}

fn table(id: u32, is_ip6: bool, name: Text<64>) -> FibTable {
    let given = !name.as_bytes().is_empty();
    let name = if given { name } else { cut(&format!("ipv{}-VRF:{id}", if is_ip6 { 6 } else { 4 })) };
    FibTable { name, is_kept: true, routes: BTreeMap::new() }
}

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.done(add_del_table);
    handlers.dump(|model, _: &IpTableDump| {
        let mut tables: Vec<_> = model.tables.iter().collect();
        tables.sort_by_key(|((id, is_ip6), _)| (*is_ip6, *id));
        let details = |((id, is_ip6), table): (&(u32, bool), &FibTable)| IpTableDetails {
            table_id: *id,
            is_ip6: *is_ip6,
            name: table.name,
        };
        tables.into_iter().map(details).collect()
    });
    handlers.request(|model, request: &IpRouteAddDel| {
        let retval = add_del(model, request).err().unwrap_or_default();
        IpRouteAddDelReply { retval, stats_index: u32::MAX }
    });
    handlers.request(|model, request: &IpRouteLookup| match lookup(model, request) {
        Ok((net, paths)) => IpRouteLookupReply {
            retval: 0,
            table_id: request.table_id,
            stats_index: 0,
            prefix: net.prefix(),
            paths: paths.into(),
        },
        Err(retval) => IpRouteLookupReply { retval, ..IpRouteLookupReply::default() },
    });
    handlers.dump(|model, dump: &IpRouteDump| {
        let details = |(net, paths): (Net, Vec<FibPath>)| IpRouteDetails {
            table_id: dump.table_id,
            stats_index: 0,
            prefix: net.prefix(),
            paths: Counted::from(paths),
        };
        routes(model, dump.table_id, dump.is_ip6).into_iter().map(details).collect()
    });
}

/// Making one that is there, and removing one that is not or is VPP's own, is done without a word.
fn add_del_table(model: &mut Model, request: &IpTableAddDel) -> Outcome {
    let key = (request.table_id, request.is_ip6);
    if request.is_add {
        let made = || table(request.table_id, request.is_ip6, request.name);
        model.tables.entry(key).or_insert_with(made).is_kept = true;
    } else if request.table_id != 0 {
        if let Some(table) = model.tables.get_mut(&key) {
            table.is_kept = false;
            table.routes.clear();
        }
        model.drop_unused_tables();
    }
    Ok(())
}

fn add_del(model: &mut Model, request: &IpRouteAddDel) -> Outcome {
    let net = Net::of(&request.prefix).trunc();
    let paths: Vec<FibPath> = request.paths.items.iter().map(|path| normal(path, net)).collect();
    if !model.tables.contains_key(&(request.table_id, net.is_ip6)) {
        return Err(retval::NO_SUCH_FIB);
    }
    for path in &paths {
        let index = path.sw_if_index;
        if path.kind == FibPathType::NORMAL && index != SwIfIndex::NONE && model.get(index).is_err() {
            return Err(retval::NO_MATCHING_INTERFACE);
        }
    }
    if net.length > net.width() {
        return Err(INVALID_PREFIX_LENGTH);
    }
    if paths.is_empty() && (request.is_multipath || request.is_add) {
        return Err(retval::NO_PATHS_IN_ROUTE);
    }
    let Some(table) = model.tables.get_mut(&(request.table_id, net.is_ip6)) else {
        return Err(retval::NO_SUCH_FIB);
    };
    match (request.is_add, request.is_multipath) {
        (true, false) => drop(table.routes.insert(net, paths)),
        (true, true) => {
            let there = table.routes.entry(net).or_default();
            there.extend(
                paths
                    .into_iter()
                    .filter(|path| !there.iter().any(|known| same(known, path)))
                    .collect::<Vec<_>>(),
            );
        }
        (false, false) => drop(table.routes.remove(&net)),
        (false, true) => {
            if let Some(there) = table.routes.get_mut(&net) {
                there.retain(|known| !paths.iter().any(|path| same(known, path)));
                if there.is_empty() {
                    table.routes.remove(&net);
                }
            }
        }
    }
    Ok(())
}

/// More bits than an address has.
const INVALID_PREFIX_LENGTH: i32 = -171;

/// A path as VPP shows it.
fn normal(path: &FibPath, net: Net) -> FibPath {
    FibPath {
        weight: path.weight.max(1),
        proto: if net.is_ip6 { FibNhProto::IP6 } else { FibNhProto::IP4 },
        ..*path
    }
}

fn same(one: &FibPath, other: &FibPath) -> bool {
    (one.sw_if_index, one.next_hop, one.kind) == (other.sw_if_index, other.next_hop, other.kind)
}

fn lookup(model: &Model, request: &IpRouteLookup) -> Outcome<(Net, Vec<FibPath>)> {
    let wanted = Net::of(&request.prefix).trunc();
    if !model.tables.contains_key(&(request.table_id, wanted.is_ip6)) {
        return Err(retval::NO_SUCH_FIB);
    }
    let all = routes(model, request.table_id, wanted.is_ip6);
    let found = if request.exact != 0 {
        all.get_key_value(&wanted)
    } else {
        all.iter()
            .filter(|(net, _)| net.length <= wanted.length && net.covers(wanted))
            .max_by_key(|(net, _)| net.length)
    };
    found.map(|(net, paths)| (*net, paths.clone())).ok_or(retval::NO_SUCH_ENTRY)
}

/// All routes of a table. What addresses bring is better than what is asked for, and that is better than what all tables have.
fn routes(model: &Model, table_id: u32, is_ip6: bool) -> BTreeMap<Net, Vec<FibPath>> {
    let Some(table) = model.tables.get(&(table_id, is_ip6)) else {
        return BTreeMap::new();
    };
    let mut all = own(is_ip6);
    all.extend(table.routes.iter().map(|(net, paths)| (*net, paths.clone())));
    for (index, interface) in &model.interfaces {
        if interface.tables[usize::from(is_ip6)] == table_id {
            connected(&mut all, *index, interface, is_ip6);
        }
    }
    all
}

fn drop_path(is_ip6: bool) -> FibPath {
    FibPath {
        sw_if_index: SwIfIndex::NONE,
        weight: 1,
        kind: FibPathType::DROP,
        proto: if is_ip6 { FibNhProto::IP6 } else { FibNhProto::IP4 },
        ..FibPath::default()
    }
}

fn own(is_ip6: bool) -> BTreeMap<Net, Vec<FibPath>> {
    let nets: &[(u128, u8)] = if is_ip6 {
        &[(0, 0), (0xfe80 << 112, 10)]
    } else {
        &[(0, 0), (0, 32), (0xe0 << 120, 4), (0xf0 << 120, 4), (0xffff_ffff << 96, 32)]
    };
    let net = |(bits, length): &(u128, u8)| Net { is_ip6, bits: *bits, length: *length };
    nets.iter().map(|pair| (net(pair), vec![drop_path(is_ip6)])).collect()
}

/// What an interface's addresses bring: its network, its own address, and in IPv4 the network's first and last, which nobody has.
fn connected(all: &mut BTreeMap<Net, Vec<FibPath>>, index: u32, interface: &Interface, is_ip6: bool) {
    if !interface.is_up {
        return;
    }
    let path = |kind, next_hop: u128| FibPath {
        sw_if_index: SwIfIndex(index),
        kind,
        next_hop: next_hop.to_be_bytes(),
        ..drop_path(is_ip6)
    };
    for address in interface.addresses.iter().map(Net::of).filter(|address| address.is_ip6 == is_ip6) {
        let width = address.width();
        if address.length < width {
            all.insert(address.trunc(), vec![path(FibPathType::NORMAL, 0)]);
        }
        if !is_ip6 && address.length < width - 1 {
            let last = address.bits | (!address.mask() & (u128::MAX << 96));
            for bits in [address.trunc().bits, last] {
                all.insert(Net { bits, ..address }.with_length(width), vec![drop_path(is_ip6)]);
            }
        }
        all.insert(address.with_length(width), vec![path(FibPathType::LOCAL, address.bits)]);
    }
}

impl Model {
    /// Tables that nobody asked for, or that were removed, stay as long as an interface is in them.
    pub(crate) fn drop_unused_tables(&mut self) {
        let interfaces = &self.interfaces;
        self.tables.retain(|(id, is_ip6), table| {
            table.is_kept
                || interfaces.values().any(|interface| interface.tables[usize::from(*is_ip6)] == *id)
        });
    }
}
