//! What a call costs does not grow with the ports of others; and a line to the database that breaks.

use std::time::Duration;

use serde_json::json;
use userspace_tests::{Container, Memory};

use super::{proxy::Proxy, support::Vswitch};

const MANY: usize = 500;
/// Numbers in the answers may have some digits more.
const DIGITS: u64 = 64;

/// Ports that cost ovs-vswitchd next to nothing.
fn add_foreign_ports(it: &Vswitch) {
    let numbers: Vec<_> = (0..MANY).collect();
    for batch in numbers.chunks(50) {
        let commands = batch.iter().map(|number| {
            format!(
                "add-port blue0 far{number} -- set Interface far{number} type=patch options:peer=near{number}"
            )
        });
        it.ovs.vsctl(&format!("-- {}", commands.collect::<Vec<_>>().join(" -- ")));
    }
}

fn bytes(it: &Vswitch, proxy: &Proxy, red: &Container) -> [u64; 3] {
    let config = it.net(json!({
        "host": {"socket": proxy.path()},
        "runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}},
    }));
    [
        proxy.count(|| drop(it.host.add(red, &config))),
        proxy.count(|| it.host.check(red, &config).silent()),
        proxy.count(|| it.host.del(red, &config)),
    ]
}

#[test]
#[allow(clippy::print_stdout, reason = "the test runner shows it on demand")]
fn a_call_reads_as_much_with_500_ports_as_with_one() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let proxy = Proxy::start(it.host.path("proxy.sock"), &it.ovs.db_socket());
    let [red, green] = ["red", "green"].map(|id| it.host.container(id));
    let config = it.net(json!({}));
    let before = it.everything();
    it.host.add(&green, &config);
    let few = bytes(&it, &proxy, &red);
    add_foreign_ports(&it);
    let many = bytes(&it, &proxy, &red);
    println!("bytes read by ADD, CHECK, DEL: {few:?} with 1 port, {many:?} with {MANY} more");
    for (few, many) in few.into_iter().zip(many) {
        assert!(few > 0 && few.abs_diff(many) <= DIGITS, "{few} bytes with 1 port, {many} with {MANY} more");
    }
    let status = it.host.call("STATUS", &config).run();
    status.silent();
    assert!(status.finished.took < Duration::from_secs(1), "{status:?}");
    it.host.del(&green, &config);
    it.ovs.vsctl("del-br blue0");
    it.is_as(&before, "in the end");
}

// The transaction is carried out, and nobody hears of it.
#[test]
fn a_line_that_breaks_at_the_answer_leaves_what_del_finds() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let proxy = Proxy::start(it.host.path("proxy.sock"), &it.ovs.db_socket());
    let red = it.host.container("red");
    let config = it.net(json!({
        "host": {"socket": proxy.path()},
        "runtimeConfig": {"bandwidth": {"ingressRate": 8_000_000}},
    }));
    let before = it.everything();
    proxy.cut_at("\"insert\"");
    let text = it.host.call("ADD", &config).of(&red).run().error(11);
    assert!(text.contains("left for DEL"), "{text}");
    assert_ne!(it.everything(), before, "the port was made");
    it.host.call("DEL", &config).of(&red).fails(11, &["OVSDB"]);
    proxy.mend();
    it.host.del(&red, &config);
    it.is_as(&before, "after DEL");
}
