//! Pairs of interfaces, one end of which is born in another namespace with its final name: no rename, no moment in between.

use std::os::fd::AsRawFd;

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage},
};

use crate::{Error, Link, Netlink, Netns, link::link_of};

/// A pair to be made. Both ends are down at first.
#[derive(Debug)]
pub struct VethPair<'a> {
    /// The name of the end in the namespace of the connection.
    pub name: &'a str,
    /// The MTU of both ends in bytes; 1500 when absent.
    pub mtu: Option<u32>,
    /// The namespace of the other end.
    pub peer_netns: &'a Netns,
    /// The other end's name there.
    pub peer_name: &'a str,
    /// The other end's MAC address.
    pub peer_mac: [u8; 6],
}

impl Netlink {
    /// Makes the pair, in one request. The end here is told where the kernel does so at once.
    ///
    /// # Errors
    /// EEXIST when either name is taken.
    pub async fn add_veth(&self, pair: &VethPair<'_>) -> Result<Option<Link>, Error> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(pair.peer_name.to_owned()),
            LinkAttribute::Address(pair.peer_mac.to_vec()),
            LinkAttribute::NetNsFd(pair.peer_netns.as_raw_fd()),
        ];
        peer.attributes.extend(pair.mtu.map(LinkAttribute::Mtu));
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::IfName(pair.name.to_owned())];
        message.attributes.extend(pair.mtu.map(LinkAttribute::Mtu));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        let doing = || format!("create veth {:?} (peer {:?}, mtu {:?})", pair.name, pair.peer_name, pair.mtu);
        let create = RouteNetlinkMessage::NewLink(message);
        self.create(doing, create).await.map(|made| made.and_then(link_of))
    }
}
