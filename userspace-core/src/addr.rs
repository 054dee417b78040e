//! Link and network addresses, in the words of the CNI specification's result.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A 48-bit MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr([u8; 6]);

/// Text that is not the MAC address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("MAC address {value:?} {reason}")]
pub struct InvalidMac {
    /// What was given.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl MacAddr {
    /// An address from its six bytes, as a kernel or a vswitch answered them.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The six bytes, in the order in which they are sent.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddr {
    type Err = InvalidMac;

    /// Six pairs of hex digits between colons or hyphens. Refuses group addresses and the null address, which no interface
    /// can have.
    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let invalid = |reason| InvalidMac { value: text.to_owned(), reason };
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut parts = text.split(separator);
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            let pair = parts.next().filter(|pair| pair.len() == 2);
            let parsed = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
            *byte = parsed.ok_or_else(|| invalid("is not six pairs of hex digits"))?;
        }
        if parts.next().is_some() {
            return Err(invalid("is not six pairs of hex digits"));
        }
        if bytes[0] & 1 == 1 {
            return Err(invalid("is a group address"));
        }
        if bytes == [0; 6] {
            return Err(invalid("is null"));
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for MacAddr {
    type Error = InvalidMac;

    fn try_from(text: String) -> Result<Self, InvalidMac> {
        text.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> String {
        mac.to_string()
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address for an interface and, when IPAM named one, the gateway of its subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The interface's own address with the length of its subnet's prefix.
    #[serde(rename = "address")]
    pub ip: IpNet,
    /// The router of that subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
}

/// RT_SCOPE_LINK of rtnetlink(7): the destination is on the link.
pub const SCOPE_LINK: u8 = 253;
/// RT_SCOPE_UNIVERSE: it is behind a gateway.
pub const SCOPE_UNIVERSE: u8 = 0;

/// A route in the container, with the attributes of CNI 1.1.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The destination prefix.
    pub dst: IpNet,
    /// The next hop. Absent: the gateway of an address of the same family, or on the link when `scope` is link (253).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gw: Option<IpAddr>,
    /// Path MTU in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Maximal segment size to advertise, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advmss: Option<u32>,
    /// The metric: the lower, the more preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// The routing table's number; the main table (254) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// The scope's number as in rtnetlink(7): 0 universe, 200 site, 253 link, 254 host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<u8>,
}

impl Route {
    /// A route to `dst` by `gw`, without attributes.
    pub fn new(dst: IpNet, gw: Option<IpAddr>) -> Self {
        Self { dst, gw, mtu: None, advmss: None, priority: None, table: None, scope: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_are_read_and_written() {
        let mac: MacAddr = "02-AB-00-00-00-01".parse().unwrap();
        assert_eq!(mac.to_string(), "02:ab:00:00:00:01");
        for bad in ["", "02:00", "02:00:00:00:00:00:00", "2:0:0:0:0:1", "gg:00:00:00:00:00"] {
            assert!(bad.parse::<MacAddr>().is_err(), "{bad}");
        }
        assert!("01:00:5e:00:00:01".parse::<MacAddr>().unwrap_err().to_string().contains("group"));
        assert!("00:00:00:00:00:00".parse::<MacAddr>().unwrap_err().to_string().contains("null"));
    }
}
