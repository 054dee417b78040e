//! How neighbours learn of the addresses of an interface that ends in a container: what it needs before it gets them, and the
//! word that is sent when it has them.

use std::time::{Duration, Instant};

use ipnet::IpNet;
use nix::errno::Errno;

use crate::{Change, Error, Family, InterfaceSysctl, Link, Netlink, Netns};

/// How long a port may take to forward after it was set up; then the announcement is sent anyway.
const SETTLE: Duration = Duration::from_millis(50);

impl Netlink {
    /// Readies the interface for these addresses, which it is given next, and for [`announce`](Self::announce): it will tell of
    /// them, and has IPv6 when one of them is of that family. `netns` is the connection's namespace.
    ///
    /// # Errors
    /// What the kernel answered.
    pub async fn prepare(&self, netns: &Netns, link: &Link, addresses: &[IpNet]) -> Result<(), Error> {
        if addresses.is_empty() {
            return Ok(());
        }
        let notify = Change { arp_notify: true, ..Change::default() };
        self.change_link(link.index, notify).await?;
        if addresses.iter().all(|ip| ip.addr().is_ipv4()) {
            return Ok(());
        }
        netns.run(|| {
            let ipv6 = |name| InterfaceSysctl { family: Family::Ipv6, interface: &link.name, name };
            // Runtimes switch IPv6 off in containers that have no IPv6 yet.
            ipv6("disable_ipv6").set("0")?;
            ipv6("ndisc_notify").set("1").map(drop)
        })
    }

    /// Tells the neighbours: setting the MAC address that an interface already has makes the kernel send a gratuitous ARP and an
    /// unsolicited neighbour advertisement for each address, where `arp_notify` and `ndisc_notify` are on.
    ///
    /// Waits at most 50 ms until packets can pass. Needs a runtime with a clock.
    ///
    /// # Errors
    /// What the kernel answered, but for a driver that does not take the address while the interface is up: neighbours then learn
    /// by themselves.
    pub async fn announce(&self, link: &Link) -> Result<(), Error> {
        self.settle(link).await;
        let change = Change { mac: link.mac, ..Change::default() };
        match self.change_link(link.index, change).await {
            Err(error) if matches!(error.errno(), Some(Errno::EBUSY | Errno::EOPNOTSUPP)) => Ok(()),
            other => other,
        }
    }

    /// Waits until the kernel passes packets, which follows the carrier with a delay; before that an announcement would be lost.
    /// Without a carrier (a tap that nobody has opened) there is nobody to tell.
    async fn settle(&self, link: &Link) {
        let limit = Instant::now() + SETTLE;
        while Instant::now() < limit {
            match self.link_by_index(link.index).await {
                Ok(Some(now)) if now.carrier && !now.running => {
                    tokio::time::sleep(Duration::from_millis(1)).await
                }
                _ => return,
            }
        }
    }
}
