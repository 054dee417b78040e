//! Who gives an attachment its addresses.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    addr::{Address, Route},
    cx::Cx,
    engine::EngineError,
    id::AttachmentId,
};

/// Gives addresses to attachments and takes them back.
#[async_trait]
pub trait Ipam: Send + Sync {
    /// Whether it can be asked at all. Changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::engine::ErrorKind::Invalid) when it is not there.
    fn installed(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Addresses, routes and name servers for the attachment.
    async fn allocate(&self, cx: Cx, id: &AttachmentId) -> Result<Allocation, EngineError>;

    /// Takes back what the attachment had. Having had nothing is success.
    async fn release(&self, cx: Cx, id: &AttachmentId) -> Result<(), EngineError>;

    /// Whether the attachment still has what it was given.
    async fn check(&self, cx: Cx, id: &AttachmentId) -> Result<(), EngineError>;
}

/// What an attachment was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allocation {
    /// The addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ips: Vec<Address>,
    /// The routes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Name servers, for whoever writes the container's resolv.conf.
    #[serde(skip_serializing_if = "Dns::is_empty")]
    pub dns: Dns,
}

/// The `dns` of a CNI result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// Addresses of name servers, the most preferred first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// The local domain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Domains for short names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Options of the resolver.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Dns {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
