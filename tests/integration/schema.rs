//! docs/netconf.schema.json is what the types say, docs/netconf.md has every key, and every example is a configuration.
//!
//! `UPDATE=1 cargo test -p userspace-tests schema` writes the schema.

use std::{collections::BTreeSet, env, fs};

use cni_userspace::netconf::{self, NetConf};
use jsonschema::Validator;
use serde_json::Value;
use userspace_tests::root;

use crate::samples::samples;

fn generated() -> Value {
    schemars::schema_for!(NetConf).to_value()
}

fn validator() -> Validator {
    jsonschema::validator_for(&generated()).expect("a schema")
}

fn document(name: &str) -> String {
    let path = root().join("docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

#[test]
fn the_schema_is_current() {
    let text = serde_json::to_string_pretty(&generated()).expect("JSON") + "\n";
    if env::var_os("UPDATE").is_some() {
        fs::write(root().join("docs/netconf.schema.json"), &text).expect("write the schema");
    }
    assert!(document("netconf.schema.json") == text, "run UPDATE=1 cargo test -p userspace-tests schema");
}

/// The names below every `properties` of the schema.
fn properties(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            let named = map.get("properties").and_then(Value::as_object);
            into.extend(named.into_iter().flat_map(|named| named.keys().cloned()));
            map.values().for_each(|value| properties(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| properties(value, into)),
        _ => {}
    }
}

#[test]
fn every_key_is_explained() {
    let text = document("netconf.md");
    let mut keys = BTreeSet::new();
    properties(&generated(), &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    // The last part is enough for what is explained with its object: `args.cni`, `"containerID"`.
    let explained = |key: &String| {
        [format!("`{key}`"), format!("\"{key}\""), format!(".{key}`")].iter().any(|form| text.contains(form))
    };
    let missing: Vec<_> = keys.iter().filter(|key| !explained(key)).collect();
    assert!(missing.is_empty(), "docs/netconf.md lacks {missing:?}");
}

/// The JSON blocks of a document that configure this plugin.
fn examples(text: &str) -> Vec<Value> {
    let blocks = text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let all =
        blocks.map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}")));
    all.filter(|value: &Value| value["type"] == "userspace").collect()
}

#[test]
fn every_example_is_a_configuration() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let documented: Vec<_> =
        [readme, document("netconf.md")].iter().flat_map(|text| examples(text)).collect();
    assert!(documented.len() >= 3, "{documented:#?}");
    let validator = validator();
    for config in documented.into_iter().chain(samples()) {
        let errors: Vec<_> = validator.iter_errors(&config).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}: {config:#}");
        netconf::parse(config.clone()).unwrap_or_else(|error| panic!("{error}: {config:#}"));
    }
}

#[test]
fn the_schema_refuses_what_the_plugin_refuses() {
    let validator = validator();
    for bad in [
        serde_json::json!({"host": {"engine": "foo"}}),
        serde_json::json!({"host": {"mtu": "big"}}),
        serde_json::json!({"host": "x"}),
        serde_json::json!({"timeoutSeconds": "soon"}),
    ] {
        assert!(!validator.is_valid(&bad), "the schema accepts {bad}");
        assert!(netconf::parse(bad.clone()).is_err(), "the plugin accepts {bad}");
    }
}
