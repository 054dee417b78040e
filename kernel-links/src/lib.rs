//! Kernel network interfaces, addresses and routes, in this network namespace or another, over rtnetlink.
//!
//! For every engine that has a kernel interface at one of its ends. Knows nothing of attachments, owners or plans: it makes what
//! it is told, and tells what is there.

mod address;
mod announce;
mod assign;
mod bridge;
mod error;
mod ioctl;
mod link;
mod macvlan;
mod netlink;
mod netns;
mod offload;
mod route;
mod sysctl;
mod tap;
mod veth;

pub use self::{
    address::{Address, PROTOCOL},
    error::Error,
    link::{Change, Link},
    macvlan::{Macvlan, MacvlanMode},
    netlink::Netlink,
    netns::Netns,
    offload::{set_tx_checksum, tx_checksum},
    route::Route,
    sysctl::{Family, InterfaceSysctl},
    tap::Tap,
    veth::VethPair,
};
