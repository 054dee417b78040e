//! Bridges.

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
};

use crate::{Error, Netlink};

impl Netlink {
    /// Makes a bridge, down and without ports.
    ///
    /// # Errors
    /// EEXIST when the name is taken.
    pub async fn add_bridge(&self, name: &str) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        let doing = || format!("create bridge {name:?}");
        let create = RouteNetlinkMessage::NewLink(message);
        self.create(doing, create).await.map(drop)
    }
}
