//! Taps. The real one needs `/dev/net/tun` and `/dev/vhost-net`.

use vpp_api_client::{
    messages::tapv2::{SwInterfaceTapV2Dump, TapCreateV3, TapDeleteV2},
    types::SwIfIndex,
};

use crate::at::{At, text};

#[allow(clippy::print_stdout)]
pub(crate) async fn numbers_and_namespaces(at: &At) {
    let tap = |id| TapCreateV3 {
        id,
        use_random_mac: true,
        num_rx_queues: 1,
        num_tx_queues: 1,
        tx_ring_sz: 256,
        rx_ring_sz: 256,
        ..TapCreateV3::default()
    };
    let nowhere = TapCreateV3 { host_namespace_set: true, host_namespace: text("/nowhere/at/all"), ..tap(5) };
    assert_eq!(at.retval(&nowhere).await, -12);
    assert_eq!(at.retval(&TapDeleteV2 { sw_if_index: SwIfIndex(0) }).await, -2);
    let devices = ["/dev/net/tun", "/dev/vhost-net"];
    if at.is_real && !devices.iter().all(|device| std::path::Path::new(device).exists()) {
        println!("skipped: taps of the real VPP: no {}", devices.join(" and "));
        return;
    }
    let sw_if_index = at.done(&tap(7)).await.sw_if_index;
    assert_eq!(at.retval(&tap(7)).await, -71);
    let made = at.look(sw_if_index).await.unwrap();
    assert_eq!(made.interface_name.to_string(), "tap7");
    let found = at.dump(&SwInterfaceTapV2Dump { sw_if_index }).await;
    assert_eq!((found.len(), found[0].id), (1, 7));
    at.done(&TapDeleteV2 { sw_if_index }).await;
    assert_eq!(at.retval(&TapDeleteV2 { sw_if_index }).await, -2);
}
