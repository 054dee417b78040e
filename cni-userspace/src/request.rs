//! The environment of a call, checked.

use std::{collections::BTreeMap, fmt};

use userspace_core::id::{ContainerId, InterfaceName};

use crate::{
    Outcome,
    command::Command,
    error::{CniError, code},
};

/// `CNI_COMMAND`, or `None` when it is not set.
pub(crate) fn command(env: &BTreeMap<String, String>) -> Outcome<Option<Command>> {
    let Some(text) = env.get("CNI_COMMAND").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    Command::parse(text).map(Some).ok_or_else(|| {
        let known = Command::ALL.map(Command::as_str).join(", ");
        CniError::new(code::ENVIRONMENT, format!("CNI_COMMAND {text:?} is unknown"))
            .with_details(format!("one of {known}"))
    })
}

/// The variables of a call about one attachment.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) container: ContainerId,
    pub(crate) interface: InterfaceName,
    /// `CNI_NETNS` as given; empty when it is gone.
    pub(crate) netns: String,
}

impl Target {
    /// What `command` says it is about.
    pub(crate) fn from_env(command: Command, env: &BTreeMap<String, String>) -> Outcome<Self> {
        let get = |key: &str| env.get(key).map(String::as_str).unwrap_or_default();
        let required = command.required().iter().copied();
        let missing: Vec<_> = required.filter(|key| get(key).is_empty()).collect();
        if !missing.is_empty() {
            let msg = format!("{command} needs {}", missing.join(", "));
            return Err(CniError::new(code::ENVIRONMENT, msg));
        }
        let invalid =
            |key: &str, error: &dyn fmt::Display| CniError::new(code::ENVIRONMENT, format!("{key}: {error}"));
        let container = get("CNI_CONTAINERID").parse();
        let interface = get("CNI_IFNAME").parse();
        Ok(Self {
            container: container.map_err(|error| invalid("CNI_CONTAINERID", &error))?,
            interface: interface.map_err(|error| invalid("CNI_IFNAME", &error))?,
            netns: get("CNI_NETNS").to_owned(),
        })
    }
}
