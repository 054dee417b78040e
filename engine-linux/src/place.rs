//! A network namespace and a connection to the kernel in it.

use kernel_links::{Link, Netlink, Netns, set_tx_checksum};
use nix::errno::Errno;
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    netns::NetnsRef,
    owner::{Mark, OwnerTag},
};

use crate::error;

/// An alias has at most 255 bytes (IFALIASZ of linux/if.h, without the NUL).
const ALIAS: usize = 255;

/// Where an engine works.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) netlink: Netlink,
    /// The container's namespace; none for that of the process.
    pub(crate) netns: Option<Netns>,
}

impl Place {
    /// Opens the namespace that `netns` means, or the process's own.
    pub(crate) fn open(netns: Option<&NetnsRef>) -> Result<Self, EngineError> {
        let Some(wanted) = netns else {
            let netlink = Netlink::open().map_err(error::of)?;
            return Ok(Self { netlink, netns: None });
        };
        let netns = open_netns(wanted)?;
        let netlink = Netlink::open_in(&netns).map_err(error::of)?;
        Ok(Self { netlink, netns: Some(netns) })
    }

    /// The interface of that name, whoever's it is.
    pub(crate) async fn link(&self, cx: Cx, name: &str) -> Result<Option<Link>, EngineError> {
        let look = async { self.netlink.link_by_name(name).await.map_err(error::of) };
        cx.bound(|| format!("look up the interface {name:?}"), look).await
    }

    /// Lets the interface finish the checksums of what it sends.
    pub(crate) fn finish_checksums(&self, name: &str) -> Result<(), EngineError> {
        let set = || set_tx_checksum(name, false);
        let done = match &self.netns {
            Some(netns) => netns.run(set),
            None => set(),
        };
        done.map_err(error::of)
    }

    /// Removes the link; that it has gone by itself is fine.
    pub(crate) async fn delete(&self, cx: Cx, link: &Link) -> Result<(), EngineError> {
        let delete = async {
            match self.netlink.delete_link(link.index).await {
                Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(()),
                other => other.map_err(error::of),
            }
        };
        cx.bound(|| format!("remove the interface {:?}", link.name), delete).await
    }
}

/// The namespace, if it is still the one that was meant: a path can lead to another by now, and a number be used again after a boot.
pub(crate) fn open_netns(wanted: &NetnsRef) -> Result<Netns, EngineError> {
    wanted.open().map(Netns::from).map_err(|error| {
        let doing = format!("open the network namespace {:?}", wanted.path);
        EngineError::new(ErrorKind::NamespaceGone, doing).because(error)
    })
}

/// The name that an interface of ours has before it is marked, and on the host for good.
pub(crate) fn derived_name(tag: &OwnerTag) -> String {
    tag.host_name()
}

/// Whose a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Marked as ours.
    Marked(Mark),
    /// Bears no mark at all.
    Unmarked,
    /// Somebody else's text.
    Foreign,
}

pub(crate) fn owner_of(link: &Link) -> Owner {
    match link.alias.as_deref() {
        None | Some("") => Owner::Unmarked,
        Some(alias) => match alias.parse() {
            Ok(mark) => Owner::Marked(mark),
            Err(_) => Owner::Foreign,
        },
    }
}

/// Whether the link bears the mark of that attachment.
pub(crate) fn is_marked(link: &Link, tag: &OwnerTag) -> bool {
    matches!(owner_of(link), Owner::Marked(mark) if mark.tag.same_attachment(tag))
}

/// Whether the link is that attachment's: marked so, or made under the derived name and not yet marked.
pub(crate) fn is_ours(link: &Link, tag: &OwnerTag, kind: &str) -> bool {
    match owner_of(link) {
        Owner::Marked(mark) => mark.tag.same_attachment(tag),
        Owner::Unmarked => link.name == derived_name(tag) && link.kind.as_deref() == Some(kind),
        Owner::Foreign => false,
    }
}

/// The mark as an alias.
pub(crate) fn alias(mark: &Mark) -> String {
    mark.to_text(ALIAS)
}

/// What makes a second interface of one owner a conflict.
pub(crate) fn conflict(name: &str, why: &str) -> EngineError {
    let doing = format!("make the interface {name:?} ({why})");
    EngineError::new(ErrorKind::Conflict, doing)
}
