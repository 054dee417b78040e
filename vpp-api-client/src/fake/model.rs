//! What a VPP remembers.

use std::collections::BTreeMap;

use super::{
    Release, Setup, bridge::Domain, memif, memif::Socket, policer::Policer, route::FibTable, tap, vhost_user,
};
use crate::{
    codec::Text,
    types::{Prefix, RxMode, SwIfIndex, VtrOp},
};

/// Done, or VPP's number of the error (vnet/error.h).
pub(crate) type Outcome<T = ()> = Result<T, i32>;

/// The numbers of errors, named as VPP names them.
pub(crate) mod retval {
    pub(crate) const UNSPECIFIED: i32 = -1;
    pub(crate) const INVALID_SW_IF_INDEX: i32 = -2;
    pub(crate) const NO_SUCH_FIB: i32 = -3;
    pub(crate) const NO_SUCH_ENTRY: i32 = -6;
    pub(crate) const INVALID_VALUE: i32 = -7;
    pub(crate) const UNIMPLEMENTED: i32 = -9;
    pub(crate) const INVALID_SW_IF_INDEX_2: i32 = -10;
    pub(crate) const SYSCALL_ERROR_1: i32 = -11;
    pub(crate) const SYSCALL_ERROR_2: i32 = -12;
    pub(crate) const SYSCALL_ERROR_3: i32 = -13;
    pub(crate) const SYSCALL_ERROR_4: i32 = -14;
    pub(crate) const INVALID_REGISTRATION: i32 = -31;
    pub(crate) const NO_PATHS_IN_ROUTE: i32 = -52;
    pub(crate) const NO_MATCHING_INTERFACE: i32 = -54;
    pub(crate) const INVALID_VLAN: i32 = -55;
    pub(crate) const VLAN_ALREADY_EXISTS: i32 = -56;
    pub(crate) const ADDRESS_LENGTH_MISMATCH: i32 = -59;
    pub(crate) const ADDRESS_NOT_FOUND_FOR_INTERFACE: i32 = -60;
    pub(crate) const SUBIF_ALREADY_EXISTS: i32 = -68;
    pub(crate) const INVALID_INTERFACE: i32 = -71;
    pub(crate) const INVALID_VLAN_TAG_COUNT: i32 = -72;
    pub(crate) const INVALID_ARGUMENT: i32 = -73;
    pub(crate) const UNEXPECTED_INTF_STATE: i32 = -74;
    pub(crate) const IF_ALREADY_EXISTS: i32 = -79;
    pub(crate) const VALUE_EXIST: i32 = -81;
    pub(crate) const INVALID_SUB_SW_IF_INDEX: i32 = -98;
    pub(crate) const ADDRESS_IN_USE: i32 = -105;
    pub(crate) const ADDRESS_FOUND_FOR_INTERFACE: i32 = -114;
    pub(crate) const ENTRY_ALREADY_EXISTS: i32 = -116;
    pub(crate) const BD_ALREADY_EXISTS: i32 = -119;
    pub(crate) const BD_IN_USE: i32 = -120;
    pub(crate) const BD_NOT_MODIFIABLE: i32 = -121;
    pub(crate) const BD_ID_EXCEED_MAX: i32 = -122;
    pub(crate) const UNSUPPORTED: i32 = -126;
    pub(crate) const DUPLICATE_IF_ADDRESS: i32 = -127;
    pub(crate) const BD_ALREADY_HAS_BVI: i32 = -152;
    pub(crate) const INVALID_PREFIX_LENGTH: i32 = -171;
}

/// What an interface is.
#[derive(Debug)]
pub(crate) enum Kind {
    Local,
    Loopback,
    Sub(Sub),
    Memif(memif::Memif),
    VhostUser(vhost_user::VhostUser),
    Tap(Box<tap::Tap>),
    HostInterface(String),
}

/// A sub-interface's place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sub {
    pub(crate) parent: u32,
    pub(crate) id: u32,
    pub(crate) flags: u32,
    pub(crate) outer: u16,
    pub(crate) inner: u16,
}

impl Sub {
    /// How many tags its frames have (`sub_if_flags`: 2 is one, 4 is two).
    pub(crate) fn tags(self) -> u8 {
        u8::from(self.flags & 2 != 0) + 2 * u8::from(self.flags & 4 != 0)
    }
}

/// A rewrite of VLAN tags.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rewrite {
    pub(crate) op: VtrOp,
    pub(crate) push_dot1q: u32,
    pub(crate) tags: [u32; 2],
}

/// An interface.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) mac: [u8; 6],
    pub(crate) is_up: bool,
    pub(crate) link_mtu: u16,
    pub(crate) mtu: [u32; 4],
    pub(crate) tag: Text<64>,
    pub(crate) rewrite: Rewrite,
    /// Its routing tables: IPv4's and IPv6's.
    pub(crate) tables: [u32; 2],
    pub(crate) addresses: Vec<Prefix>,
    /// Whose addresses it borrows.
    pub(crate) lender: Option<u32>,
    /// Its receive queues: thread and mode.
    pub(crate) queues: Vec<(u32, RxMode)>,
}

/// Ethernet's MTU of VPP, unless its start-up file says otherwise.
const MTU: u16 = 9000;

impl Interface {
    pub(crate) fn new(name: String, kind: Kind, mac: [u8; 6]) -> Self {
        Self {
            name,
            kind,
            mac,
            is_up: false,
            link_mtu: MTU,
            mtu: [u32::from(MTU), 0, 0, 0],
            tag: Text::default(),
            rewrite: Rewrite::default(),
            tables: [0; 2],
            addresses: Vec::new(),
            lender: None,
            queues: Vec::new(),
        }
    }

    pub(crate) fn is_ethernet(&self) -> bool {
        match &self.kind {
            Kind::Local => false,
            Kind::Memif(memif) => memif.is_ethernet(),
            _ => true,
        }
    }
}

/// An interface went up, down or away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) index: u32,
    pub(crate) is_up: bool,
    pub(crate) deleted: bool,
}

/// What a VPP remembers.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) release: Release,
    /// Where a socket is whose path has no slash in front.
    pub(crate) runtime: String,
    pub(crate) interfaces: BTreeMap<u32, Interface>,
    /// Indices of deleted interfaces: the last is given out first.
    free: Vec<u32>,
    pub(crate) sockets: BTreeMap<u32, Socket>,
    pub(crate) domains: BTreeMap<u32, Domain>,
    /// By number and whether it is IPv6's.
    pub(crate) tables: BTreeMap<(u32, bool), FibTable>,
    pub(crate) policers: BTreeMap<u32, Policer>,
    /// One more than the largest index that was ever policed, of what is received and of what is sent.
    pub(crate) policed: [u32; 2],
    /// Rewrites of deleted interfaces that were in no domain: the next of that index has them.
    rewrites: BTreeMap<u32, Rewrite>,
    pub(crate) changes: Vec<Change>,
    /// What a request that VPP does not survive leaves behind.
    pub(crate) has_crashed: bool,
    macs: u32,
}

impl Model {
    pub(crate) fn new(setup: &Setup, runtime: String) -> Self {
        let mut model = Self {
            release: setup.release,
            sockets: memif::first_sockets(&runtime),
            runtime,
            interfaces: BTreeMap::new(),
            free: Vec::new(),
            domains: BTreeMap::new(),
            tables: super::route::first_tables(),
            policers: BTreeMap::new(),
            policed: [0; 2],
            rewrites: BTreeMap::new(),
            changes: Vec::new(),
            has_crashed: false,
            macs: 0,
        };
        let mut local = Interface::new("local0".to_owned(), Kind::Local, [0; 6]);
        (local.link_mtu, local.mtu) = (0, [0; 4]);
        model.add(local);
        model
    }

    /// Gives the interface an index.
    pub(crate) fn add(&mut self, mut interface: Interface) -> u32 {
        let next = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let index = self.free.pop().unwrap_or(next);
        interface.rewrite = self.rewrites.remove(&index).unwrap_or_default();
        self.interfaces.insert(index, interface);
        index
    }

    pub(crate) fn get(&self, index: SwIfIndex) -> Outcome<&Interface> {
        self.interfaces.get(&index.0).ok_or(retval::INVALID_SW_IF_INDEX)
    }

    pub(crate) fn get_mut(&mut self, index: SwIfIndex) -> Outcome<&mut Interface> {
        self.interfaces.get_mut(&index.0).ok_or(retval::INVALID_SW_IF_INDEX)
    }

    /// The interface itself, or the one that it is a sub-interface of.
    pub(crate) fn parent(&self, index: SwIfIndex) -> Outcome<u32> {
        Ok(match self.get(index)?.kind {
            Kind::Sub(Sub { parent, .. }) => parent,
            _ => index.0,
        })
    }

    /// Deletes the interface and its sub-interfaces. Who borrowed its addresses, and routes by it, still name it.
    pub(crate) fn delete(&mut self, index: u32) -> Option<Interface> {
        let is_below = |interface: &Interface| matches!(interface.kind, Kind::Sub(Sub { parent, .. }) if parent == index);
        let below: Vec<u32> =
            self.interfaces.iter().filter(|(_, sub)| is_below(sub)).map(|(index, _)| *index).collect();
        for sub in below {
            self.delete(sub);
        }
        self.leave_domain(index);
        let gone = self.interfaces.remove(&index)?;
        self.rewrites.insert(index, gone.rewrite);
        self.free.push(index);
        self.drop_unused_tables();
        self.changes.push(Change { index, is_up: false, deleted: true });
        Some(gone)
    }

    /// The given MAC address, or one that nobody has.
    pub(crate) fn mac(&mut self, wanted: [u8; 6]) -> [u8; 6] {
        if wanted != [0; 6] {
            return wanted;
        }
        self.macs += 1;
        let [a, b, c, d] = self.macs.to_be_bytes();
        [0x02, 0xfe, a, b, c, d]
    }
}

/// Text for a field that it may be too long for.
pub(crate) fn cut<const N: usize>(text: &str) -> Text<N> {
    let mut end = text.len().min(N.saturating_sub(1));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].parse().unwrap_or_default()
}

/// An outcome as the two fields of a reply that has an index.
pub(crate) fn made(outcome: Outcome<u32>) -> (i32, SwIfIndex) {
    match outcome {
        Ok(index) => (0, SwIfIndex(index)),
        Err(retval) => (retval, SwIfIndex::NONE),
    }
}
