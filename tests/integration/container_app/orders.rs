//! The host's VPP, the container's VPP and ADD come in any order, and nobody does anything by hand: a runtime tries an ADD again that is
//! to be tried again (code 11), and container-app runs from the beginning.

use std::{thread, time::Duration};

use serde_json::{Value, json};
use userspace_tests::{App, Container, Flavour, Host, Vpp, until};

use super::support::SOON;
use crate::vpp::{
    support::OnVpp,
    traffic::{LIMIT, addresses},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    HostVpp,
    ContainerVpp,
    Add,
}

use Event::{Add, ContainerVpp, HostVpp};

const ORDERS: [[Event; 3]; 6] = [
    [HostVpp, ContainerVpp, Add],
    [HostVpp, Add, ContainerVpp],
    [ContainerVpp, HostVpp, Add],
    [ContainerVpp, Add, HostVpp],
    [Add, HostVpp, ContainerVpp],
    [Add, ContainerVpp, HostVpp],
];

/// Between two events: long enough that the first has had its effect.
const BETWEEN: Duration = Duration::from_millis(300);

on_both!(the_host_the_container_and_add_come_in_any_order);

/// ADD, as a runtime does it: again while the plugin says so.
fn add_until_done(host: &Host, container: &Container, config: &Value) -> Value {
    let mut result = None;
    until("the ADD", LIMIT, || {
        let call = host.call("ADD", config).of(container).run();
        if call.finished.code == Some(0) {
            result = Some(call.result());
            return true;
        }
        assert_eq!(call.failure().0, 11, "{call:?}");
        // A runtime ends a failed ADD with a DEL, whatever comes of it.
        host.call("DEL", config).of(container).run();
        thread::sleep(Duration::from_millis(200));
        false
    });
    result.expect("a result")
}

/// A container with a VPP and an app of its own, whose ADD may come at any time.
struct End {
    container: Container,
    vpp: Vpp,
    app: App,
    config: Value,
}

impl End {
    fn new(it: &OnVpp, id: &str) -> Self {
        let container = it.host.container(id);
        let vpp = Vpp::start_another(&container.netns, it.vpp.flavour());
        let app = App::new(&container, &it.shared(&container)).vpp(&vpp);
        Self { container, vpp, app, config: it.net_with_addresses(json!({})) }
    }

    /// Brings the three about in that order; the result of the ADD.
    fn begin(&mut self, it: &mut OnVpp, order: [Event; 3]) -> Value {
        self.app.start();
        let OnVpp { vpp, host } = it;
        let (host, container, config) = (&*host, &self.container, &self.config);
        thread::scope(|scope| {
            let mut add = None;
            for event in order {
                match event {
                    HostVpp => drop(vpp.restart()),
                    ContainerVpp => drop(self.vpp.restart()),
                    // In the background, as a runtime tries on whatever comes meanwhile.
                    Add => add = Some(scope.spawn(|| add_until_done(host, container, config))),
                }
                thread::sleep(BETWEEN);
            }
            add.and_then(|add| add.join().ok()).expect("an ADD")
        })
    }
}

fn the_host_the_container_and_add_come_in_any_order(flavour: Flavour) {
    let Some(mut it) = OnVpp::with(&["host-local"], flavour) else { return };
    // One that is attached all the time, to be pinged: the host's halves come back by themselves.
    let mut other = End::new(&it, "blue");
    other.app.start();
    let theirs = addresses(&it.host.add(&other.container, &other.config));
    let log = it.host.path("watch.log");
    let _watch = it.host.service("repair --watch", &log);
    let mut mine = End::new(&it, "red");
    let empty = mine.vpp.dump();
    for order in ORDERS {
        it.vpp.kill();
        mine.vpp.kill();
        let ours = addresses(&mine.begin(&mut it, order));
        mine.app.wait_up(1);
        let is_there = mine.vpp.dump().iter().any(|line| line.contains(&ours[0]));
        assert!(is_there, "{order:?}: {:#?}", mine.vpp.dump());
        if flavour == Flavour::Real {
            for target in &theirs {
                until(&format!("{order:?}: a ping to {target}"), LIMIT, || mine.vpp.ping(target, ""));
            }
        }
        it.host.del(&mine.container, &mine.config);
        until("nothing is left in the container", SOON, || mine.vpp.dump() == empty);
        assert_eq!(mine.app.stop(), Some(0), "{}", mine.app.log());
    }
    it.host.del(&other.container, &other.config);
}
