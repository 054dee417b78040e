//! A pod's annotations with the halves: the list, and the change that makes it another. Pure.
//!
//! A change is a JSON Patch (RFC 6902) that tests what it stands on, so that the API refuses it when another was there first.

use serde_json::{Value, json};
use userspace_core::{
    half::ContainerHalf,
    id::AttachmentId,
    remote::annotations::{DATA, MAPPED_DIR},
};

use super::pod::Pod;

/// The halves in a pod's annotations. What is no half of ours stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Halves(Vec<Value>);

impl Halves {
    /// Those of the pod.
    ///
    /// # Errors
    /// Why the annotation is no list.
    pub(super) fn of(pod: &Pod) -> Result<Self, String> {
        let text = pod.annotation(DATA).unwrap_or_default();
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let found: Result<Option<Vec<Value>>, _> = serde_json::from_str(text);
        found
            .map(|list| Self(list.unwrap_or_default()))
            .map_err(|error| format!("\"{DATA}\" is no JSON list: {error}"))
    }

    /// With the half in the place of an earlier one of the same attachment, and without those of other containers that are `stale`: a pod
    /// has one sandbox at a time, whose predecessor may have gone while the API was out of reach.
    pub(super) fn with(mut self, half: &ContainerHalf, stale: impl Fn(&AttachmentId) -> bool) -> Self {
        let id = &half.attachment;
        let entry = serde_json::from_slice(&half.without_secret().to_json()).unwrap_or_default();
        self.0.retain(|other| match id_of(other) {
            Some(other) => other.container == id.container || !stale(&other),
            None => true,
        });
        match self.0.iter_mut().find(|other| is_of(other, id)) {
            Some(place) => *place = entry,
            None => self.0.push(entry),
        }
        self
    }

    /// Without that of the attachment.
    pub(super) fn without(mut self, id: &AttachmentId) -> Self {
        self.0.retain(|entry| !is_of(entry, id));
        self
    }

    /// Whether that of the attachment is there.
    pub(super) fn has(&self, id: &AttachmentId) -> bool {
        self.0.iter().any(|entry| is_of(entry, id))
    }
}

fn is_of(entry: &Value, id: &AttachmentId) -> bool {
    let has = |key: &str, value: &str| entry.get(key).and_then(Value::as_str) == Some(value);
    has("containerId", id.container.as_str())
        && has("ifName", id.interface.as_str())
        && has("name", id.network.as_str())
}

fn id_of(entry: &Value) -> Option<AttachmentId> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    Some(AttachmentId {
        network: text("name")?.parse().ok()?,
        container: text("containerId")?.parse().ok()?,
        interface: text("ifName")?.parse().ok()?,
    })
}

/// The patch that makes the pod's halves `wanted`, and tells of the directory with them; none when nothing is to change.
///
/// A directory that somebody typed in stays. Ours goes with the last half.
pub(super) fn change(pod: &Pod, wanted: &Halves, mapped_dir: &str) -> Option<Value> {
    let text = (!wanted.0.is_empty()).then(|| Value::from(wanted.0.clone()).to_string());
    let old = Halves::of(pod).unwrap_or_default();
    let mut steps = Vec::new();
    if old != *wanted || text.is_none() {
        steps.extend(step(DATA, pod.annotation(DATA), text.as_deref()));
    }
    let told = pod.annotation(MAPPED_DIR);
    let to_tell = match told {
        None | Some("") => text.is_some().then_some(mapped_dir),
        Some(told) if told == mapped_dir && text.is_none() => None,
        told => told,
    };
    steps.extend(step(MAPPED_DIR, told, to_tell));
    if steps.is_empty() {
        return None;
    }
    let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": pod.metadata.uid})];
    if pod.metadata.annotations.is_none() || pod.annotation(DATA).is_none() {
        // Absence cannot be tested; that nothing at all has changed can.
        let version = &pod.metadata.resource_version;
        patch.push(json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}));
    }
    if pod.metadata.annotations.is_none() {
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    patch.extend(steps.into_iter().flatten());
    Some(Value::Array(patch))
}

/// What makes one annotation another.
fn step(key: &str, old: Option<&str>, new: Option<&str>) -> Option<Vec<Value>> {
    let path = format!("/metadata/annotations/{}", key.replace('~', "~0").replace('/', "~1"));
    let test = |old: &str| json!({"op": "test", "path": path, "value": old});
    match (old, new) {
        (old, new) if old == new => None,
        (None, Some(new)) => Some(vec![json!({"op": "add", "path": path, "value": new})]),
        (Some(old), Some(new)) => Some(vec![test(old), json!({"op": "replace", "path": path, "value": new})]),
        (Some(old), None) => Some(vec![test(old), json!({"op": "remove", "path": path})]),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
