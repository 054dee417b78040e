//! Bridge domains, by number or by a name that their tag keeps.

use userspace_core::{
    engine::{EngineError, ErrorKind},
    fault,
    owner::{InstanceId, OwnerTag, marks_network, network_mark},
    spec::Bridge,
};
use vpp_api_client::{
    Client,
    messages::l2::{
        BridgeDomainAddDel, BridgeDomainDetails, BridgeDomainDump, MAX_BD_ID, SwInterfaceSetL2Bridge,
    },
    types::{L2PortType, SwIfIndex},
};

use crate::{
    access::ask,
    error::{self, retval, unless},
    interface::Made,
    names, vlan,
};

/// How many numbers are tried for a name whose own is another domain's.
const TRIES: u32 = 8;

/// Makes the interface a member of the domain, which is made when missing.
pub(crate) async fn join(
    vpp: &Client,
    made: &Made,
    is_new: bool,
    bridge: &Bridge,
) -> Result<(), EngineError> {
    let index = made.index()?;
    let (number, has_it) = ensure(vpp, &made.tag, &bridge.name).await?;
    let members = match (is_new, has_it) {
        (true, _) => Vec::new(),
        (false, Some(details)) => members(&details),
        (false, None) => one(vpp, number).await?.as_ref().map(members).unwrap_or_default(),
    };
    // What keeps the VLANs apart is there before the first frame is: VPP lets it stand when the port joins.
    vlan::set(vpp, index, &made.name, &bridge.vlan, is_new).await?;
    vlan::rewrite(vpp, index, &bridge.vlan).await?;
    for member in vlan::members(vpp, index, &made.name, &bridge.vlan).await? {
        // To join again would make the domain forget where addresses are.
        if !members.contains(&member) {
            fault::point("before join")?;
            let join = SwInterfaceSetL2Bridge {
                rx_sw_if_index: member,
                bd_id: number,
                port_type: L2PortType::NORMAL,
                shg: 0,
                enable: true,
            };
            ask(vpp, &format!("join the bridge domain {:?}", bridge.name), &join).await?;
            fault::point("after join")?;
        }
    }
    Ok(())
}

/// Removes the domain, when `owner`'s instance made it and it has no member.
pub(crate) async fn prune(vpp: &Client, owner: &OwnerTag, name: &str) -> Result<(), EngineError> {
    let Some(domain) = find(vpp, name).await? else {
        return Ok(());
    };
    if !domain.members.items.is_empty() || !is_ours(&domain, owner.instance()) {
        return Ok(());
    }
    fault::point("before bridge is removed")?;
    let gone = BridgeDomainAddDel { bd_id: domain.bd_id, is_add: false, ..BridgeDomainAddDel::default() };
    let gone = unless(vpp.request(&gone).await, &[retval::NO_SUCH_ENTRY, retval::DOMAIN_HAS_MEMBERS]);
    gone.map_err(error::doing(format!("remove the bridge domain {name:?}")))?;
    fault::point("after bridge is removed")
}

/// The domain of that name, as it is.
pub(crate) async fn find(vpp: &Client, name: &str) -> Result<Option<BridgeDomainDetails>, EngineError> {
    if let Some(number) = as_number(name) {
        return one(vpp, number).await;
    }
    for number in numbers(name) {
        match one(vpp, number).await? {
            Some(domain) if is_called(&domain, name) => return Ok(Some(domain)),
            Some(_) => {}
            // Nobody has it: if the name is anywhere, somebody else gave it to a number of theirs.
            None => return named(vpp, name).await,
        }
    }
    named(vpp, name).await
}

pub(crate) fn members(domain: &BridgeDomainDetails) -> Vec<SwIfIndex> {
    domain.members.items.iter().map(|member| member.sw_if_index).collect()
}

/// The domain's number, and what it was when it was looked at; it is made when missing.
async fn ensure(
    vpp: &Client,
    owner: &OwnerTag,
    name: &str,
) -> Result<(u32, Option<BridgeDomainDetails>), EngineError> {
    let mark = network_mark(owner.instance());
    if let Some(number) = as_number(name) {
        make(vpp, number, &mark, name).await?;
        return Ok((number, None));
    }
    if let Some(domain) = find(vpp, name).await? {
        return Ok((domain.bd_id, Some(domain)));
    }
    for number in numbers(name) {
        // Between the look and the making another may have come; the lock keeps out only our own.
        if make(vpp, number, &format!("{mark} {name}"), name).await? {
            return Ok((number, None));
        }
    }
    let doing = format!("find a number for the bridge domain {name:?} ({TRIES} are taken: name one instead)");
    Err(EngineError::new(ErrorKind::Conflict, doing))
}

/// Whether it was made; there may be one already.
async fn make(vpp: &Client, bd_id: u32, tag: &str, name: &str) -> Result<bool, EngineError> {
    fault::point("before bridge")?;
    let domain = BridgeDomainAddDel {
        bd_id,
        flood: true,
        uu_flood: true,
        forward: true,
        learn: true,
        bd_tag: names::text(tag),
        is_add: true,
        ..BridgeDomainAddDel::default()
    };
    let made = unless(vpp.request(&domain).await, &[retval::DOMAIN_EXISTS]);
    let made = made.map_err(error::doing(format!("make the bridge domain {name:?}")))?;
    fault::point("after bridge")?;
    Ok(made.is_some())
}

async fn one(vpp: &Client, number: u32) -> Result<Option<BridgeDomainDetails>, EngineError> {
    let found = vpp.dump(&BridgeDomainDump::one(number)).await;
    let found = found.map_err(error::doing(format!("look up the bridge domain {number}")))?;
    Ok(found.into_iter().find(|domain| domain.bd_id == number))
}

/// Lists all domains: only for a name that its own numbers do not have.
async fn named(vpp: &Client, name: &str) -> Result<Option<BridgeDomainDetails>, EngineError> {
    let all = vpp.dump(&BridgeDomainDump::all()).await;
    let all = all.map_err(error::doing(format!("look for the bridge domain {name:?}")))?;
    Ok(all.into_iter().find(|domain| is_called(domain, name)))
}

/// Ours have the name behind our mark; an administrator's have it alone.
fn is_called(domain: &BridgeDomainDetails, name: &str) -> bool {
    let tag = domain.bd_tag.to_string();
    match tag.split_once(' ') {
        Some((mark, rest)) if marks_network(mark, InstanceId::ANY) => rest == name,
        _ => tag == name,
    }
}

fn is_ours(domain: &BridgeDomainDetails, instance: InstanceId) -> bool {
    let tag = domain.bd_tag.to_string();
    let mark = tag.split(' ').next().unwrap_or_default();
    marks_network(mark, instance)
}

fn as_number(name: &str) -> Option<u32> {
    let digits = name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|number| digits && (1..=MAX_BD_ID).contains(number))
}

/// The numbers that a name is tried with: all hosts use the same.
fn numbers(name: &str) -> impl Iterator<Item = u32> + use<> {
    let digits = userspace_core::owner::network_digits(name);
    let first = digits.get(..6).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
    (0..TRIES).map(move |step| (first.wrapping_add(step) & MAX_BD_ID).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_and_a_name_has_some() {
        assert_eq!(as_number("7"), Some(7));
        for name in ["0", "16777216", "blue", "7a", "+7", ""] {
            assert_eq!(as_number(name), None, "{name}");
        }
        assert!(numbers("blue").all(|number| (1..=MAX_BD_ID).contains(&number)));
        assert_ne!(numbers("blue").next(), numbers("green").next());
    }

    #[test]
    fn a_domain_is_called_by_its_tag() {
        let domain = |tag: &str| BridgeDomainDetails { bd_tag: names::text(tag), ..Default::default() };
        let ours = network_mark(InstanceId::new(7));
        assert!(is_called(&domain(&format!("{ours} blue")), "blue"));
        assert!(is_called(&domain("blue"), "blue"));
        assert!(!is_called(&domain(&format!("{ours} blue")), "green"));
        assert!(!is_called(&domain("somebody blue"), "blue"));
        assert!(is_ours(&domain(&ours), InstanceId::new(7)) && !is_ours(&domain(&ours), InstanceId::new(8)));
        assert!(!is_ours(&domain("blue"), InstanceId::new(7)));
    }
}
