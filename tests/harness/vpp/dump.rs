//! What a VPP has, as lines.

use std::collections::{BTreeMap, BTreeSet};

use vpp_api_client::{
    Client, Error,
    messages::{
        interface::{SwInterfaceDetails, SwInterfaceDump},
        ip::{IpAddressDump, IpRouteDump, IpTableDump, IpUnnumberedDump},
        l2::BridgeDomainDump,
        memif::MemifSocketFilenameDump,
        policer::PolicerDump,
    },
    types::{Prefix, SwIfIndex},
};

pub(super) async fn lines(vpp: &Client) -> Result<BTreeSet<String>, Error> {
    let interfaces = vpp.dump(&SwInterfaceDump::all()).await?;
    let names: Names =
        interfaces.iter().map(|one| (one.sw_if_index.0, one.interface_name.to_string())).collect();
    let mut lines: BTreeSet<String> = interfaces.iter().map(interface).collect();
    networks(vpp, &names, &mut lines).await?;
    addresses(vpp, &names, &mut lines).await?;
    routes(vpp, &names, &mut lines).await?;
    if vpp.knows::<MemifSocketFilenameDump>() {
        for socket in vpp.dump(&MemifSocketFilenameDump {}).await? {
            lines.insert(format!("memif socket {} {}", socket.socket_id, socket.socket_filename));
        }
    }
    if vpp.knows::<PolicerDump>() {
        for policer in vpp.dump(&PolicerDump::default()).await? {
            lines.insert(format!("policer {} {} {}", policer.name, policer.cir, policer.cb));
        }
    }
    Ok(lines)
}

type Names = BTreeMap<u32, String>;

fn name(names: &Names, index: SwIfIndex) -> String {
    names.get(&index.0).cloned().unwrap_or_else(|| "none".to_owned())
}

fn interface(one: &SwInterfaceDetails) -> String {
    format!(
        "interface {} tag {:?} admin {} mtu {} vlan {} rewrite {} {}",
        one.interface_name,
        one.tag.to_string(),
        one.flags.0 & 1,
        one.mtu[0],
        one.sub_outer_vlan_id,
        one.vtr_op,
        one.vtr_tag1,
    )
}

async fn networks(vpp: &Client, names: &Names, lines: &mut BTreeSet<String>) -> Result<(), Error> {
    for domain in vpp.dump(&BridgeDomainDump::all()).await? {
        let members = domain.members.items.iter().map(|member| name(names, member.sw_if_index));
        let members: BTreeSet<_> = members.collect();
        lines.insert(format!(
            "bridge domain {} tag {:?} {members:?}",
            domain.bd_id,
            domain.bd_tag.to_string()
        ));
    }
    for one in vpp.dump(&IpUnnumberedDump { sw_if_index: SwIfIndex::NONE }).await? {
        let [borrower, lender] = [one.sw_if_index, one.ip_sw_if_index].map(|index| name(names, index));
        lines.insert(format!("unnumbered {borrower} borrows from {lender}"));
    }
    Ok(())
}

async fn addresses(vpp: &Client, names: &Names, lines: &mut BTreeSet<String>) -> Result<(), Error> {
    for (index, name) in names {
        for is_ipv6 in [false, true] {
            for one in vpp.dump(&IpAddressDump { sw_if_index: SwIfIndex(*index), is_ipv6 }).await? {
                lines.insert(format!("address {name} {}", net(&one.prefix)));
            }
        }
    }
    Ok(())
}

async fn routes(vpp: &Client, names: &Names, lines: &mut BTreeSet<String>) -> Result<(), Error> {
    for table in vpp.dump(&IpTableDump {}).await? {
        lines.insert(format!("table {} ip6 {} {}", table.table_id, table.is_ip6, table.name));
        let routes = IpRouteDump { table_id: table.table_id, is_ip6: table.is_ip6, ..IpRouteDump::default() };
        for route in vpp.dump(&routes).await? {
            let paths = route.paths.items.iter().map(|path| name(names, path.sw_if_index));
            let paths: Vec<_> = paths.collect();
            lines.insert(format!("route {} {} by {paths:?}", table.table_id, net(&route.prefix)));
        }
    }
    Ok(())
}

fn net(prefix: &Prefix) -> String {
    let ip = prefix.address.ip().map_or_else(|| "?".to_owned(), |ip| ip.to_string());
    format!("{ip}/{}", prefix.length)
}
