//! CHECK.

use serde_json::Value;
use userspace_core::{
    ipam::Ipam,
    lifecycle::{self, Expected},
};

use super::Call;
use crate::{
    Outcome,
    error::{CniError, code},
    result,
};

pub(super) async fn run(call: &Call) -> Outcome<Vec<u8>> {
    let ipam = call.ipam();
    let ipam = ipam.as_ref().map(|ipam| ipam as &dyn Ipam);
    let expected = expected(call)?;
    let id = call.attachment()?;
    let checked = lifecycle::check(call.world(), call.cx(), &id, expected, ipam).await;
    checked.map_err(|error| CniError::of_check(&error))?;
    Ok(Vec::new())
}

/// What `prevResult` says of our interface: plugins behind us may have changed it.
fn expected(call: &Call) -> Outcome<Expected> {
    let Some(value) = call.conf.prev_result.clone() else {
        return Ok(Expected::default());
    };
    let invalid =
        |reason: String| CniError::new(code::CONFIG, format!("configuration: \"prevResult\": {reason}"));
    if !value.is_object() {
        return Err(invalid(format!("{} is not a result", short(&value))));
    }
    let result = result::parse(value).map_err(|error| invalid(error.to_string()))?;
    let target = call.target()?;
    let ours = |interface: &result::Interface| {
        interface.name == target.interface.as_str() && !interface.sandbox.is_empty()
    };
    let Some(index) = result.interfaces.iter().position(ours) else {
        return Ok(Expected::default());
    };
    let interface = &result.interfaces[index];
    let on_it = result.ips.iter().filter(|ip| ip.interface.is_some_and(|i| i as usize == index));
    let ips: Vec<_> = on_it.map(|ip| ip.address).collect();
    // The index is optional: without one the record knows better.
    let told = result.ips.iter().any(|ip| ip.interface.is_some());
    Ok(Expected { mac: interface.mac.parse().ok(), mtu_bytes: interface.mtu, ips: told.then_some(ips) })
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}
