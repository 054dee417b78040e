//! A tap whose kernel end is the container's interface. VPP needs /dev/vhost-net for it; the fake one does without.

use serde_json::{Value, json};
use userspace_tests::Flavour;

use super::{support::OnVpp, traffic::addresses};

fn a_tap_is_the_containers_interface(flavour: Flavour) {
    let mut needs = vec!["host-local"];
    needs.extend((flavour == Flavour::Real).then_some("vhost-net"));
    let Some(it) = OnVpp::with(&needs, flavour) else { return };
    let red = it.host.container("red");
    for patch in
        [json!({}), json!({"netType": "interface", "bridge": null}), json!({"bridge": {"vlanId": 7}})]
    {
        let config: Value = it.net_with_addresses(json!({"host": {"mtu": 1400, "iftype": "tap"}}));
        let config = userspace_tests::merged(config, json!({"host": patch}));
        let before = it.everything();
        let result = it.host.add(&red, &config);
        let link = red.netns.link("eth0").expect("the container's end");
        assert_eq!(link["mtu"], 1400);
        let interfaces = result["interfaces"].as_array().expect("interfaces");
        assert!(interfaces.iter().any(|one| one["mac"] == link["address"]), "{result:#}");
        let there: Vec<_> =
            red.netns.addresses("eth0").iter().map(|ip| ip.split('/').next().map(str::to_owned)).collect();
        assert_eq!(there, addresses(&result).into_iter().map(Some).collect::<Vec<_>>());
        assert_eq!(it.lines("interface tap").len(), 1);
        it.host.check(&red, &config).silent();
        it.host.del(&red, &config);
        it.is_as(&before, &config.to_string());
    }
}

on_both!(a_tap_is_the_containers_interface);
