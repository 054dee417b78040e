//! A client of OVSDB (RFC 7047), as far as this engine and its tests need one: transactions, over a unix socket or TCP.
//!
//! [`Client`] is a connection. Requests are pipelined: [`Client::transact`] has sent its request when it returns, and its future is
//! the reply. A [`Transaction`] is a list of operations, a [`Reply`] has an answer for each, and is an error when any of them is one.
//!
//! Knows nothing of bridges, ports or attachments. No published crate does all of this: docs/decisions/0006-an-ovsdb-client.md.

mod client;
mod error;
mod splitter;
mod transaction;
mod value;

pub use self::{
    client::Client,
    error::Error,
    transaction::{Id, Reply, Step, Transaction, Until, equal, includes},
    value::{Row, Uuid, empty, map, set},
};
