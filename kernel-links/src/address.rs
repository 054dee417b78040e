//! Addresses of an interface.

use ipnet::IpNet;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope},
};
use std::net::IpAddr;

use crate::{Error, Netlink};

/// The number by which addresses (IFA_PROTO) and routes (rtm_protocol) that were set here are told from others'. Of the numbers
/// that rtnetlink(7) leaves to users, one that /etc/iproute2/rt_protos has no name for.
pub const PROTOCOL: u8 = 117;

/// An address that an interface has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address with its prefix length.
    pub ip: IpNet,
    /// Whether it was set here: [`PROTOCOL`].
    pub ours: bool,
    /// Whether it cannot be used yet, since its duplicates are looked for.
    pub tentative: bool,
}

impl Netlink {
    /// Gives the interface an address that can be used at once (no search for duplicates).
    ///
    /// # Errors
    /// EEXIST when it has it, EPERM or EACCES when IPv6 is off there.
    pub async fn add_address(&self, index: u32, ip: IpNet) -> Result<(), Error> {
        let mut message = message(index, ip);
        let flags = AddressFlags::Permanent | AddressFlags::Nodad;
        message.attributes.push(AddressAttribute::Flags(flags));
        let protocol = AddressProtocol::from(PROTOCOL);
        message.attributes.push(AddressAttribute::Protocol(protocol));
        let doing = || format!("add address {ip} to the interface {index}");
        let create = RouteNetlinkMessage::NewAddress(message);
        self.create(doing, create).await.map(drop)
    }

    /// Takes the address from the interface.
    ///
    /// # Errors
    /// EADDRNOTAVAIL when it has not got it.
    pub async fn delete_address(&self, index: u32, ip: IpNet) -> Result<(), Error> {
        let doing = || format!("remove address {ip} from the interface {index}");
        let delete = RouteNetlinkMessage::DelAddress(message(index, ip));
        self.change(doing, delete).await
    }

    /// The interface's addresses of both families.
    ///
    /// # Errors
    /// What the kernel answered.
    pub async fn addresses(&self, index: u32) -> Result<Vec<Address>, Error> {
        let mut message = AddressMessage::default();
        message.header.index = index;
        let doing = || format!("list the addresses of the interface {index}");
        let get = RouteNetlinkMessage::GetAddress(message);
        let answers = match self.dump(doing, get).await {
            // The interface went meanwhile, and its addresses with it.
            Err(error) if error.errno() == Some(nix::errno::Errno::ENODEV) => Vec::new(),
            other => other?,
        };
        Ok(answers.into_iter().filter_map(|answer| address_of(index, answer)).collect())
    }
}

fn message(index: u32, ip: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = ip.prefix_len();
    message.header.scope = AddressScope::Universe;
    message.header.family = match ip {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.attributes.push(AddressAttribute::Local(ip.addr()));
    message.attributes.push(AddressAttribute::Address(ip.addr()));
    // What `ip address add … brd +` does: IPv4 subnets have a broadcast address, but for point-to-point ones (RFC 3021).
    if let IpNet::V4(v4) = ip
        && v4.prefix_len() < 31
    {
        message.attributes.push(AddressAttribute::Broadcast(v4.broadcast()));
    }
    message
}

fn address_of(index: u32, answer: RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = answer else {
        return None;
    };
    let (mut local, mut address): (Option<IpAddr>, Option<IpAddr>) = (None, None);
    let (mut ours, mut tentative) = (false, false);
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(ip),
            AddressAttribute::Address(ip) => address = Some(ip),
            AddressAttribute::Protocol(protocol) => ours = u8::from(protocol) == PROTOCOL,
            AddressAttribute::Flags(flags) => tentative = flags.contains(AddressFlags::Tentative),
            _ => {}
        }
    }
    let ip = IpNet::new(local.or(address)?, message.header.prefix_len).ok()?;
    (message.header.index == index).then_some(Address { ip, ours, tentative })
}
