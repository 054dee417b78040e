//! Interfaces on top of another, born in another namespace.

use std::os::fd::AsRawFd;

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkInfo, LinkMessage, MacVlanMode},
};

use crate::{Error, Netlink, Netns};

/// A macvlan to be made. It is down at first.
#[derive(Debug)]
pub struct Macvlan<'a> {
    /// Its name.
    pub name: &'a str,
    /// The namespace that it is born in.
    pub netns: &'a Netns,
    /// Its MAC address; in passthru mode the master takes it too.
    pub mac: [u8; 6],
    /// Its MTU in bytes, at most the master's; the master's when absent.
    pub mtu: Option<u32>,
    /// The index of the interface below, in the namespace of the connection.
    pub master: u32,
    /// Who may talk to whom.
    pub mode: MacvlanMode,
}

/// The modes of ip-link(8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacvlanMode {
    /// Endpoints of one master reach each other directly.
    Bridge,
    /// They never do.
    Private,
    /// They do through an external switch that reflects.
    Vepa,
    /// The one endpoint takes the master over.
    Passthru,
}

impl Netlink {
    /// Makes the macvlan, in one request.
    ///
    /// # Errors
    /// EEXIST when the name is taken, EBUSY when the master is a bridge's port, EINVAL when it is taken over in passthru mode.
    pub async fn add_macvlan(&self, macvlan: &Macvlan<'_>) -> Result<(), Error> {
        let mode = match macvlan.mode {
            MacvlanMode::Bridge => MacVlanMode::Bridge,
            MacvlanMode::Private => MacVlanMode::Private,
            MacvlanMode::Vepa => MacVlanMode::Vepa,
            MacvlanMode::Passthru => MacVlanMode::Passthrough,
        };
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(macvlan.name.to_owned()),
            LinkAttribute::Address(macvlan.mac.to_vec()),
            LinkAttribute::Link(macvlan.master),
            LinkAttribute::NetNsFd(macvlan.netns.as_raw_fd()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)])),
            ]),
        ];
        message.attributes.extend(macvlan.mtu.map(LinkAttribute::Mtu));
        let doing = || {
            let Macvlan { name, master, mode, mtu, .. } = macvlan;
            format!("create macvlan {name:?} (on interface {master}, {mode:?}, mtu {mtu:?})")
        };
        let create = RouteNetlinkMessage::NewLink(message);
        self.create(doing, create).await.map(drop)
    }
}
