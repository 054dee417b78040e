//! A VPP of memory that speaks VPP's protocol on a socket, for tests of clients. It answers as VPP does, refusals included, and moves no
//! packet. What it says is compared with a real VPP by this crate's tests.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use vpp_api_client::fake::{Fake, Setup};
//!
//! let fake = Fake::bind("/tmp/api.sock", &Setup::default())?;
//! tokio::spawn(fake.run());
//! # Ok(())
//! # }
//! ```
//!
//! What reaches outside memory, since a client can see it: a vhost-user server and a memif's master make their sockets (which accept
//! nobody; a master's may be a name in a network namespace), a host interface must be there in the kernel, and a tap that is asked for
//! by name in a network namespace gets a kernel's end there (with the tools `nsenter` and `ip`).
//!
//! Tests lead it by commands of `cli_inband` that no VPP has; MESSAGE is a message's name with or without its checksum:
//!
//! | command | from then on |
//! |---|---|
//! | `fake hang [MESSAGE]` | nothing, or not that message, is done and answered |
//! | `fake retval MESSAGE N [TIMES]` | that request is not done, and answered with `N` |
//! | `fake die` | it ends, as by `kill -9`: sockets' files stay |
//! | `fake die-at MESSAGE` | it ends when it gets that message, which is not done |
//! | `fake heal` | none of these any more |
//! | `fake requests` | the reply has a line `COUNT NAME` for each message that came |
//! | `fake reset-requests` | these counts begin again |

pub mod command;
mod faults;
mod handlers;
mod model;
mod release;
mod server;
mod vocabulary;

mod address;
mod bridge;
mod host_interface;
mod interface;
mod listener;
mod memif;
mod policer;
mod route;
mod tap;
mod vhost_user;
mod vpe;

pub use self::{release::Release, server::Fake};

/// What kind of VPP the fake is.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Which release: older ones have fewer messages.
    pub release: Release,
    /// Plugins that are not loaded: `memif`, `vhost`, `tap`, `af_packet`, `policer`.
    pub without: Vec<String>,
    /// Messages, without their checksums, that have another layout than this crate knows.
    pub other_layout: Vec<String>,
}
