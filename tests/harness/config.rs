//! Network configurations: one that works, and changes to it.

use serde_json::{Value, json};

use crate::host::Host;

impl Host {
    /// Version 1.0.0, a veth on the bridge `blue0`, addresses of both families by the real host-local; then `patch` over it
    /// (RFC 7396: null removes a key).
    pub fn net(&self, patch: Value) -> Value {
        let base = json!({
            "cniVersion": "1.0.0",
            "name": "blue",
            "type": "userspace",
            "stateDir": self.state_dir(),
            "host": {
                "engine": "linux",
                "iftype": "veth",
                "netType": "bridge",
                "bridge": {"bridgeName": "blue0"},
            },
            "ipam": {
                "type": "host-local",
                "dataDir": self.lease_dir(),
                "ranges": [[{"subnet": "10.20.0.0/24"}], [{"subnet": "fd20::/64"}]],
            },
        });
        merged(base, patch)
    }

    /// The same of version 1.1.0, with the stand-in as its IPAM.
    pub fn net_latest(&self, patch: Value) -> Value {
        let mut base = self.net(json!({"cniVersion": "1.1.0"}));
        base["ipam"] = json!({"type": "stand-in"});
        merged(base, patch)
    }
}

/// `patch` over `base`, by RFC 7396.
pub fn merged(mut base: Value, patch: Value) -> Value {
    let Value::Object(changes) = patch else {
        return patch;
    };
    if !base.is_object() {
        base = json!({});
    }
    for (key, change) in changes {
        if change.is_null() {
            base.as_object_mut().map(|object| object.remove(&key));
        } else {
            base[&key] = merged(base[&key].take(), change);
        }
    }
    base
}

/// `base` with `key` set to `value`, as it is: null too.
pub fn with(mut base: Value, key: &str, value: Value) -> Value {
    base[key] = value;
    base
}
