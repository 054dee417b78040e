//! Sample documents for containers.

use super::plans;
use crate::{
    conf::{HalfConf, MemifConf},
    half::ContainerHalf,
    ipam::Allocation,
};

/// A memif without addresses.
pub fn memif(container: &str, interface: &str) -> ContainerHalf {
    ContainerHalf {
        attachment: plans::attachment(container, interface),
        pod_uid: None,
        config: HalfConf { memif: Some(MemifConf::default()), ..HalfConf::default() },
        allocation: Allocation::default(),
    }
}
