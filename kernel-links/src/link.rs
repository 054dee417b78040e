//! Interfaces as the kernel tells of them, and changes to one in one request.

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{
        AfSpecInet, AfSpecUnspec, InetDevConf, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo,
        LinkMessage,
    },
};

use crate::{Error, Netlink};

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Its index in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The text that an administrator put beside it (`ip link set alias`), at most 255 bytes.
    pub alias: Option<String>,
    /// Its MAC address, for those that have one.
    pub mac: Option<[u8; 6]>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Whether it is set up.
    pub up: bool,
    /// Whether packets can pass: set up, and with a carrier.
    pub running: bool,
    /// Whether there is a carrier, though the kernel may not pass packets yet.
    pub carrier: bool,
    /// Its kind: `veth`, `bridge`, `macvlan`, `tun`; none for physical ones.
    pub kind: Option<String>,
    /// The index of the interface that it is a port of.
    pub master: Option<u32>,
}

/// What is to change on an interface. What is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Another name; the interface must be named by its index.
    pub name: Option<String>,
    /// The alias.
    pub alias: Option<String>,
    /// The MTU in bytes.
    pub mtu: Option<u32>,
    /// The MAC address.
    pub mac: Option<[u8; 6]>,
    /// The interface to become a port of; 0 leaves.
    pub master: Option<u32>,
    /// Set up or down.
    pub up: Option<bool>,
    /// Announce IPv4 addresses by gratuitous ARP whenever the interface comes up or its MAC address is set.
    pub arp_notify: bool,
    /// Forward IPv4 packets that come in here.
    pub forwarding: bool,
    /// Answer ARP for what is routed elsewhere.
    pub proxy_arp: bool,
    /// Let an IPv4 subnet's next address take the place of the first when that goes, instead of going with it.
    pub promote_secondaries: bool,
}

impl Netlink {
    /// The interface of that name (at most 15 bytes).
    ///
    /// # Errors
    /// What the kernel answered, but for its absence.
    pub async fn link_by_name(&self, name: &str) -> Result<Option<Link>, Error> {
        let mut message = get_message();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        self.link(message, || format!("look up the interface {name:?}")).await
    }

    /// The interface of that index.
    ///
    /// # Errors
    /// What the kernel answered, but for its absence.
    pub async fn link_by_index(&self, index: u32) -> Result<Option<Link>, Error> {
        let mut message = get_message();
        message.header.index = index;
        self.link(message, || format!("look up the interface {index}")).await
    }

    async fn link(
        &self,
        message: LinkMessage,
        doing: impl FnOnce() -> String,
    ) -> Result<Option<Link>, Error> {
        let answer = self.get(doing, RouteNetlinkMessage::GetLink(message)).await?;
        Ok(answer.and_then(link_of))
    }

    /// All interfaces of the namespace.
    ///
    /// # Errors
    /// What the kernel answered.
    pub async fn links(&self) -> Result<Vec<Link>, Error> {
        self.links_like(get_message()).await
    }

    /// The ports of the interface `master`.
    ///
    /// # Errors
    /// What the kernel answered.
    pub async fn ports(&self, master: u32) -> Result<Vec<Link>, Error> {
        let mut message = get_message();
        message.attributes.push(LinkAttribute::Controller(master));
        let mut ports = self.links_like(message).await?;
        // A kernel that does not know the filter lists all.
        ports.retain(|port| port.master == Some(master));
        Ok(ports)
    }

    async fn links_like(&self, message: LinkMessage) -> Result<Vec<Link>, Error> {
        let doing = || "list the interfaces".to_owned();
        let answers = self.dump(doing, RouteNetlinkMessage::GetLink(message)).await?;
        Ok(answers.into_iter().filter_map(link_of).collect())
    }

    /// Changes the interface of that index, all in one request.
    ///
    /// # Errors
    /// The kernel's: EEXIST for a name that is taken, EBUSY, EINVAL for a MTU that cannot be.
    pub async fn change_link(&self, index: u32, change: Change) -> Result<(), Error> {
        let mut message = change_message(&change);
        message.header.index = index;
        let doing = || format!("change the interface {index} ({change:?})");
        self.change(doing, RouteNetlinkMessage::SetLink(message)).await
    }

    /// The same for the interface of that name, which stays.
    ///
    /// # Errors
    /// As [`Self::change_link`]; ENODEV when there is none.
    pub async fn change_link_named(&self, name: &str, change: Change) -> Result<(), Error> {
        let mut message = change_message(&change);
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let doing = || format!("change the interface {name:?} ({change:?})");
        self.change(doing, RouteNetlinkMessage::SetLink(message)).await
    }

    /// Removes the interface of that index.
    ///
    /// # Errors
    /// ENODEV when it is gone.
    pub async fn delete_link(&self, index: u32) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let doing = || format!("remove the interface {index}");
        self.change(doing, RouteNetlinkMessage::DelLink(message)).await
    }
}

/// Counters are most of an answer's length, and of no interest.
fn get_message() -> LinkMessage {
    let mut message = LinkMessage::default();
    let skip = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
    message.attributes.push(skip);
    message
}

fn change_message(change: &Change) -> LinkMessage {
    let mut message = LinkMessage::default();
    if let Some(up) = change.up {
        message.header.flags.set(LinkFlags::Up, up);
        message.header.change_mask = LinkFlags::Up;
    }
    let inet = inet(change);
    message.attributes.extend(
        [
            change.name.clone().map(LinkAttribute::IfName),
            change.alias.clone().map(LinkAttribute::IfAlias),
            change.mtu.map(LinkAttribute::Mtu),
            change.mac.map(|mac| LinkAttribute::Address(mac.to_vec())),
            change.master.map(LinkAttribute::Controller),
            inet.map(|conf| LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet(vec![conf])])),
        ]
        .into_iter()
        .flatten(),
    );
    message
}

fn inet(change: &Change) -> Option<AfSpecInet> {
    if !(change.arp_notify || change.forwarding || change.proxy_arp || change.promote_secondaries) {
        return None;
    }
    let mut conf = InetDevConf::default();
    conf.arp_notify = change.arp_notify.into();
    conf.forwarding = change.forwarding.into();
    conf.proxy_arp = change.proxy_arp.into();
    conf.promote_secondaries = change.promote_secondaries.into();
    Some(AfSpecInet::DevConfRequest(conf))
}

pub(crate) fn link_of(answer: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = answer else {
        return None;
    };
    // Bridge ports are told of a second time, as ports.
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::Running),
        carrier: flags.contains(LinkFlags::LowerUp),
        ..Link::default()
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(bytes) => link.mac = bytes.try_into().ok(),
            LinkAttribute::Controller(index) => link.master = Some(index),
            LinkAttribute::LinkInfo(infos) => link.kind = infos.iter().find_map(kind_of),
            _ => {}
        }
    }
    Some(link)
}

fn kind_of(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}
