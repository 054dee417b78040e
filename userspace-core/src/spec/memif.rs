//! memif: what its two ends agree on, and the socket that they meet at.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::netns::NetnsRef;

/// A memif.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memif {
    /// Which end this is.
    pub role: MemifRole,
    /// What the frames are.
    pub mode: MemifMode,
    /// The control socket, as this end's engine opens it.
    pub socket: MemifSocket,
    /// Receive queues.
    pub rx_queues: u8,
    /// Transmit queues.
    pub tx_queues: u8,
    /// Descriptors in a ring, a power of two.
    pub ring_size: u32,
    /// Bytes in a packet buffer.
    pub buffer_bytes: u16,
    /// What both ends must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Whether packets stay where they are.
    pub zero_copy: bool,
    /// Whether a DMA engine copies.
    pub dma: bool,
}

/// What a memif's control socket is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MemifSocketType {
    /// A file in the container's directory.
    #[default]
    File,
    /// A name in the container's network namespace (unix(7), "abstract"), without a file.
    Abstract,
}

/// A memif's control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MemifSocket {
    /// A file.
    File(PathBuf),
    /// A name without a file.
    Abstract(AbstractSocket),
}

/// A name in a network namespace (unix(7)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbstractSocket {
    /// The name, without the NUL that begins it.
    #[serde(rename = "abstract")]
    pub name: String,
    /// The namespace that it is in; that of the engine when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<NetnsRef>,
}

impl MemifSocket {
    /// Its path, when it is a file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Abstract(_) => None,
        }
    }
}

impl fmt::Display for MemifSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Abstract(AbstractSocket { name, netns: None }) => write!(f, "@{name}"),
            Self::Abstract(AbstractSocket { name, netns: Some(netns) }) => {
                write!(f, "@{name} in {}", netns.path.display())
            }
        }
    }
}

/// The ends of a memif.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MemifRole {
    /// Listens on the socket.
    Master,
    /// Connects to it and owns the memory.
    Slave,
}

impl MemifRole {
    /// The other end's role.
    pub fn complement(self) -> Self {
        match self {
            Self::Master => Self::Slave,
            Self::Slave => Self::Master,
        }
    }
}

/// What a memif carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MemifMode {
    /// Ethernet frames.
    #[default]
    Ethernet,
    /// IP packets.
    Ip,
    /// Packets for VPP's punt path. Known, and refused: VPP 26.06 crashes on it.
    InjectPunt,
}

/// A shared secret. Never printed: its `Debug` form is a placeholder.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret that was typed in.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the vswitch only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_text_and_a_name_is_not() {
        for (text, shown) in [
            (r#""/run/a.sock""#, "/run/a.sock"),
            (r#"{"abstract":"a"}"#, "@a"),
            (
                r#"{"abstract":"a","netns":{"path":"/run/netns/b","dev":4,"inode":5,"boot_id":"c"}}"#,
                "@a in /run/netns/b",
            ),
        ] {
            let socket: MemifSocket = serde_json::from_str(text).unwrap();
            assert_eq!(
                (serde_json::to_string(&socket).unwrap().as_str(), socket.to_string().as_str()),
                (text, shown)
            );
        }
        assert!(serde_json::from_str::<MemifSocket>(r#"{"name":"a"}"#).is_err());
    }
}
