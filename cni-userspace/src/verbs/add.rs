//! ADD.

use std::{path::Path, time::Duration};

use serde_json::Value;
use userspace_core::{
    cx::Cx,
    ipam::{Allocation, Ipam},
    lifecycle::{self, AddRequest, Outcome as Added},
    netns::NetnsRef,
    plan::{Container, Plan, Request},
};

use super::{Call, pod, print};
use crate::{
    Outcome,
    args::{CniArgs, overrides},
    device_info,
    error::{CniError, code},
    result::{self, CniResult, Interface, Ip},
};

/// What is kept of the call's time for the undo of a failure.
const UNDO: Duration = Duration::from_secs(5);

pub(super) async fn run(call: &Call) -> Outcome<Vec<u8>> {
    let undo_budget = UNDO.min(call.conf.timeout() / 2);
    let cx = Cx::within(call.conf.timeout() - undo_budget);
    let (plan, addresses) = plan(call, cx).await?;
    let previous = previous(call)?;
    let ipam = call.ipam();
    refuse_old_version_without_addresses(call, ipam.is_some() || !addresses.ips.is_empty())?;
    if let Some(ipam) = &ipam {
        ipam.installed().map_err(|error| call.failed(&error))?;
    }
    let published = match &plan.container {
        Container::Published(published) => Some(published.clone()),
        Container::Kernel(_) => None,
    };
    let request = AddRequest {
        plan,
        config: call.value.clone(),
        ipam: ipam.as_ref().map(|ipam| ipam as &dyn Ipam),
        addresses,
        undo_budget,
    };
    let added = lifecycle::add(call.world(), cx, request).await;
    let added = added.map_err(|error| CniError::of_add(&error))?;
    let result = merge(previous, added, published.is_none(), call)?;
    if let Some(published) = &published {
        device_info::write(&call.conf, published);
    }
    print(&result.to_json(call.version))
}

async fn plan(call: &Call, cx: Cx) -> Outcome<(Plan, Allocation)> {
    let text = call.env.get("CNI_ARGS").map(String::as_str);
    let args = CniArgs::parse(text.unwrap_or_default())?;
    let (overrides, addresses) = overrides(&call.conf, &args)?;
    let netns = netns(call)?;
    let instance = call.records.instance();
    let request = Request {
        attachment: call.attachment()?,
        instance: instance.map_err(|error| call.failed(&error))?,
        netns: Some(netns),
        host: call.conf.host(),
        container: call.conf.container(),
        overrides,
        shared_dir: call.conf.shared_dir.clone(),
        sockets: call.conf.sockets(),
        pod: pod::of_add(call, cx, &args).await?,
    };
    Ok((Plan::new(&request)?, addresses))
}

/// The container's namespace, which must not be our own: a runtime that mixes them up would have the host's network changed.
fn netns(call: &Call) -> Outcome<NetnsRef> {
    let path = &call.target()?.netns;
    let failed = |reason: &dyn std::fmt::Display| {
        CniError::new(code::ENVIRONMENT, format!("CNI_NETNS {path:?}: {reason}"))
    };
    let netns = NetnsRef::inspect(Path::new(path)).map_err(|error| failed(&error))?;
    let own = NetnsRef::own().map_err(|error| failed(&error))?;
    let allowed = call.env.get("CNI_NETNS_OVERRIDE");
    let allowed = allowed.is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "1" | "true"));
    if netns.is_same(&own) && !allowed {
        return Err(failed(
            &"it is the plugin's own network namespace (CNI_NETNS_OVERRIDE=1 would allow it)",
        ));
    }
    Ok(netns)
}

/// Versions before 0.3.0 have nothing but addresses in a result.
fn refuse_old_version_without_addresses(call: &Call, has_addresses: bool) -> Outcome<()> {
    if call.version.has_interfaces() || has_addresses {
        return Ok(());
    }
    let msg = format!(
        "cniVersion \"{}\" cannot say a result without addresses: configure ipam, or 0.3.0 or later",
        call.version
    );
    Err(CniError::new(code::CONFIG, msg))
}

fn previous(call: &Call) -> Outcome<CniResult> {
    let value = call.conf.prev_result.clone().unwrap_or(Value::Object(Default::default()));
    result::parse(value)
        .map_err(|error| CniError::new(code::CONFIG, format!("configuration: \"prevResult\": {error}")))
}

/// The result before us with what we made behind it, so that its indexes stay.
fn merge(previous: CniResult, added: Added, is_kernel: bool, call: &Call) -> Outcome<CniResult> {
    let mut result = previous;
    // A vswitch's own port is no interface that a plugin behind us could find.
    if let Some(host) = added.host.filter(|_| is_kernel) {
        result.interfaces.push(Interface { name: host, ..Interface::default() });
    }
    let index = u32::try_from(result.interfaces.len()).ok();
    let socket = added.container.socket;
    result.interfaces.push(Interface {
        name: added.container.name.to_string(),
        mac: added.container.mac.to_string(),
        mtu: added.container.mtu_bytes,
        sandbox: call.target()?.netns.clone(),
        socket_path: socket.map(|path| path.display().to_string()).unwrap_or_default(),
        pci_id: String::new(),
    });
    let ips = added.allocation.ips.into_iter();
    result.ips.extend(ips.map(|address| Ip { interface: index, address }));
    result.routes.extend(added.allocation.routes);
    if !added.allocation.dns.is_empty() {
        result.dns = added.allocation.dns;
    } else if let Some(dns) = call.conf.dns.as_ref().filter(|dns| !dns.is_empty()) {
        result.dns = dns.clone();
    }
    Ok(result)
}
