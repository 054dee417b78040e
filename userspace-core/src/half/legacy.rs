//! The Go plugins' `ConfigurationData`: {containerId, ifName, name, config, ipResult}, and our `version` and `podUid` beside them.

use serde::{Deserialize, Serialize};

use super::{ContainerHalf, VERSION};
use crate::{
    conf::HalfConf,
    id::{AttachmentId, ContainerId, InterfaceName, NetworkName},
    ipam::Allocation,
    json,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    /// Absent in a Go plugin's document.
    #[serde(default)]
    version: Option<u32>,
    container_id: ContainerId,
    /// Ours too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod_uid: Option<String>,
    if_name: InterfaceName,
    name: NetworkName,
    #[serde(default)]
    config: HalfConf,
    #[serde(default)]
    ip_result: Allocation,
}

pub(super) fn write(half: &ContainerHalf) -> Vec<u8> {
    let id = &half.attachment;
    let document = Document {
        version: Some(VERSION),
        container_id: id.container.clone(),
        pod_uid: half.pod_uid.clone(),
        if_name: id.interface.clone(),
        name: id.network.clone(),
        config: half.config.clone(),
        ip_result: half.allocation.clone(),
    };
    // The types have string keys only and no serialiser that can fail.
    serde_json::to_vec_pretty(&document).unwrap_or_default()
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn read(text: &[u8]) -> Result<ContainerHalf, BoxError> {
    let document: Document = json::from_value(serde_json::from_slice(text)?)?;
    if let Some(version) = document.version.filter(|version| *version > VERSION) {
        return Err(format!("version {version} is later than {VERSION}").into());
    }
    Ok(ContainerHalf {
        attachment: AttachmentId {
            network: document.name,
            container: document.container_id,
            interface: document.if_name,
        },
        pod_uid: document.pod_uid,
        config: document.config,
        allocation: document.ip_result,
    })
}
