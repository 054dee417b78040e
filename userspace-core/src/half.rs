//! The container's half as a document: what the host hands over and the container app reads.
//!
//! Its shape is that of the Go plugins, so that their readers go on working; ours is beside it. `half/legacy.rs` alone knows that
//! shape. Described in docs/container-half.md, with an example in tests/golden/container-half.json.

use std::{fmt, path::Path};

use crate::{
    addressing::Assignment,
    conf::HalfConf,
    id::AttachmentId,
    ipam::Allocation,
    spec::{EngineKind, InterfaceSpec, MemifSocketType, Network},
};

mod device;
mod legacy;

/// The version of our part of the document.
pub const VERSION: u32 = 1;

/// One interface that something in the container is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerHalf {
    /// Whose it is.
    pub attachment: AttachmentId,
    /// The UID of its Kubernetes pod, when there is one.
    pub pod_uid: Option<String>,
    /// What is to be made.
    pub config: HalfConf,
    /// The addresses and routes that it is to have.
    pub allocation: Allocation,
}

/// An interface, what it is joined to, and what it is given: what a container's engine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// What is made.
    pub spec: InterfaceSpec,
    /// What it is joined to. On Open vSwitch that is a bridge in any case: without `config.bridge.bridgeName` one that is called as the
    /// interface, whose own port is the kernel interface with the addresses.
    pub network: Network,
    /// Its addresses and routes. None where it is joined to a domain of VPP: those carry frames only.
    pub given: Assignment,
}

/// A document that is not a container's half.
#[derive(Debug, thiserror::Error)]
pub struct InvalidHalf {
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl fmt::Display for InvalidHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("read the container's half of an interface")
    }
}

impl ContainerHalf {
    /// The document.
    pub fn to_json(&self) -> Vec<u8> {
        legacy::write(self)
    }

    /// Reads a document of ours or of a Go plugin.
    ///
    /// # Errors
    /// When it is not JSON, lacks an id, has an id or a value that cannot be, or is of a later version.
    pub fn from_json(text: &[u8]) -> Result<Self, InvalidHalf> {
        legacy::read(text).map_err(|source| InvalidHalf { source })
    }

    /// What an engine is to make in the container, where the host's shared directory is at `dir`.
    ///
    /// # Errors
    /// When it is no memif or vhost-user port, or its socket is not in the directory.
    pub fn spec(&self, dir: &Path) -> Result<InterfaceSpec, InvalidHalf> {
        device::spec(self, dir).map_err(|source| InvalidHalf { source })
    }

    /// All that `engine` is to bring about in the container, where the host's shared directory is at `dir`.
    ///
    /// # Errors
    /// As [`Self::spec`]; when its bridge cannot be, or an address.
    pub fn desired(&self, dir: &Path, engine: EngineKind) -> Result<Desired, InvalidHalf> {
        device::desired(self, dir, engine).map_err(|source| InvalidHalf { source })
    }

    /// The name of its socket in the directory.
    pub fn socket(&self) -> Option<&str> {
        let memif = self.config.memif.as_ref();
        let memif = memif.filter(|memif| memif.socket_type != Some(MemifSocketType::Abstract));
        let memif = memif.and_then(|memif| memif.socketfile.as_deref());
        memif.or_else(|| self.config.vhost.as_ref()?.socketfile.as_deref())
    }

    /// The same without what only root may read, for a place that others read too.
    pub fn without_secret(&self) -> Self {
        let mut half = self.clone();
        if let Some(memif) = &mut half.config.memif {
            memif.secret = None;
        }
        half
    }

    /// Whether it holds a secret, and so must be readable to root alone.
    pub fn is_secret(&self) -> bool {
        let memif = self.config.memif.as_ref();
        memif.is_some_and(|memif| memif.secret.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../../tests/golden/container-half.json");

    #[test]
    fn the_golden_document_is_read_and_written() {
        let half = ContainerHalf::from_json(GOLDEN.as_bytes()).unwrap();
        assert_eq!(half.attachment.interface.as_str(), "net1");
        let written: serde_json::Value = serde_json::from_slice(&half.to_json()).unwrap();
        let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(written, golden);
    }

    #[test]
    fn a_document_of_a_go_plugin_is_read() {
        let text = r#"{"containerId":"0123456789abcdef","ifName":"net1","name":"net","config":{"iftype":"memif",
            "netType":"interface","memif":{"role":"slave","mode":"ethernet","socketfile":"memif.sock"},"vhost":{},"bridge":{}},
            "ipResult":{"interfaces":[{"name":"net1"}],"ips":[{"interface":0,"address":"10.0.0.5/24","gateway":"10.0.0.1"}],"dns":{}}}"#;
        let half = ContainerHalf::from_json(text.as_bytes()).unwrap();
        assert_eq!(half.allocation.ips[0].ip, "10.0.0.5/24".parse().unwrap());
    }

    #[test]
    fn other_documents_are_errors() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"containerId":"a/b","ifName":"net1","name":"net"}"#,
            r#"{"version":9,"containerId":"c","ifName":"net1","name":"net"}"#,
        ] {
            assert!(ContainerHalf::from_json(text.as_bytes()).is_err(), "{text}");
        }
    }
}
