//! The versions of the CNI specification, and what each of them knows.

use std::fmt;

/// A version that is served. Ordered: later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V0_1_0,
    V0_2_0,
    V0_3_0,
    V0_3_1,
    V0_4_0,
    V1_0_0,
    V1_1_0,
}

pub(crate) const ALL: [Version; 7] = [
    Version::V0_1_0,
    Version::V0_2_0,
    Version::V0_3_0,
    Version::V0_3_1,
    Version::V0_4_0,
    Version::V1_0_0,
    Version::V1_1_0,
];

pub(crate) const LATEST: Version = Version::V1_1_0;

impl Version {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_3_0 => "0.3.0",
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }

    /// The version of that exact text. A configuration without one is of the first version.
    pub(crate) fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("") => Some(Self::V0_1_0),
            Some(text) => ALL.into_iter().find(|version| version.as_str() == text),
        }
    }

    /// Whether a result has a list of interfaces and of addresses, rather than `ip4` and `ip6`.
    pub(crate) fn has_interfaces(self) -> bool {
        self >= Self::V0_3_0
    }

    /// Whether an address tells its family.
    pub(crate) fn has_ip_version(self) -> bool {
        self.has_interfaces() && self < Self::V1_0_0
    }

    /// Whether a result has MTUs, socket paths and attributes of routes.
    pub(crate) fn has_attributes(self) -> bool {
        self >= Self::V1_1_0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
