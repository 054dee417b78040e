//! The network configuration as it is typed.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use userspace_core::{
    conf::{HalfConf, SocketsConf},
    ipam::Dns,
    json::{self, InvalidValue, Strict},
};

/// A network configuration. `cniVersion`, `name` and `type` are the CNI's; so are `ipam`, `dns`, `args`, `runtimeConfig`,
/// `prevResult` and the keys that begin with `cni.dev/`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct NetConf {
    /// The version of the CNI specification. Default: 0.1.0.
    pub cni_version: Option<String>,
    /// The network's name: letters, digits, '_', '.' and '-'. Required.
    pub name: Option<String>,
    /// The plugin's name: userspace.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The host's half. Required.
    pub host: Option<Strict<HalfConf>>,
    /// The container's half. Default: the complement of the host's.
    pub container: Option<Strict<HalfConf>>,
    /// The directory on the host below which each container has one with its sockets and its half, for memif and vhostuser.
    /// Default: that of the Go plugins, /var/run/vpp for vpp and /usr/local/var/run/openvswitch for ovs-dpdk.
    pub shared_dir: Option<PathBuf>,
    /// Where the vswitch finds the sockets in those directories, and who may use them.
    pub sockets: Option<Strict<SocketsConf>>,
    /// A file with credentials for the Kubernetes API: the pod's annotations get a copy of each published half, and its volume `shared-dir`
    /// is the shared directory. Without effect in a build without the feature `kube`. Default: the API is not asked.
    pub kubeconfig: Option<PathBuf>,
    /// Where the kubelet keeps the volumes of pods (its `--root-dir`). Default: /var/lib/kubelet.
    pub kubelet_dir: Option<PathBuf>,
    /// A file that gets the log beside standard error. Default: none.
    pub log_file: Option<PathBuf>,
    /// How much is logged: panic, error, warning, info, debug or verbose. Default: warning.
    pub log_level: Option<String>,
    /// Where the plugin keeps its records. Default: /var/lib/cni/userspace.
    pub state_dir: Option<PathBuf>,
    /// How many seconds a call may take, IPAM and undo included: 1 to 3600. Default: 30.
    pub timeout_seconds: Option<u16>,
    /// The IPAM plugin: `type` names it, the rest is its own. Default: no IPAM.
    pub ipam: Option<Value>,
    /// Name servers for the result, when IPAM gives none.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Value>"))]
    pub dns: Option<Dns>,
    /// What the runtime adds for one container, for the capabilities that are declared.
    pub runtime_config: Option<RuntimeConfig>,
    /// What a meta-plugin adds for one container.
    pub args: Option<Args>,
    /// The result of the plugin before this one in a chain; of ADD for CHECK and DEL.
    pub prev_result: Option<Value>,
    /// The attachments that GC keeps.
    #[serde(rename = "cni.dev/valid-attachments")]
    pub valid_attachments: Option<Vec<ValidAttachment>>,
    /// The same under its older name.
    #[serde(rename = "cni.dev/attachments")]
    pub attachments: Option<Vec<ValidAttachment>>,
}

/// `runtimeConfig`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RuntimeConfig {
    /// The MAC address of the container's interface (capability `mac`).
    pub mac: Option<String>,
    /// Addresses, with or without a prefix length (capability `ips`). Used when there is no IPAM; IPAM reads them itself.
    pub ips: Option<Vec<String>>,
    /// Rate limits (capability `bandwidth`).
    pub bandwidth: Option<BandwidthConf>,
    /// A device to use (capability `deviceID`). Accepted; no engine has a use for it.
    #[serde(rename = "deviceID")]
    pub device_id: Option<String>,
    /// Where to write the device information (capability `CNIDeviceInfoFile`).
    #[serde(rename = "CNIDeviceInfoFile")]
    pub device_info_file: Option<PathBuf>,
}

/// `runtimeConfig.bandwidth`: rates in bits a second and bursts in bits, as the container sees the direction. 0: no limit.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BandwidthConf {
    /// What the container may receive.
    pub ingress_rate: Option<u64>,
    /// How far that may be exceeded at once.
    pub ingress_burst: Option<u64>,
    /// What the container may send.
    pub egress_rate: Option<u64>,
    /// How far that may be exceeded at once.
    pub egress_burst: Option<u64>,
}

/// `args`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Args {
    /// `mac`, `ips` and `OvnPort` are read.
    pub cni: Option<Value>,
}

/// An attachment that GC keeps.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ValidAttachment {
    /// The container's id.
    #[serde(rename = "containerID")]
    pub container_id: String,
    /// The interface's name in the container.
    pub ifname: String,
}

impl NetConf {
    /// The host's half, empty when there is none.
    pub fn host(&self) -> HalfConf {
        self.host.clone().unwrap_or_default().0
    }

    /// The container's half, empty when there is none.
    pub fn container(&self) -> HalfConf {
        self.container.clone().unwrap_or_default().0
    }

    /// Where the vswitch finds the sockets.
    pub fn sockets(&self) -> SocketsConf {
        self.sockets.clone().unwrap_or_default().0
    }

    /// Where the records are.
    pub fn state_dir(&self) -> PathBuf {
        let default = || PathBuf::from("/var/lib/cni/userspace");
        self.state_dir.clone().unwrap_or_else(default)
    }

    /// The credentials for the Kubernetes API. Go takes an empty text for none.
    pub fn kubeconfig(&self) -> Option<&Path> {
        self.kubeconfig.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// Where the kubelet keeps the volumes of pods.
    pub fn kubelet_dir(&self) -> PathBuf {
        let default = || PathBuf::from("/var/lib/kubelet");
        self.kubelet_dir.clone().unwrap_or_else(default)
    }

    /// What a call may take.
    pub fn timeout(&self) -> Duration {
        let seconds = self.timeout_seconds.unwrap_or(30).clamp(1, 3600);
        Duration::from_secs(seconds.into())
    }

    /// The name of the IPAM plugin.
    pub fn ipam_type(&self) -> Option<&str> {
        let kind = self.ipam.as_ref()?.get("type")?.as_str()?;
        (!kind.is_empty()).then_some(kind)
    }
}

/// Reads a configuration.
///
/// # Errors
/// Names the key that does not fit.
pub fn parse(value: Value) -> Result<NetConf, InvalidValue> {
    json::from_value(value)
}

/// Reads what can be read of a configuration, and tells what is wrong with the rest: what ADD would refuse must still detach.
pub(crate) fn parse_leniently(value: Value) -> (NetConf, Option<String>) {
    let Value::Object(map) = value else {
        return (NetConf::default(), None);
    };
    let wrong = match parse(Value::Object(map.clone())) {
        Ok(conf) => return (conf, None),
        Err(error) => userspace_core::engine::chain(&error),
    };
    let fits = |key: &String, value: &Value| {
        let one = [(key.clone(), value.clone())].into_iter().collect();
        parse(Value::Object(one)).is_ok()
    };
    let mut rest = serde_json::Map::new();
    for (key, value) in map {
        if fits(&key, &value) {
            rest.insert(key, value);
        } else if let Value::Object(half) = value {
            // One key of a half does not fit: its others do.
            let parts = half.into_iter().filter(|(inner, value)| {
                let part = [(inner.clone(), value.clone())].into_iter().collect();
                fits(&key, &Value::Object(part))
            });
            let parts = parts.collect();
            rest.insert(key.clone(), Value::Object(parts));
        }
    }
    (parse(Value::Object(rest)).unwrap_or_default(), Some(wrong))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use userspace_core::engine::chain;

    use super::*;

    #[test]
    fn keys_have_the_go_plugins_names() {
        let conf = parse(json!({"cniVersion": "1.0.0", "name": "n", "type": "userspace", "sharedDir": "/s/", "logFile": "/l",
            "logLevel": "debug", "kubeconfig": "/k", "capabilities": {"mac": true}, "someKey": 1,
            "runtimeConfig": {"deviceID": "d", "CNIDeviceInfoFile": "/f"},
            "cni.dev/valid-attachments": [{"containerID": "c", "ifname": "i"}], "cni.dev/attachments": null}))
        .unwrap();
        assert_eq!(conf.kind.as_deref(), Some("userspace"));
        assert_eq!(conf.shared_dir, Some("/s/".into()));
        assert_eq!(conf.valid_attachments.unwrap()[0].container_id, "c");
        assert!(conf.attachments.is_none());
        assert_eq!(conf.runtime_config.unwrap().device_info_file, Some("/f".into()));
    }

    #[test]
    fn a_bad_value_names_its_key() {
        for (value, expected) in [
            (json!({"host": {"mtu": -1}}), "\"host.mtu\": invalid value: integer `-1`, expected u32"),
            (json!({"timeoutSeconds": "x"}), "\"timeoutSeconds\": invalid type: string \"x\", expected u16"),
            (
                json!({"host": {"engine": "foo"}}),
                "\"host.engine\": unknown variant `foo`, expected one of `vpp`, `ovs`, `ovs-dpdk`, `linux`, `dpdk`",
            ),
            (
                json!({"host": {"memif": {"roles": "x"}}}),
                "\"host.memif\": unknown key \"roles\", did you mean \"role\"?",
            ),
            (json!({"host": {"memif": {"secret": 12345}}}), "\"host.memif.secret\": is not a string"),
        ] {
            assert_eq!(chain(&parse(value).unwrap_err()), expected);
        }
    }

    #[test]
    fn what_fits_is_kept_when_the_rest_does_not() {
        let (conf, wrong) = parse_leniently(json!({"name": "n", "stateDir": "/s", "timeoutSeconds": "soon",
            "host": {"engine": "linux", "iftype": "veth", "mtu": "big", "typo": 1, "bridge": {"bridgeName": "b"}}}));
        assert_eq!(conf.name.as_deref(), Some("n"));
        assert_eq!(conf.state_dir(), PathBuf::from("/s"));
        let host = conf.host();
        assert!(host.engine.is_some() && host.iftype.is_some() && host.mtu.is_none());
        assert_eq!(host.bridge.unwrap().bridge_name.as_deref(), Some("b"));
        assert!(wrong.is_some());
        assert!(parse_leniently(json!([])).0.name.is_none());
    }
}
