//! Addresses, the tables of interfaces, and borrowed addresses.

use vpp_api_client::{
    messages::{
        interface::{SwInterfaceGetTable, SwInterfaceSetTable, SwInterfaceSetUnnumbered},
        ip::{IpAddressDump, IpTableAddDel, IpTableDump, IpUnnumberedDump},
    },
    types::SwIfIndex,
};

use crate::at::{At, shown};

async fn addresses(at: &At, sw_if_index: SwIfIndex, is_ipv6: bool) -> Vec<String> {
    let found = at.dump(&IpAddressDump { sw_if_index, is_ipv6 }).await;
    found.iter().map(|details| shown(&details.prefix)).collect()
}

async fn run(at: &At, one: SwIfIndex, two: SwIfIndex, steps: &[(usize, bool, &str, i32)]) {
    for (which, is_add, address, expected) in steps {
        let retval = at.address([one, two][*which], *is_add, address).await;
        assert_eq!(retval, *expected, "{which} {is_add} {address}");
    }
}

pub(crate) async fn of_ipv4(at: &At) {
    let [one, two] = [at.loopback(21).await, at.loopback(22).await];
    let steps = [
        (0, true, "10.9.0.1/33", -59),
        (0, true, "10.9.0.1/0", -59),
        (0, true, "10.9.0.1/24", 0),
        (0, true, "10.9.0.1/24", -105),
        (0, true, "10.9.0.2/24", 0),
        (0, true, "10.9.0.3/32", -105),
        (1, true, "10.9.0.1/24", -105),
        (1, true, "10.9.0.77/24", -105),
        (1, true, "10.9.0.1/32", -105),
        (1, true, "10.0.0.1/8", -105),
        (1, true, "10.10.0.1/24", 0),
        (1, true, "11.11.0.1/0", -105),
        (1, false, "10.9.0.1/24", -60),
    ];
    run(at, one, two, &steps).await;
    assert_eq!(addresses(at, one, false).await, ["10.9.0.1/24", "10.9.0.2/24"]);
    assert_eq!(addresses(at, one, true).await, [""; 0]);
    let steps = [(0, false, "10.9.0.1/24", 0), (0, false, "10.9.0.1/24", -60), (0, false, "10.9.0.2/24", 0)];
    run(at, one, two, &steps).await;
    assert_eq!(addresses(at, SwIfIndex(4000), false).await, [""; 0]);
    assert_eq!(at.address(SwIfIndex(4000), true, "10.9.0.1/24").await, -2);
    for address in ["10.9.0.1/24", "fd09::1/64"] {
        assert_eq!(at.address(SwIfIndex(0), true, address).await, -126, "{address}");
    }
    for index in [one, two] {
        at.delete_loopback(index).await;
    }
}

pub(crate) async fn of_ipv6(at: &At) {
    let [one, two] = [at.loopback(21).await, at.loopback(22).await];
    let steps = [
        (0, true, "fd09::1/64", 0),
        (0, true, "fd09::1/64", -127),
        (0, true, "fd09::2/64", 0),
        (1, true, "fd09::1/64", -127),
        (1, true, "fd09::77/64", -127),
        (1, true, "fd09::77/128", -127),
        (1, true, "fd10::1/64", 0),
        (1, true, "fe80::5/64", -59),
        (1, true, "fe80::5/128", 0),
        (1, false, "fd09::1/64", -60),
    ];
    run(at, one, two, &steps).await;
    assert_eq!(addresses(at, one, true).await, ["fd09::1/64", "fd09::2/64"]);
    let steps = [(0, false, "fd09::1/64", 0), (0, false, "fd09::1/64", -60), (0, false, "fd09::2/64", 0)];
    run(at, one, two, &steps).await;
    for index in [one, two] {
        at.delete_loopback(index).await;
    }
}

pub(crate) async fn in_tables(at: &At) {
    let [one, two] = [at.loopback(21).await, at.loopback(22).await];
    let enter = |sw_if_index, is_ipv6, vrf_id| SwInterfaceSetTable { sw_if_index, is_ipv6, vrf_id };
    assert_eq!(at.retval(&enter(one, false, 41)).await, -3);
    for is_ip6 in [false, true] {
        at.done(&IpTableAddDel { is_add: true, table_id: 41, is_ip6, ..Default::default() }).await;
    }
    assert_eq!(at.address(one, true, "10.9.0.1/24").await, 0);
    assert_eq!(at.retval(&enter(one, false, 41)).await, -114);
    assert_eq!(at.retval(&enter(one, true, 41)).await, 0, "the families are apart");
    assert_eq!(at.address(one, false, "10.9.0.1/24").await, 0);
    at.done(&enter(one, false, 41)).await;
    assert_eq!(at.done(&SwInterfaceGetTable { sw_if_index: one, is_ipv6: false }).await.vrf_id, 41);
    assert_eq!(at.done(&SwInterfaceGetTable { sw_if_index: two, is_ipv6: false }).await.vrf_id, 0);
    // The same address in another table is no overlap.
    assert_eq!(at.address(one, true, "10.9.0.1/24").await, 0);
    assert_eq!(at.address(two, true, "10.9.0.1/24").await, 0);
    let is_there =
        async || at.dump(&IpTableDump {}).await.iter().any(|table| table.table_id == 41 && !table.is_ip6);
    for is_ip6 in [false, true] {
        at.done(&IpTableAddDel { is_add: false, table_id: 41, is_ip6, ..Default::default() }).await;
    }
    assert!(is_there().await, "an interface is in it");
    assert_eq!(at.retval(&enter(SwIfIndex(4000), false, 0)).await, -2);
    assert_eq!(at.retval(&SwInterfaceGetTable { sw_if_index: SwIfIndex(4000), is_ipv6: false }).await, -2);
    for index in [one, two] {
        at.delete_loopback(index).await;
    }
    assert!(!is_there().await);
}

/// Lends `borrower` the addresses of `lender`.
pub(crate) async fn lend(at: &At, lender: SwIfIndex, borrower: SwIfIndex) {
    let lend =
        SwInterfaceSetUnnumbered { sw_if_index: lender, unnumbered_sw_if_index: borrower, is_add: true };
    at.done(&lend).await;
}

pub(crate) async fn unnumbered(at: &At) {
    let [lender, borrower] = [at.loopback(21).await, at.loopback(22).await];
    let lend_to = |sw_if_index, unnumbered_sw_if_index, is_add| SwInterfaceSetUnnumbered {
        sw_if_index,
        unnumbered_sw_if_index,
        is_add,
    };
    let pairs = async |sw_if_index| -> Vec<_> {
        let found = at.dump(&IpUnnumberedDump { sw_if_index }).await;
        found.iter().map(|pair| (pair.sw_if_index, pair.ip_sw_if_index)).collect()
    };
    assert_eq!(at.retval(&lend_to(SwIfIndex(4000), borrower, true)).await, -10);
    assert_eq!(at.retval(&lend_to(lender, SwIfIndex(4000), true)).await, -2);
    lend(at, lender, borrower).await;
    lend(at, lender, borrower).await;
    for asked in [borrower, SwIfIndex::NONE] {
        assert_eq!(pairs(asked).await, [(borrower, lender)]);
    }
    assert_eq!(pairs(lender).await, []);
    assert_eq!(at.address(lender, true, "10.9.0.1/24").await, 0);
    lend(at, lender, borrower).await;
    assert_eq!(addresses(at, lender, false).await, ["10.9.0.1/24"]);
    let found = addresses(at, borrower, false).await;
    assert_eq!(found, [""; 0], "borrowed addresses are not shown");
    at.done(&IpTableAddDel { is_add: true, table_id: 42, ..Default::default() }).await;
    let enter = |sw_if_index| SwInterfaceSetTable { sw_if_index, is_ipv6: false, vrf_id: 42 };
    assert_eq!(at.retval(&enter(borrower)).await, -114, "borrowed addresses count");
    at.done(&lend_to(lender, borrower, false)).await;
    at.done(&lend_to(lender, borrower, false)).await;
    assert_eq!(pairs(SwIfIndex::NONE).await, []);
    at.done(&enter(borrower)).await;
    assert_eq!(at.retval(&lend_to(lender, borrower, true)).await, -74, "of another table");
    at.delete_loopback(borrower).await;
    at.done(&IpTableAddDel { is_add: false, table_id: 42, ..Default::default() }).await;
    let borrower = at.loopback(22).await;
    lend(at, lender, borrower).await;
    at.delete_loopback(lender).await;
    assert_eq!(pairs(SwIfIndex::NONE).await, [(borrower, lender)], "a lender that is gone is still named");
    at.delete_loopback(borrower).await;
    assert_eq!(pairs(SwIfIndex::NONE).await, []);
}
