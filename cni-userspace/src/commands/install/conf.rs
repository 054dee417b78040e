//! A configuration is looked through before it is brought to a host: a runtime that finds a broken one there has no network at all.

use std::{ffi::OsStr, fs, path::Path};

use serde_json::Value;
use userspace_core::{
    engine::{EngineError, ErrorKind, chain},
    id::NetworkName,
};

use super::NAME;
use crate::{
    netconf,
    version::{ALL, Version},
};

/// The configuration in `file`, as it is, when a runtime will take it under `name` and find this plugin in it.
pub(super) fn read(file: &Path, name: &OsStr) -> Result<Vec<u8>, EngineError> {
    let doing = format!("read the configuration {file:?}");
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) => return Err(EngineError::new(ErrorKind::Io, doing).because(error)),
    };
    let checked = parse(&text).and_then(|conf| check(&conf, &name.to_string_lossy()));
    match checked {
        Ok(()) => Ok(text),
        Err(reason) => Err(EngineError::new(ErrorKind::Unsupported, format!("{doing}: {reason}"))),
    }
}

fn parse(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

/// The words are the keys', with their places: `plugins[1].host.mtu`.
fn check(conf: &Value, file_name: &str) -> Result<(), String> {
    if !conf.is_object() {
        return Err("is not an object".to_owned());
    }
    let version = conf["cniVersion"].as_str();
    if Version::parse(version).is_none() || !(version.is_some() || conf["cniVersion"].is_null()) {
        let known = ALL.map(Version::as_str).join(", ");
        return Err(format!("\"cniVersion\": is {}, not one of {known}", conf["cniVersion"]));
    }
    let name = conf["name"].as_str().ok_or_else(|| format!("\"name\": is {}, not a name", conf["name"]))?;
    name.parse::<NetworkName>().map_err(|error| format!("\"name\": {error}"))?;
    let is_list = conf.get("plugins").is_some();
    is_read_as(is_list, file_name)?;
    if is_list { check_list(&conf["plugins"]) } else { check_plugin(conf) }
}

/// Runtimes tell the two forms apart by the end of the file's name.
fn is_read_as(is_list: bool, file_name: &str) -> Result<(), String> {
    let ends: &[&str] = if is_list { &[".conflist"] } else { &[".conf", ".json"] };
    if file_name.starts_with('.') || !ends.iter().any(|end| file_name.ends_with(end)) {
        let key = if is_list { "plugins" } else { "type" };
        let ends = ends.join(" or ");
        return Err(format!("has {key:?}, so the file is to be called *{ends}, not {file_name:?}"));
    }
    Ok(())
}

fn check_list(plugins: &Value) -> Result<(), String> {
    let Some(plugins) = plugins.as_array() else {
        return Err(format!("\"plugins\": is {plugins}, not a list"));
    };
    let mut is_there = false;
    for (place, plugin) in plugins.iter().enumerate() {
        let Some(kind) = plugin["type"].as_str() else {
            return Err(format!("\"plugins[{place}].type\": is {}, not a plugin's name", plugin["type"]));
        };
        if kind == NAME {
            is_there = true;
            let reason = |why| format!("of plugins[{place}]: {why}");
            check_plugin(plugin).map_err(reason)?;
        }
    }
    if is_there { Ok(()) } else { Err(format!("\"plugins\": none of them has the \"type\" {NAME:?}")) }
}

fn check_plugin(plugin: &Value) -> Result<(), String> {
    if plugin["type"] != NAME {
        return Err(format!("\"type\": is {}, not {NAME:?}", plugin["type"]));
    }
    let conf = netconf::parse(plugin.clone()).map_err(|error| chain(&error))?;
    if conf.host.is_none() {
        return Err("\"host\": is missing".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plugin() -> Value {
        json!({"cniVersion": "1.0.0", "name": "blue", "type": "userspace", "host": {"engine": "linux", "iftype": "veth"}})
    }

    fn list() -> Value {
        json!({"cniVersion": "1.0.0", "name": "blue", "plugins": [{"type": "tuning"}, plugin()]})
    }

    #[test]
    fn what_a_runtime_takes_is_taken() {
        for (conf, name) in
            [(plugin(), "10-blue.conf"), (plugin(), "blue.json"), (list(), "10-blue.conflist")]
        {
            assert_eq!(check(&conf, name), Ok(()));
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        let with = |mut conf: Value, pointer: &str, value: Value| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            conf.pointer_mut(parent).unwrap()[key] = value;
            conf
        };
        let no_type = json!({"name": "blue", "plugins": [{}]});
        for (conf, name, words) in [
            (json!([]), "a.conf", "is not an object"),
            (
                with(plugin(), "/cniVersion", json!("9.0.0")),
                "a.conf",
                "\"cniVersion\": is \"9.0.0\", not one of 0.1.0",
            ),
            (with(plugin(), "/cniVersion", json!(1)), "a.conf", "\"cniVersion\": is 1,"),
            (with(plugin(), "/name", Value::Null), "a.conf", "\"name\": is null"),
            (with(plugin(), "/name", json!("a b")), "a.conf", "\"name\": "),
            (
                with(plugin(), "/type", json!("bridge")),
                "a.conf",
                "\"type\": is \"bridge\", not \"userspace\"",
            ),
            (with(plugin(), "/host", Value::Null), "a.conf", "\"host\": is missing"),
            (with(plugin(), "/host/mtu", json!("big")), "a.conf", "\"host.mtu\": invalid type"),
            (with(list(), "/plugins", json!({})), "a.conflist", "\"plugins\": is {}, not a list"),
            (with(list(), "/plugins", json!([])), "a.conflist", "\"plugins\": none of them"),
            (no_type, "a.conflist", "\"plugins[0].type\": is null"),
            (with(plugin(), "/host/mtu", json!(-1)), "a.conf", "\"host.mtu\""),
            (list(), "a.conf", "*.conflist, not \"a.conf\""),
            (plugin(), "a.conflist", "*.conf or .json, not \"a.conflist\""),
            (plugin(), "..conf", "not \"..conf\""),
        ] {
            let reason = check(&conf, name).unwrap_err();
            assert!(reason.contains(words), "{words:?} is not in {reason:?}");
        }
        let nested = json!({"name": "blue", "plugins": [{"type": "userspace", "host": {"typo": 1}}]});
        let reason = check(&nested, "a.conflist").unwrap_err();
        assert!(reason.contains("of plugins[0]: \"host\": unknown key \"typo\""), "{reason}");
    }
}
