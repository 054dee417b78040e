//! Many calls at once on one VPP.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use userspace_tests::{Container, Flavour};

use super::support::OnVpp;
use crate::parallel::at_once;

const MANY: usize = 20;

fn containers(it: &OnVpp) -> Vec<Container> {
    (0..MANY).map(|number| it.host.container(&format!("c{number}"))).collect()
}

fn many(it: &OnVpp, config: &Value) {
    let all = containers(it);
    let before = it.everything();
    at_once(&all, |one| it.host.add(one, config));
    let sockets: BTreeSet<_> = it.lines("memif socket").into_iter().collect();
    assert_eq!(sockets.len(), MANY + 1, "one each, and VPP's own: {sockets:#?}");
    at_once(&all, |one| it.host.check(one, config).silent());
    at_once(&all, |one| it.host.del(one, config));
    it.is_as(&before, "in the end");
}

fn many_memifs_at_once_in_a_domain_that_is_not_there_yet(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    many(&it, &it.net(it.limits()));
}

fn many_routed_at_once_in_a_table_that_is_not_there_yet(flavour: Flavour) {
    let Some(it) = OnVpp::with(&["host-local"], flavour) else { return };
    many(&it, &it.net_with_addresses(json!({"host": {"netType": "interface", "bridge": null, "vrf": 7}})));
}

fn of_the_same_at_once_one_succeeds(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    let red = it.host.container("red");
    let config = it.net(json!({}));
    let before = it.everything();
    let same = vec![red.clone(); MANY];
    let outputs = at_once(&same, |one| it.host.call("ADD", &config).of(one).run());
    let (won, lost): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.finished.code == Some(0));
    assert_eq!((won.len(), lost.len()), (1, MANY - 1));
    for output in lost {
        let text = output.error(100);
        assert!(text.contains("attached already"), "{text}");
    }
    it.host.check(&red, &config).silent();
    at_once(&same, |one| it.host.del(one, &config));
    it.is_as(&before, "in the end");
}

/// The last one's DEL removes the domain, or the loopback and the table, while another's ADD makes it.
fn comes_and_goes(it: &OnVpp, config: &Value) {
    let all = containers(it);
    let before = it.everything();
    at_once(&all, |one| {
        for _ in 0..3 {
            it.host.add(one, config);
            it.host.check(one, config).silent();
            it.host.del(one, config);
        }
    });
    it.is_as(&before, "in the end");
}

fn a_domain_that_comes_and_goes_loses_no_memif(flavour: Flavour) {
    let Some(it) = OnVpp::new(flavour) else { return };
    comes_and_goes(&it, &it.net(json!({})));
}

fn a_table_that_comes_and_goes_loses_no_memif(flavour: Flavour) {
    let Some(it) = OnVpp::with(&["host-local"], flavour) else { return };
    let routed = json!({"host": {"netType": "interface", "bridge": null, "vrf": 7}});
    comes_and_goes(&it, &it.net_with_addresses(routed));
}

on_both!(
    many_memifs_at_once_in_a_domain_that_is_not_there_yet,
    many_routed_at_once_in_a_table_that_is_not_there_yet,
    of_the_same_at_once_one_succeeds,
    a_domain_that_comes_and_goes_loses_no_memif,
    a_table_that_comes_and_goes_loses_no_memif,
);
