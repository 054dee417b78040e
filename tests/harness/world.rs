//! Everything outside that the plugin could leave something in, as lines that can be compared: links, addresses and routes of the
//! host and its containers, records, leases and published halves.
//!
//! Left out is what comes and goes by itself (link-local addresses, carrier), and what is meant to stay: the plugin's lock and its
//! installation's id, host-local's lock and its memory of the last address.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{host::Host, netns::Netns};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World(BTreeSet<String>);

/// Fails the test when the two differ, and tells what was added and what has gone.
pub fn assert_same(before: &World, after: &World, when: &str) {
    let added: Vec<_> = after.0.difference(&before.0).collect();
    let gone: Vec<_> = before.0.difference(&after.0).collect();
    assert!(added.is_empty() && gone.is_empty(), "{when}: added {added:#?}, gone {gone:#?}");
}

impl World {
    /// The world without the lines that hold none of `words`.
    pub fn only(&self, words: &[&str]) -> Self {
        let lines = self.0.iter().filter(|line| words.iter().any(|word| line.contains(word)));
        Self(lines.cloned().collect())
    }

    /// The lines that hold `word`.
    pub fn lines(&self, word: &str) -> Vec<&str> {
        let lines = self.0.iter().map(String::as_str);
        lines.filter(|line| line.contains(word)).collect()
    }
}

impl Host {
    /// The world as it is now.
    pub fn world(&self) -> World {
        let mut lines = BTreeSet::new();
        network(&mut lines, "host", self.netns());
        for (number, netns) in self.containers().iter().enumerate() {
            network(&mut lines, &format!("container {number}"), netns);
        }
        files(&mut lines, &self.records());
        files(&mut lines, &self.lease_dir());
        files(&mut lines, &self.stand_in().lease_dir());
        files(&mut lines, &self.path("shared"));
        World(lines)
    }
}

fn network(lines: &mut BTreeSet<String>, place: &str, netns: &Netns) {
    for link in netns.ip_json("link show") {
        let parts =
            ["ifname", "ifalias", "address", "mtu", "master"].map(|key| format!("{key} {}", link[key]));
        let kind = &link["linkinfo"]["info_kind"];
        let up = has_flag(&link, "UP");
        lines.insert(format!("{place}: link {}, kind {kind}, up {up}", parts.join(", ")));
    }
    for link in netns.ip_json("address show") {
        for info in link["addr_info"].as_array().into_iter().flatten() {
            let line =
                format!("{place}: address {}/{} on {}", info["local"], info["prefixlen"], link["ifname"]);
            lines.insert(line);
        }
    }
    for family in ["-4", "-6"] {
        for route in netns.ip_json(&format!("{family} route show table all")) {
            let keys = ["type", "dst", "dev", "gateway", "table", "metric", "scope", "prefsrc"];
            let parts = keys.map(|key| format!("{key} {}", route[key]));
            lines.insert(format!("{place}: route {}", parts.join(", ")));
        }
    }
    let by_itself = ["fe80", "ff00::/8"];
    lines.retain(|line| !by_itself.iter().any(|word| line.contains(word)));
}

fn has_flag(link: &Value, flag: &str) -> bool {
    let flags = link["flags"].as_array();
    flags.is_some_and(|flags| flags.iter().any(|found| found == flag))
}

fn files(lines: &mut BTreeSet<String>, dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            files(lines, &path);
        } else if name != "lock" && !name.starts_with("last_reserved_ip.") {
            lines.insert(format!("file {}", path.display()));
        }
    }
}
