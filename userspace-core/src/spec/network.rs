//! What an interface is joined to.

use serde::{Deserialize, Serialize};

/// What an interface is joined to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Nothing: the interface exists and is up.
    #[default]
    None,
    /// A layer-2 domain of the vswitch.
    Bridge(Bridge),
    /// Routed: the host's end carries the gateway's address, and routes to the container's.
    Routed {
        /// The routing table; 0 is the vswitch's own.
        vrf: u32,
    },
}

impl Network {
    /// Routed in the vswitch's own table.
    pub const ROUTED: Self = Self::Routed { vrf: 0 };
}

/// A layer-2 domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// Its name (Linux, OVS), or its number in decimal digits (VPP).
    pub name: String,
    /// How the port treats VLAN tags.
    #[serde(default, skip_serializing_if = "Vlan::is_untouched")]
    pub vlan: Vlan,
}

/// How a port treats VLAN tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    /// The access VLAN, or the native one of a trunk: 1 to 4094.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u16>,
    /// The VLANs of a trunk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trunks: Vec<u16>,
    /// OVS's `vlan_mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<VlanMode>,
}

impl Vlan {
    /// Whether tags are left alone.
    pub fn is_untouched(&self) -> bool {
        *self == Self::default()
    }
}

/// The values of OVS's `vlan_mode` (ovs-vswitchd.conf.db(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum VlanMode {
    /// One VLAN, untagged on the port.
    Access,
    /// Tagged VLANs only.
    Trunk,
    /// A trunk whose native VLAN is tagged.
    NativeTagged,
    /// A trunk whose native VLAN is untagged.
    NativeUntagged,
    /// VLANs within a VLAN.
    Dot1qTunnel,
}
