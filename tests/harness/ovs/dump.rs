//! The rows that someone configured, as lines. What vswitchd writes (ofport, statistics, status) is left out, and what refers to
//! another row says its name: a uuid would differ from one run to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Ovs;

/// In an order in which a row comes after those that it refers to.
const TABLES: [(&str, &str); 5] = [
    ("Queue", "dscp,external_ids,other_config"),
    ("QoS", "type,queues,external_ids,other_config"),
    (
        "Interface",
        "name,type,options,mtu_request,mac,ingress_policing_rate,ingress_policing_burst,external_ids,other_config",
    ),
    ("Port", "name,tag,trunks,vlan_mode,interfaces,qos,external_ids,other_config"),
    ("Bridge", "name,datapath_type,fail_mode,ports,external_ids,other_config"),
];

pub(super) fn rows(ovs: &Ovs) -> BTreeSet<String> {
    let mut names = BTreeMap::new();
    let mut lines = BTreeSet::new();
    // One call for all tables, which answers with a line for each.
    let lists = TABLES.map(|(table, columns)| format!("-- --columns=_uuid,{columns} list {table}"));
    let text = ovs.vsctl(&format!("--format=json {}", lists.join(" ")));
    let answers = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    for ((table, columns), found) in TABLES.into_iter().zip(answers) {
        let found = found.unwrap_or_else(|error| panic!("{error}: {text}"));
        for row in found["data"].as_array().into_iter().flatten() {
            let line = unique(&lines, format!("{table} {}", line(columns, row, &names)));
            let name = row[1].as_str().filter(|_| columns.starts_with("name")).unwrap_or(&line);
            names.insert(row[0][1].as_str().unwrap_or_default().to_owned(), name.to_owned());
            lines.insert(line);
        }
    }
    lines
}

fn line(columns: &str, row: &Value, names: &BTreeMap<String, String>) -> String {
    let values = row.as_array().into_iter().flatten().skip(1);
    let parts = columns.split(',').zip(values);
    parts.map(|(column, value)| format!("{column}={}", shown(value, names))).collect::<Vec<_>>().join(" ")
}

/// Two rows that are alike are two lines: one too many must show.
fn unique(lines: &BTreeSet<String>, line: String) -> String {
    let mut numbered = line.clone();
    for number in 2.. {
        if !lines.contains(&numbered) {
            break;
        }
        numbered = format!("{line} #{number}");
    }
    numbered
}

/// A value of OVSDB's notation (RFC 7047, 5.1), sorted by what is shown: the server sorts by uuid.
fn shown(value: &Value, names: &BTreeMap<String, String>) -> String {
    let joined = |shown: fn(&Value, &BTreeMap<String, String>) -> String| {
        let members: BTreeSet<_> =
            value[1].as_array().into_iter().flatten().map(|member| shown(member, names)).collect();
        members.into_iter().collect::<Vec<_>>().join(",")
    };
    match value[0].as_str() {
        Some("uuid") => {
            let uuid = value[1].as_str().unwrap_or_default();
            format!("<{}>", names.get(uuid).map_or("a row of another table", String::as_str))
        }
        Some("set") => format!("[{}]", joined(shown)),
        Some("map") => format!("{{{}}}", joined(pair)),
        _ => value.to_string(),
    }
}

fn pair(value: &Value, names: &BTreeMap<String, String>) -> String {
    format!("{}={}", shown(&value[0], names), shown(&value[1], names))
}
