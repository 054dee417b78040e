//! Results: read in every version of the specification (an IPAM's, a `prevResult`), written in the one that was asked for.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use userspace_core::{
    addr::{Address, Route},
    ipam::{Allocation, Dns},
};

use crate::version::Version;

/// A result with all that the latest version knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CniResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) interfaces: Vec<Interface>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ips: Vec<Ip>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<Route>,
    #[serde(skip_serializing_if = "Dns::is_empty")]
    pub(crate) dns: Dns,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Interface {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) mac: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mtu: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) sandbox: String,
    #[serde(rename = "socketPath", skip_serializing_if = "String::is_empty")]
    pub(crate) socket_path: String,
    #[serde(rename = "pciID", skip_serializing_if = "String::is_empty")]
    pub(crate) pci_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ip {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<u32>,
    #[serde(flatten)]
    pub(crate) address: Address,
}

/// The result of versions before 0.3.0: one address of each family.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Old {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip4: Option<OldIp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip6: Option<OldIp>,
    #[serde(skip_serializing_if = "Dns::is_empty")]
    dns: Dns,
}

#[derive(Debug, Serialize, Deserialize)]
struct OldIp {
    ip: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    routes: Vec<Route>,
}

/// Reads a result of whatever version: its shape tells.
pub(crate) fn parse(mut value: Value) -> Result<CniResult, serde_json::Error> {
    drop_unset(&mut value);
    if value.get("ip4").is_some() || value.get("ip6").is_some() {
        return serde_json::from_value(value).map(CniResult::from_old);
    }
    serde_json::from_value(value)
}

/// Go writes `null` for an empty list and `""` for an absent gateway.
fn drop_unset(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null() && *value != "");
            map.values_mut().for_each(drop_unset);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_unset),
        _ => {}
    }
}

impl CniResult {
    fn from_old(old: Old) -> Self {
        let mut result = Self { dns: old.dns, ..Self::default() };
        for ip in [old.ip4, old.ip6].into_iter().flatten() {
            result.ips.push(Ip { interface: None, address: Address { ip: ip.ip, gateway: ip.gateway } });
            result.routes.extend(ip.routes);
        }
        result
    }

    /// What an IPAM's result gives an attachment.
    pub(crate) fn into_allocation(self) -> Allocation {
        Allocation {
            ips: self.ips.into_iter().map(|ip| ip.address).collect(),
            routes: self.routes,
            dns: self.dns,
        }
    }

    /// The result as `version` knows it; what it does not know is dropped.
    pub(crate) fn to_json(&self, version: Version) -> Value {
        let mut value = if version.has_interfaces() { self.current(version) } else { json!(self.to_old()) };
        value["cniVersion"] = json!(version.as_str());
        value
    }

    fn current(&self, version: Version) -> Value {
        let mut known = self.clone();
        if !version.has_attributes() {
            for interface in &mut known.interfaces {
                interface.mtu = None;
                interface.socket_path.clear();
                interface.pci_id.clear();
            }
            for route in &mut known.routes {
                *route = Route::new(route.dst, route.gw);
            }
        }
        let mut value = json!(known);
        if version.has_ip_version() {
            for (ip, family) in known.ips.iter().zip(0..) {
                let name = if ip.address.ip.addr().is_ipv4() { "4" } else { "6" };
                value["ips"][family as usize]["version"] = json!(name);
            }
        }
        value
    }

    /// The first address of each family with the routes of that family.
    fn to_old(&self) -> Old {
        let family = |v4: bool| {
            let address = self.ips.iter().map(|ip| ip.address);
            let first = address.into_iter().find(|a| a.ip.addr().is_ipv4() == v4)?;
            let routes = self.routes.iter().filter(|route| route.dst.addr().is_ipv4() == v4);
            Some(OldIp {
                ip: first.ip,
                gateway: first.gateway,
                routes: routes.map(|route| Route::new(route.dst, route.gw)).collect(),
            })
        };
        Old { ip4: family(true), ip6: family(false), dns: self.dns.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::ALL;

    fn full() -> CniResult {
        parse(json!({
            "interfaces": [
                {"name": "us0"},
                {"name": "eth0", "mac": "02:00:00:00:00:01", "mtu": 1400, "sandbox": "/n", "socketPath": "/s"}
            ],
            "ips": [
                {"interface": 1, "address": "10.0.0.5/24", "gateway": "10.0.0.1"},
                {"interface": 1, "address": "fd00::5/64"}
            ],
            "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.0.1", "mtu": 1300, "priority": 5, "table": 7, "scope": 0, "advmss": 9},
                {"dst": "::/0"}],
            "dns": {"nameservers": ["10.0.0.1"]}
        }))
        .unwrap()
    }

    #[test]
    fn every_version_has_its_shape() {
        for version in ALL {
            let value = full().to_json(version);
            assert_eq!(value["cniVersion"], version.as_str());
            let family = &value["ips"][1]["version"];
            match version.as_str() {
                "0.1.0" | "0.2.0" => {
                    assert_eq!(value["ip4"]["ip"], "10.0.0.5/24");
                    assert_eq!(value["ip4"]["routes"][0], json!({"dst": "0.0.0.0/0", "gw": "10.0.0.1"}));
                    assert_eq!(value["ip6"]["routes"][0], json!({"dst": "::/0"}));
                    assert!(value.get("interfaces").is_none());
                }
                "0.3.0" | "0.3.1" | "0.4.0" => assert_eq!(family, "6"),
                _ => assert!(family.is_null()),
            }
            let interface = &value["interfaces"][1];
            let has_mtu = interface.get("mtu").is_some();
            assert_eq!(has_mtu, version.as_str() == "1.1.0");
            assert_eq!(interface.get("socketPath").is_some(), has_mtu);
        }
        assert_eq!(parse(full().to_json(Version::V1_1_0)).unwrap(), full());
    }

    #[test]
    fn old_results_are_read() {
        let value = full().to_json(Version::V0_2_0);
        let back = parse(value).unwrap();
        assert_eq!(back.ips.len(), 2);
        assert_eq!(back.routes.len(), 2);
        assert_eq!(back.dns, full().dns);
    }

    #[test]
    fn what_go_leaves_unset_is_no_error() {
        let value = json!({"cniVersion": "1.0.0", "interfaces": null, "ips": [{"address": "10.0.0.5/24", "gateway": ""}],
            "routes": null, "dns": {}});
        assert_eq!(parse(value).unwrap().ips[0].address.gateway, None);
    }
}
