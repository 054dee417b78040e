//! `container-app eal`: the arguments by which a DPDK application takes up what is published.

use std::{path::Path, process::ExitCode};

use userspace_core::{
    devargs,
    engine::chain,
    half::ContainerHalf,
    spec::{Device, InterfaceSpec},
};

use super::{fail, read, show::say};
use crate::{
    cli::Eal,
    settings::Settings,
    sources::{Found, Sources},
};

pub(super) async fn run(settings: Settings, typed: Eal) -> ExitCode {
    let found = match read(&mut Sources::of(&settings), &mut Found::default()).await {
        Ok(found) => found,
        Err(reason) => return fail(&reason),
    };
    let arguments = match arguments(&found.halves, &found.dir) {
        Ok(arguments) if found.halves.len() >= settings.expect => arguments,
        Ok(_) => {
            let expected = settings.expect;
            return fail(&format!(
                "{} of {expected} interfaces are published in {:?}",
                found.halves.len(),
                found.dir
            ));
        }
        Err(reason) => return fail(&reason),
    };
    if typed.json {
        say(&serde_json::to_string(&arguments).unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    // A shell takes them apart at white space, of which there is none, and takes these for patterns.
    match arguments.iter().find(|argument| argument.contains(['*', '?', '['])) {
        Some(_) => fail("an argument has '*', '?' or '[', which a shell replaces: take --json"),
        None => {
            say(&arguments.join(" "));
            ExitCode::SUCCESS
        }
    }
}

/// One `--vdev` an interface, in the order of the halves.
fn arguments(halves: &[ContainerHalf], dir: &Path) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    let mut shares_memory = false;
    for half in halves {
        let name = &half.attachment.interface;
        let told = |error: &dyn std::error::Error| format!("{name}: {error}");
        let InterfaceSpec { device, mac, .. } =
            half.spec(dir).map_err(|error| format!("{name}: {}", chain(&error)))?;
        let device = match &device {
            Device::Memif(memif) => devargs::memif(&format!("{}{name}", devargs::MEMIF), memif, mac),
            Device::VhostUser(vhost) => {
                shares_memory = true;
                devargs::virtio_user(&format!("{}{name}", devargs::VIRTIO_USER), vhost, mac)
            }
            // A kernel interface is none of DPDK's.
            _ => continue,
        };
        arguments.push(format!("--vdev={}", device.map_err(|error| told(&error))?));
    }
    if shares_memory {
        // virtio_user hands all of the memory over, a file at a time, and has room for eight (virtio_user's VHOST_MEMORY_MAX_NREGIONS).
        arguments.push("--single-file-segments".to_owned());
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(interface: &str, config: &str) -> ContainerHalf {
        let text = format!(r#"{{"containerId":"c1","ifName":"{interface}","name":"net","config":{config}}}"#);
        ContainerHalf::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn each_interface_is_a_device_by_its_name() {
        let halves = [
            half("net1", r#"{"iftype":"memif","mac":"02:00:00:00:00:01","memif":{"socketfile":"a.sock"}}"#),
            half("net2", r#"{"iftype":"vhostuser","vhost":{"mode":"server","socketfile":"b"}}"#),
        ];
        let expected = [
            "--vdev=net_memif_net1,role=client,id=0,socket-abstract=no,socket=/s/a.sock,rsize=10,bsize=2048,\
             mac=02:00:00:00:00:01",
            "--vdev=net_virtio_user_net2,path=/s/b,queues=1,server=1",
            "--single-file-segments",
        ];
        assert_eq!(arguments(&halves, Path::new("/s")).unwrap(), expected);
        let reason = arguments(&halves, Path::new("/s,x")).unwrap_err();
        assert!(reason.starts_with("net1: ") && reason.contains("socket"), "{reason}");
    }
}
