//! Packets between applications.

use std::time::Duration;

use serde_json::json;
use userspace_tests::{Memory, Testpmd};

use super::support::Vswitch;

const RED: &str = "02:00:00:00:00:01";
const BLUE: &str = "02:00:00:00:00:02";

#[test]
fn applications_reach_each_other_in_client_mode() {
    let Some(it) = Vswitch::new(Memory::NoHuge) else { return };
    let config = it.net(json!({}));
    let [red, blue] = ["red", "blue"].map(|id| it.host.container(id));
    let before = it.everything();
    let sockets = [&red, &blue].map(|one| it.socket(one, &it.host.add(one, &config)));
    let mut red_app = Testpmd::build(&red.netns).no_huge().vhost_server(&sockets[0], RED).peer(BLUE).launch();
    let mut blue_app =
        Testpmd::build(&blue.netns).no_huge().vhost_server(&sockets[1], BLUE).peer(RED).launch();
    blue_app.start();
    red_app.send(5);
    blue_app.wait_received(160, Duration::from_secs(10));
    assert_eq!(blue_app.received(), 160);
    it.host.check(&red, &config).silent();
    drop((red_app, blue_app));
    it.host.del(&red, &config);
    it.host.del(&blue, &config);
    it.is_as(&before, "in the end");
}
