//! An async client of [VPP]'s binary API over its unix socket: one build for every release.
//!
//! VPP names each message by its name and a checksum of its layout (`memif_create_v2_8c7de5f7`) and tells a client, when it connects,
//! which numbers these have. So a message that is defined here works with every release that has exactly that layout, and
//! [`Client::knows`] tells whether this one does.
//!
//! ```no_run
//! use vpp_api_client::{Client, Options, messages::interface::SwInterfaceDump, messages::vpe::ShowVersion};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), vpp_api_client::Error> {
//! let vpp = Client::connect(Options::default()).await?;
//! let version = vpp.request(&ShowVersion {}).await?;
//! println!("VPP {}", version.version);
//! for interface in vpp.dump(&SwInterfaceDump::all()).await? {
//!     println!("{:>5} {}", interface.sw_if_index.0, interface.interface_name);
//! }
//! # vpp.close().await
//! # }
//! ```
//!
//! Requests are pipelined: [`Client::request`] and [`Client::dump`] send at once, and what they return is only waited for. Each request
//! has a time limit, since VPP does not answer what it does not understand.
//!
//! VPP has more messages than this crate: [`messages!`](crate::messages!) defines others. With the feature `fake` there is a VPP of
//! memory to test against: the module `fake` and the program `fake-vpp`.
//!
//! The crate knows the transport ([`frame`]), the encoding ([`codec`]) and the messages ([`mod@messages`]), and nothing of what they
//! are for.
//!
//! [VPP]: https://fd.io/

#[macro_use]
mod message;

mod client;
pub mod codec;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
pub mod frame;
pub mod messages;
mod pending;
mod table;
pub mod types;

/// The examples of README.md are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use self::{
    client::{Client, DEFAULT_SOCKET, Events, Options},
    error::{DecodeError, Error},
    message::{Dump, Event, Message, Reply, Request},
    table::Table,
};
