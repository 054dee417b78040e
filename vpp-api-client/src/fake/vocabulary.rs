//! The messages of the fake's release and plugins, with numbers that differ from run to run.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};

use super::{Release, Setup};
use crate::{
    Table,
    client::{SOCKCLNT_CREATE, SOCKCLNT_CREATE_REPLY},
    messages,
};

/// Messages that came after 22.10, by how their names begin.
const NEWER: [(&str, Release); 3] = [
    ("bridge_domain_add_del_v2_", Release::V23_02),
    ("memif_create_v2_", Release::V23_06),
    ("memif_socket_filename_add_del_v2_", Release::V23_06),
];

/// Some of the many that a VPP has and this crate has not.
const STRANGERS: [&str; 6] = [
    "api_versions_51077d14",
    "api_versions_reply_5f0d99d6",
    "bd_ip_mac_add_del_0257c869",
    "ip_neighbor_add_del_0607c257",
    "l2_xconnect_dump_51077d14",
    "show_vpe_system_time_51077d14",
];

/// The numbers below are VPP's own.
const FIRST: u16 = 24;

/// Which number each message has.
pub(crate) struct Vocabulary {
    pub(crate) table: Table,
    ids: HashMap<&'static str, u16>,
    names: HashMap<u16, &'static str>,
}

impl Vocabulary {
    pub(crate) fn new(setup: &Setup) -> Self {
        let mut known: Vec<&'static str> = Vec::new();
        for (part, names) in messages::parts() {
            let plugin = part.split(' ').next().unwrap_or_default();
            if !setup.without.iter().any(|without| without == plugin) {
                known.extend(names.iter().filter(|name| is_of(name, setup.release)));
            }
        }
        let others: Vec<String> = setup.other_layout.iter().map(|name| format!("{name}_0badcafe")).collect();
        let is_other = |full: &str| setup.other_layout.iter().any(|name| *name == bare(full));
        known.retain(|name| !is_other(name));
        let mut all: Vec<&str> = known.iter().copied().chain(STRANGERS).collect();
        all.extend(others.iter().map(String::as_str));
        shuffle(&mut all);
        let numbered: Vec<(&str, u16)> = all.iter().copied().zip(FIRST..).collect();
        let number = |name: &str| numbered.iter().find(|(other, _)| *other == name).map(|(_, id)| *id);
        let ids: HashMap<_, _> = known.iter().filter_map(|name| Some((*name, number(name)?))).collect();
        let fixed = [
            ("sockclnt_create_455fb9c4", SOCKCLNT_CREATE),
            ("sockclnt_create_reply_35166268", SOCKCLNT_CREATE_REPLY),
        ];
        let table = Table::of(fixed.into_iter().chain(numbered));
        let names = ids.iter().map(|(name, id)| (*id, *name)).collect();
        Self { table, ids, names }
    }

    pub(crate) fn name(&self, id: u16) -> Option<&'static str> {
        self.names.get(&id).copied()
    }

    pub(crate) fn id(&self, name: &str) -> Option<u16> {
        self.ids.get(name).copied()
    }
}

/// A message's name without its checksum.
pub(crate) fn bare(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((bare, sum)) if sum.len() == 8 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()) => bare,
        _ => name,
    }
}

fn is_of(name: &str, release: Release) -> bool {
    NEWER.iter().all(|(newer, since)| release >= *since || !name.starts_with(newer))
}

fn shuffle(names: &mut [&str]) {
    let random = RandomState::new();
    names.sort_by_cached_key(|name| {
        let mut hasher = random.build_hasher();
        hasher.write(name.as_bytes());
        hasher.finish()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_release_lacks_what_came_later() {
        let names = |release: &str| {
            let setup = Setup { release: release.parse().unwrap(), ..Setup::default() };
            Vocabulary::new(&setup).ids.len()
        };
        assert_eq!(names("26.06") - names("22.10"), 6);
        assert_eq!(names("26.06"), messages::names().count());
    }

    #[test]
    fn a_plugin_can_be_left_out_and_a_layout_changed() {
        let setup = Setup {
            without: vec!["memif".to_owned()],
            other_layout: vec!["show_version".to_owned()],
            ..Setup::default()
        };
        let vocabulary = Vocabulary::new(&setup);
        assert_eq!(vocabulary.id("memif_delete_f9e6675e"), None);
        assert_eq!(vocabulary.id("show_version_51077d14"), None);
        assert!(vocabulary.id("delete_vhost_user_if_f9e6675e").is_some());
    }

    #[test]
    fn only_a_checksum_is_cut_off() {
        assert_eq!(bare("show_version_51077d14"), "show_version");
        assert_eq!(bare("show_version"), "show_version");
    }
}
