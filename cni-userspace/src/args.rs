//! What is asked for one container beyond the network's configuration: `runtimeConfig`, then `args.cni`, then `CNI_ARGS`.

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;
use userspace_core::{
    addr::{Address, MacAddr},
    ipam::Allocation,
    plan::Overrides,
    spec::{Bandwidth, Rate},
};

use crate::{
    Outcome,
    error::{CniError, code},
    netconf::NetConf,
};

/// The keys of `CNI_ARGS` that runtimes and meta-plugins send.
const KNOWN: [&str; 8] = [
    "IgnoreUnknown",
    "K8S_POD_NAMESPACE",
    "K8S_POD_NAME",
    "K8S_POD_INFRA_CONTAINER_ID",
    "K8S_POD_UID",
    "MAC",
    "IP",
    "OvnPort",
];

/// `CNI_ARGS`, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CniArgs {
    mac: Option<String>,
    ips: Vec<String>,
    ovn_port: Option<String>,
    pod_uid: Option<String>,
    pod_namespace: Option<String>,
    pod_name: Option<String>,
}

impl CniArgs {
    /// The Kubernetes pod that they name, when they do.
    ///
    /// # Errors
    /// When a name or the UID has characters that none can have: they become parts of paths.
    #[cfg(feature = "kube")]
    pub(crate) fn pod(&self) -> Outcome<Option<crate::kube::PodName>> {
        let (Some(namespace), Some(name)) = (&self.pod_namespace, &self.pod_name) else {
            return Ok(None);
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let uid = self.pod_uid.as_ref();
        let given = [("NAMESPACE", Some(namespace)), ("NAME", Some(name)), ("UID", uid)];
        for (key, text) in given.into_iter().filter_map(|(key, text)| Some((key, text?))) {
            if text.starts_with('.') || !text.bytes().all(plain) {
                let reason = "letters, digits, '.', '-' and '_' only, and no '.' at its begin";
                let msg = format!("CNI_ARGS: K8S_POD_{key} {text:?}: has {reason}");
                return Err(CniError::new(code::ENVIRONMENT, msg));
            }
        }
        Ok(Some(crate::kube::PodName { namespace: namespace.clone(), name: name.clone(), uid: uid.cloned() }))
    }

    /// `KEY=VALUE;…`. A key may come more than once; the last wins.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let invalid = |reason: String| CniError::new(code::ENVIRONMENT, format!("CNI_ARGS: {reason}"));
        let mut args = Self::default();
        let mut unknown = Vec::new();
        let mut ignore = false;
        for pair in text.split(';').filter(|pair| !pair.is_empty()) {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| invalid(format!("{pair:?} is not KEY=VALUE")))?;
            match key {
                "IgnoreUnknown" => ignore = matches!(value, "1" | "true" | "True" | "TRUE"),
                "MAC" => args.mac = some(value),
                "IP" => args.ips = list(value),
                "OvnPort" => args.ovn_port = some(value),
                "K8S_POD_UID" => args.pod_uid = some(value),
                "K8S_POD_NAMESPACE" => args.pod_namespace = some(value),
                "K8S_POD_NAME" => args.pod_name = some(value),
                key if KNOWN.contains(&key) => {}
                key => unknown.push(key),
            }
        }
        match unknown.first() {
            Some(key) if !ignore => {
                Err(invalid(format!("unknown key {key:?} (IgnoreUnknown=1 would pass it over)")))
            }
            _ => Ok(args),
        }
    }
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn list(value: &str) -> Vec<String> {
    let parts = value.split(',').map(str::trim);
    parts.filter_map(some).collect()
}

/// What `args.cni` may hold for us. Entries of another type are passed over, as the Go plugins do.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ArgsCni {
    mac: Value,
    ips: Value,
    #[serde(rename = "OvnPort")]
    ovn_port: Value,
}

/// What is asked for this container: the overrides of the plan, and addresses for a network without IPAM.
pub(crate) fn overrides(conf: &NetConf, args: &CniArgs) -> Outcome<(Overrides, Allocation)> {
    let cni = conf.args.as_ref().and_then(|args| args.cni.clone());
    let cni: ArgsCni = match cni {
        Some(value) => userspace_core::json::from_value(value)?,
        None => ArgsCni::default(),
    };
    let runtime = conf.runtime_config.clone().unwrap_or_default();
    let mac = [
        ("runtimeConfig.mac", runtime.mac),
        ("args.cni.mac", cni.mac.as_str().and_then(some)),
        ("CNI_ARGS MAC", args.mac.clone()),
    ];
    let ips = [
        ("runtimeConfig.ips", runtime.ips.unwrap_or_default()),
        ("args.cni.ips", strings(&cni.ips)),
        ("CNI_ARGS IP", args.ips.clone()),
    ];
    let overrides = Overrides {
        mac: first_mac(mac)?,
        bandwidth: runtime.bandwidth.and_then(|limits| {
            let ingress = rate(limits.ingress_rate, limits.ingress_burst);
            let egress = rate(limits.egress_rate, limits.egress_burst);
            (ingress.is_some() || egress.is_some()).then_some(Bandwidth { ingress, egress })
        }),
        ovn_port: cni.ovn_port.as_str().and_then(some).or_else(|| args.ovn_port.clone()),
        pod_uid: args.pod_uid.clone(),
    };
    Ok((overrides, addresses(ips)?))
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => list(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).flat_map(list).collect(),
        _ => Vec::new(),
    }
}

fn first_mac(sources: [(&str, Option<String>); 3]) -> Outcome<Option<MacAddr>> {
    let Some((key, text)) = sources.into_iter().find_map(|(key, mac)| Some((key, mac?))) else {
        return Ok(None);
    };
    let mac = text.parse().map(Some);
    mac.map_err(|error| CniError::new(code::CONFIG, format!("{key}: {error}")))
}

fn addresses(sources: [(&str, Vec<String>); 3]) -> Outcome<Allocation> {
    let mut allocation = Allocation::default();
    let Some((key, texts)) = sources.into_iter().find(|(_, ips)| !ips.is_empty()) else {
        return Ok(allocation);
    };
    for text in texts {
        let parsed = text.parse::<IpNet>().ok();
        let ip = parsed.or_else(|| text.parse().ok().map(|ip: std::net::IpAddr| IpNet::from(ip)));
        let ip = ip.ok_or_else(|| {
            let msg = format!("{key} {text:?}: is not an IP address, nor one with a prefix length");
            CniError::new(code::CONFIG, msg)
        })?;
        allocation.ips.push(Address { ip, gateway: None });
    }
    Ok(allocation)
}

fn rate(bits_per_second: Option<u64>, burst_bits: Option<u64>) -> Option<Rate> {
    let bits_per_second = bits_per_second.filter(|rate| *rate > 0)?;
    Some(Rate { bits_per_second, burst_bits: burst_bits.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::netconf;

    fn conf(value: Value) -> NetConf {
        netconf::parse(value).unwrap()
    }

    #[test]
    fn cni_args_are_read() {
        let text = "IgnoreUnknown=true;IgnoreUnknown=1;K8S_POD_NAME=p;FOO=x;MAC=02:00:00:00:00:01;IP=10.94.0.77/24,fd00::1";
        let args = CniArgs::parse(text).unwrap();
        assert_eq!(args.mac.as_deref(), Some("02:00:00:00:00:01"));
        assert_eq!(args.ips, ["10.94.0.77/24", "fd00::1"]);
        assert_eq!(CniArgs::parse("").unwrap(), CniArgs::default());
    }

    #[test]
    fn bad_cni_args_are_told() {
        for (text, expected) in [
            ("FOO=x", "CNI_ARGS: unknown key \"FOO\" (IgnoreUnknown=1 would pass it over)"),
            ("IgnoreUnknown=1;FOO", "CNI_ARGS: \"FOO\" is not KEY=VALUE"),
        ] {
            let error = CniArgs::parse(text).unwrap_err();
            assert_eq!((error.code, error.msg.as_str()), (code::ENVIRONMENT, expected));
        }
    }

    #[test]
    fn the_most_particular_source_wins() {
        let args = CniArgs::parse("MAC=02:00:00:00:00:03;IP=10.0.0.3/24").unwrap();
        let mut value = json!({"args": {"cni": {"MAC": "02:00:00:00:00:02", "ips": ["10.0.0.2/24"], "labels": [1]}},
            "runtimeConfig": {"mac": "02:00:00:00:00:01", "ips": ["10.0.0.1"]}});
        for (last_byte, prefix) in [(1, 32), (2, 24), (3, 24)] {
            let (found, given) = overrides(&conf(value.clone()), &args).unwrap();
            assert_eq!(found.mac.unwrap().bytes()[5], last_byte);
            assert_eq!(given.ips[0].ip.to_string(), format!("10.0.0.{last_byte}/{prefix}"));
            let gone = if last_byte == 1 { "runtimeConfig" } else { "args" };
            value[gone] = Value::Null;
        }
    }

    #[test]
    fn bandwidth_is_read_in_both_cases() {
        let value = json!({"runtimeConfig": {"bandwidth": {"IngressRate": 1000, "egressRate": 0, "ingressBurst": 5}}});
        let (found, _) = overrides(&conf(value), &CniArgs::default()).unwrap();
        let bandwidth = found.bandwidth.unwrap();
        assert_eq!(bandwidth.egress, None);
        assert_eq!(bandwidth.ingress.unwrap().bits_per_second, 1000);
    }

    #[test]
    fn a_bad_address_names_its_source() {
        let value = json!({"runtimeConfig": {"ips": ["10.0.0.300"]}});
        let error = overrides(&conf(value), &CniArgs::default()).unwrap_err();
        assert!(error.msg.starts_with("runtimeConfig.ips \"10.0.0.300\""), "{}", error.msg);
    }
}
