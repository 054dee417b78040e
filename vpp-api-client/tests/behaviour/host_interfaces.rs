//! Kernel interfaces of the host (af_packet).

use std::process::Command;

use vpp_api_client::{
    messages::af_packet::{AfPacketCreateV3, AfPacketDelete, AfPacketDump},
    types::AfPacketMode,
};

use crate::at::{At, text};

/// A kernel device, as long as this value lives.
struct Device(String);

impl Device {
    fn new(at: &At) -> Option<Self> {
        let name = format!("fv{}{}", u8::from(at.is_real), std::process::id());
        ip(&["link", "add", &name, "type", "veth", "peer", &format!("{name}p")]).then_some(Self(name))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        ip(&["link", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success())
}

fn attach(netdev: &str) -> AfPacketCreateV3 {
    AfPacketCreateV3 {
        mode: AfPacketMode::ETHERNET,
        use_random_hw_addr: true,
        host_if_name: text(netdev),
        num_rx_queues: 1,
        num_tx_queues: 1,
        ..AfPacketCreateV3::default()
    }
}

#[allow(clippy::print_stdout)]
pub(crate) async fn of_the_kernel(at: &At) {
    assert_eq!(at.retval(&attach("nobody")).await, -71);
    assert_eq!(at.retval(&AfPacketDelete { host_if_name: text("nobody") }).await, -11);
    let Some(device) = Device::new(at) else {
        println!("skipped: kernel interfaces of VPP: no veth can be made");
        return;
    };
    let index = at.done(&attach(&device.0)).await.sw_if_index;
    let again = at.vpp.ask(&attach(&device.0)).await.unwrap();
    assert_eq!((again.retval, again.sw_if_index), (-79, index));
    let made = at.look(index).await.unwrap();
    assert_eq!(made.interface_name.to_string(), format!("host-{}", device.0));
    assert_eq!(made.interface_dev_type.to_string(), "af-packet");
    assert_eq!((made.mtu, made.link_mtu), ([9000, 0, 0, 0], 9000));
    let found = at.dump(&AfPacketDump {}).await;
    assert_eq!(
        (found.len(), found[0].sw_if_index, found[0].host_if_name.to_string()),
        (1, index, device.0.clone())
    );
    at.done(&AfPacketDelete { host_if_name: text(&device.0) }).await;
    assert_eq!(at.retval(&AfPacketDelete { host_if_name: text(&device.0) }).await, -11);
    assert_eq!(at.look(index).await, None);
}
