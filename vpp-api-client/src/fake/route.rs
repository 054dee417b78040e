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

    pub(crate) fn is_link_local(self) -> bool {
        self.is_ip6 && self.bits >> 118 == 0xfe80 >> 6
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
    routes: Routes,
}

/// Paths by the network that they lead to.
type Routes = BTreeMap<Net, Entry>;

/// A route. An IPv4 prefix is shown as it was first written, whatever is behind its length.
#[derive(Debug, Clone, Default)]
struct Entry {
    shown: Prefix,
    paths: Vec<FibPath>,
}

pub(crate) fn first_tables() -> BTreeMap<(u32, bool), FibTable> {
    [false, true].into_iter().map(|is_ip6| ((0, is_ip6), table(0, is_ip6, Text::default()))).collect()
}

fn table(id: u32, is_ip6: bool, name: Text<64>) -> FibTable {
    let given = !name.as_bytes().is_empty();
    let name = if given { name } else { cut(&format!("ipv{}-VRF:{id}", if is_ip6 { 6 } else { 4 })) };
    FibTable { name, is_kept: true, routes: Routes::new() }
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
        Ok(Entry { shown, paths }) => IpRouteLookupReply {
            retval: 0,
            table_id: request.table_id,
            stats_index: 0,
            prefix: shown,
            paths: paths.into(),
        },
        Err(retval) => IpRouteLookupReply { retval, ..IpRouteLookupReply::default() },
    });
    handlers.dump(|model, dump: &IpRouteDump| {
        let details = |Entry { shown, paths }| IpRouteDetails {
            table_id: dump.table_id,
            stats_index: 0,
            prefix: shown,
            paths: Counted::from(paths),
        };
        routes(model, dump.table_id, dump.is_ip6).into_values().map(details).collect()
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
        }
        model.drop_unused_tables();
    }
    Ok(())
}

fn add_del(model: &mut Model, request: &IpRouteAddDel) -> Outcome {
    let net = Net::of(&request.prefix).trunc();
    let key = (request.table_id, net.is_ip6);
    if !model.tables.contains_key(&key) {
        return Err(retval::NO_SUCH_FIB);
    }
    // Also a removal names interfaces that are there.
    for path in &request.paths.items {
        let index = path.sw_if_index;
        if path.kind == FibPathType::NORMAL && index != SwIfIndex::NONE && model.get(index).is_err() {
            return Err(retval::NO_MATCHING_INTERFACE);
        }
    }
    if net.length > net.width() {
        return Err(retval::INVALID_PREFIX_LENGTH);
    }
    let paths: Vec<FibPath> = request.paths.items.iter().map(|path| normal(path, net)).collect();
    if paths.is_empty() && (request.is_multipath || request.is_add) {
        return Err(retval::NO_PATHS_IN_ROUTE);
    }
    let known = routes(model, request.table_id, net.is_ip6).remove(&net).map(|entry| entry.shown);
    let shown = known.unwrap_or(if net.is_ip6 { net.prefix() } else { Net::of(&request.prefix).prefix() });
    let table = model.tables.get_mut(&key).ok_or(retval::NO_SUCH_FIB)?;
    if request.is_add {
        add(
            table.routes.entry(net).or_insert(Entry { shown, paths: Vec::new() }),
            paths,
            request.is_multipath,
        );
    } else {
        remove(&mut table.routes, net, &paths, request.is_multipath);
    }
    Ok(())
}

fn add(entry: &mut Entry, paths: Vec<FibPath>, is_multipath: bool) {
    if !is_multipath {
        entry.paths.clear();
    }
    for path in paths {
        if !entry.paths.iter().any(|known| same(known, &path)) {
            entry.paths.push(path);
        }
    }
}

fn remove(routes: &mut Routes, net: Net, paths: &[FibPath], is_multipath: bool) {
    let Some(entry) = routes.get_mut(&net) else { return };
    entry.paths.retain(|known| is_multipath && !paths.iter().any(|path| same(known, path)));
    if entry.paths.is_empty() {
        routes.remove(&net);
    }
}

/// A path as VPP shows it: the next hop to a single address on the link is that address.
fn normal(path: &FibPath, net: Net) -> FibPath {
    let is_on_link = path.kind == FibPathType::NORMAL && path.next_hop == [0; 16];
    let is_single = net.length == net.width() && path.sw_if_index != SwIfIndex::NONE;
    FibPath {
        weight: path.weight.max(1),
        proto: proto(net.is_ip6),
        next_hop: if is_on_link && is_single { net.bits.to_be_bytes() } else { path.next_hop },
        ..*path
    }
}

fn same(one: &FibPath, other: &FibPath) -> bool {
    (one.sw_if_index, one.next_hop, one.kind) == (other.sw_if_index, other.next_hop, other.kind)
}

fn lookup(model: &Model, request: &IpRouteLookup) -> Outcome<Entry> {
    let wanted = Net::of(&request.prefix).trunc();
    if !model.tables.contains_key(&(request.table_id, wanted.is_ip6)) {
        return Err(retval::NO_SUCH_FIB);
    }
    let mut all = routes(model, request.table_id, wanted.is_ip6);
    if request.exact == 0 {
        all.retain(|net, _| net.length <= wanted.length && net.covers(wanted));
        let longest = all.into_iter().max_by_key(|(net, _)| net.length);
        return longest.map(|(_, entry)| entry).ok_or(retval::NO_SUCH_ENTRY);
    }
    all.remove(&wanted).ok_or(retval::NO_SUCH_ENTRY)
}

/// All routes of a table. What addresses bring is better than what is asked for, and that is better than what all tables have.
fn routes(model: &Model, table_id: u32, is_ip6: bool) -> Routes {
    let Some(table) = model.tables.get(&(table_id, is_ip6)) else {
        return Routes::new();
    };
    let mut all = own(is_ip6);
    all.extend(table.routes.iter().map(|(net, entry)| (*net, entry.clone())));
    for (index, interface) in &model.interfaces {
        if interface.tables[usize::from(is_ip6)] == table_id {
            connected(&mut all, *index, interface, is_ip6);
        }
    }
    all
}

fn proto(is_ip6: bool) -> FibNhProto {
    if is_ip6 { FibNhProto::IP6 } else { FibNhProto::IP4 }
}

/// A path to nowhere in particular.
fn path(is_ip6: bool, kind: FibPathType) -> FibPath {
    FibPath { sw_if_index: SwIfIndex::NONE, weight: 1, kind, proto: proto(is_ip6), ..FibPath::default() }
}

fn own(is_ip6: bool) -> Routes {
    let (drop, link_local) = (FibPathType::DROP, FibPathType::NORMAL);
    let nets: &[(u128, u8, FibPathType)] = if is_ip6 {
        &[(0, 0, drop), (0xfe80 << 112, 10, link_local)]
    } else {
        &[
            (0, 0, drop),
            (0, 32, drop),
            (0xe0 << 120, 4, drop),
            (0xf0 << 120, 4, drop),
            (0xffff_ffff << 96, 32, drop),
        ]
    };
    let mut all = Routes::new();
    for (bits, length, kind) in nets.iter().copied() {
        let net = Net { is_ip6, bits, length };
        all.insert(net, Entry { shown: net.prefix(), paths: vec![path(is_ip6, kind)] });
    }
    all
}

/// What the addresses of an interface bring that is up: its network, its own address, and in IPv4 the network's first and last, which
/// nobody has.
fn connected(all: &mut Routes, index: u32, interface: &Interface, is_ip6: bool) {
    if !interface.is_up {
        return;
    }
    let sw_if_index = SwIfIndex(index);
    let mut put = |net: Net, shown: Net, path: FibPath| {
        let entry = all.entry(net).or_insert(Entry { shown: shown.prefix(), paths: Vec::new() });
        entry.paths = vec![path];
    };
    for address in interface.addresses.iter().map(Net::of).filter(|address| address.is_ip6 == is_ip6) {
        let (width, net) = (address.width(), address.trunc());
        if address.length < width {
            let by = FibPath { sw_if_index, ..path(is_ip6, FibPathType::NORMAL) };
            put(net, if is_ip6 { net } else { address }, by);
        }
        if !is_ip6 && address.length < width - 1 {
            for bits in [net.bits, address.bits | (!address.mask() & (u128::MAX << 96))] {
                let end = Net { bits, ..address }.with_length(width);
                put(end, end, path(is_ip6, FibPathType::DROP));
            }
        }
        let own = address.with_length(width);
        let next_hop = address.bits.to_be_bytes();
        put(own, own, FibPath { sw_if_index, next_hop, ..path(is_ip6, FibPathType::LOCAL) });
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
