//! The names that identify an attachment. Checked once, at construction; nothing later has to ask again.
//!
//! The shapes are the CNI specification's (1.1.0, sections "Parameters" and "Network configuration"), and for the
//! interface name the kernel's (`dev_valid_name`: at most 15 bytes, no `/`, `:` or white space, not `.` or `..`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A name that is not of its kind's form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} {reason}")]
pub struct InvalidId {
    /// The kind of name, as a user would say it.
    pub what: &'static str,
    /// What was given.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// `[A-Za-z0-9][A-Za-z0-9_.-]*`, the CNI's form for container ids and network names.
fn cni_name(value: &str) -> Result<(), &'static str> {
    let mut bytes = value.bytes();
    match bytes.next() {
        None => return Err("is empty"),
        Some(first) if !first.is_ascii_alphanumeric() => {
            return Err("does not begin with a letter or a digit");
        }
        Some(_) => {}
    }
    if bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
        Ok(())
    } else {
        Err("has a character other than letters, digits, '_', '.' and '-'")
    }
}

fn interface_name(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("is empty");
    }
    if value.len() > 15 {
        return Err("is longer than 15 bytes");
    }
    if value == "." || value == ".." {
        return Err("is not an interface name");
    }
    if value.chars().any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control()) {
        return Err("has a '/', a ':' or white space");
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(value: String) -> Result<Self, InvalidId> {
                match $check(&value) {
                    Ok(()) => Ok(Self(value)),
                    Err(reason) => Err(InvalidId { what: $what, value, reason }),
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(value: &str) -> Result<Self, InvalidId> {
                Self::try_from(value.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The runtime's id of a container (`CNI_CONTAINERID`), of any length from one character on.
    ContainerId, "container id", cni_name
);
name!(
    /// The name of a network (`name` in the configuration).
    NetworkName, "network name", cni_name
);
name!(
    /// The name of a network interface (`CNI_IFNAME`, a bridge, a macvlan's parent): 1 to 15 bytes.
    InterfaceName, "interface name", interface_name
);

/// One interface of one container on one network: what ADD makes and DEL removes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttachmentId {
    /// The network that it belongs to.
    pub network: NetworkName,
    /// The container.
    pub container: ContainerId,
    /// The interface's name in the container.
    pub interface: InterfaceName,
}

impl fmt::Display for AttachmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} on {}", self.container, self.interface, self.network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_ids_have_the_cni_form() {
        let long = "a".repeat(128);
        for good in ["a", "0", "A_b.c-d", long.as_str()] {
            assert!(good.parse::<ContainerId>().is_ok(), "{good}");
        }
        for bad in ["", "-x", "a/b", "ä", "a b", ".", "_a"] {
            assert!(bad.parse::<ContainerId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn interface_names_have_the_kernel_form() {
        for good in ["e", "eth0", "abcdefghijklmno", "net-1.5", "a..b"] {
            assert!(good.parse::<InterfaceName>().is_ok(), "{good}");
        }
        for bad in ["", "abcdefghijklmnop", ".", "..", "a/b", "a:b", "a b", "a\tb", "a\0b"] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_names_the_kind_and_the_value() {
        let error = "a/b".parse::<NetworkName>().unwrap_err().to_string();
        assert!(error.starts_with("network name \"a/b\" has a character"), "{error}");
    }
}
