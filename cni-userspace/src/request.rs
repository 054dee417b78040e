//! The environment of a call, checked.

use std::{collections::BTreeMap, fmt};

use userspace_core::id::{ContainerId, InterfaceName};

use crate::{
    Outcome,
    error::{CniError, code},
};

/// The verbs of the CNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Add,
    Del,
    Check,
    Gc,
    Status,
    Version,
}

impl Command {
    /// `CNI_COMMAND`, or `None` when it is not set.
    pub(crate) fn from_env(env: &BTreeMap<String, String>) -> Outcome<Option<Self>> {
        let Some(text) = env.get("CNI_COMMAND").filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let all = [Self::Add, Self::Del, Self::Check, Self::Gc, Self::Status, Self::Version];
        let found = all.into_iter().find(|command| command.as_str() == text);
        found.map(Some).ok_or_else(|| {
            CniError::new(code::ENVIRONMENT, format!("CNI_COMMAND {text:?} is unknown"))
                .with_details("one of ADD, DEL, CHECK, GC, STATUS, VERSION")
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
            Self::Version => "VERSION",
        }
    }

    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Add => &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
            Self::Check => &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
            Self::Del => &["CNI_CONTAINERID", "CNI_IFNAME"],
            Self::Gc | Self::Status | Self::Version => &[],
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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
