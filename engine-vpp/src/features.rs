//! What a VPP can make, from the messages that it knows.

use userspace_core::{
    engine::{EngineError, EngineInfo, ErrorKind},
    spec::{Bandwidth, Device, InterfaceKind, InterfaceSpec, MemifMode, MemifSocket, Network},
};
use vpp_api_client::{
    Client, Error, Message,
    messages::{
        af_packet::AfPacketCreateV3,
        memif::{MemifCreate, MemifCreateV2, MemifSocketFilenameAddDelV2},
        policer::PolicerAddDel,
        tapv2::TapCreateV3,
        vhost_user::CreateVhostUserIfV2,
    },
};

use crate::{
    create::{plain_name, plain_text},
    place::Side,
    release::Release,
};

/// DMA came with the second form of the request.
const DMA: &str = "memif with DMA";
/// So did names of sockets that are no files.
const ABSTRACT: &str = "memif on an abstract socket";
const POLICER: &str = "policer";

/// The features of that VPP: the kinds that it makes, and `no KIND: REASON` for those that it does not.
pub(crate) fn of(vpp: &Client) -> Vec<String> {
    let mut features = Vec::new();
    note(&mut features, &InterfaceKind::Memif.to_string(), either(vpp));
    note(&mut features, &InterfaceKind::VhostUser.to_string(), has::<CreateVhostUserIfV2>(vpp));
    note(&mut features, &InterfaceKind::Netdev.to_string(), has::<AfPacketCreateV3>(vpp));
    note(&mut features, &InterfaceKind::Tap.to_string(), has::<TapCreateV3>(vpp));
    note(&mut features, POLICER, has::<PolicerAddDel>(vpp));
    note(&mut features, DMA, has::<MemifCreateV2>(vpp));
    note(&mut features, ABSTRACT, has::<MemifSocketFilenameAddDelV2>(vpp));
    features
}

fn has<M: Message>(vpp: &Client) -> Result<(), Error> {
    vpp.table().id::<M>().map(drop)
}

fn either(vpp: &Client) -> Result<(), Error> {
    has::<MemifCreateV2>(vpp).or_else(|_| has::<MemifCreate>(vpp))
}

fn note(features: &mut Vec<String>, name: &str, found: Result<(), Error>) {
    features.push(match found {
        Ok(()) => name.to_owned(),
        Err(error) => format!("no {name}: {error}"),
    });
}

/// Refuses what this VPP, or any, cannot make.
pub(crate) fn check(
    side: Side,
    info: &EngineInfo,
    spec: &InterfaceSpec,
    network: &Network,
) -> Result<(), EngineError> {
    let kind = spec.kind();
    if !matches!(
        kind,
        InterfaceKind::Memif | InterfaceKind::VhostUser | InterfaceKind::Netdev | InterfaceKind::Tap
    ) {
        return unsupported(format!("make a {kind} on VPP (\"linux\" makes one)"));
    }
    need(info, &kind.to_string(), &format!("make a {kind}"))?;
    if spec.bandwidth.is_some() {
        need(info, POLICER, "limit the bandwidth")?;
    }
    if let (Some(Bandwidth { ingress: Some(_), .. }), Network::Bridge(_)) = (spec.bandwidth, network) {
        polices_what_it_bridges(info)?;
    }
    match (&spec.device, network) {
        (Device::Memif(memif), _) if memif.mode == MemifMode::InjectPunt => {
            unsupported("make a memif of mode inject-punt (VPP crashes on it; \"ethernet\" and \"ip\" work)")
        }
        (Device::Memif(memif), Network::Bridge(_)) if memif.mode == MemifMode::Ip => {
            unsupported("join a memif of mode ip to a bridge domain (\"ethernet\" can)")
        }
        (Device::Memif(memif), _) => {
            if memif.dma {
                need(info, DMA, "use DMA")?;
            }
            abstract_socket(info, &memif.socket)?;
            own_queues(spec)
        }
        (Device::VhostUser(_), _) if side == Side::Container => {
            unsupported("make the device's end of a vhost-user port on VPP (it makes the vswitch's end only)")
        }
        (Device::VhostUser(_), _) => own_queues(spec),
        _ => Ok(()),
    }
}

/// The queues of a memif and of a vhost-user port come with the peer: until then VPP knows none.
fn own_queues(spec: &InterfaceSpec) -> Result<(), EngineError> {
    if spec.receive.workers.is_empty() {
        return Ok(());
    }
    unsupported(format!("place the receive queues of a {} (rxWorkers is for tap and veth)", spec.kind()))
}

/// 23.06 opens an abstract socket in another network namespace, and stays in that one itself: all that it opens later is there.
fn abstract_socket(info: &EngineInfo, socket: &MemifSocket) -> Result<(), EngineError> {
    let MemifSocket::Abstract(socket) = socket else {
        return Ok(());
    };
    need(info, ABSTRACT, "use an abstract socket (socketType)")?;
    plain_name(&socket.name)?;
    if let Some(netns) = &socket.netns {
        // Any release that cannot read what is behind a namespace's path goes there and stays.
        plain_text(&netns.path)?;
    }
    if socket.netns.is_none() || Release::V23_10.is_reached_by(&info.version) {
        return Ok(());
    }
    unsupported(format!(
        "use an abstract socket (socketType) in the container's network namespace on VPP {} (23.10 and later can; socketType \"file\" works)",
        info.version
    ))
}

/// An older VPP takes such a policer and never asks it.
fn polices_what_it_bridges(info: &EngineInfo) -> Result<(), EngineError> {
    if Release::V26_06.is_reached_by(&info.version) {
        return Ok(());
    }
    unsupported(format!(
        "limit what a container in a bridge domain receives (ingressRate) on VPP {} (26.06 and later can; here netType \"interface\" can, \
         and egressRate at those who send)",
        info.version
    ))
}

fn need(info: &EngineInfo, feature: &str, doing: &str) -> Result<(), EngineError> {
    if info.has(feature) {
        return Ok(());
    }
    let missing = format!("no {feature}: ");
    let reason = info.features.iter().find_map(|known| known.strip_prefix(&missing));
    let doing = format!("{doing} on VPP {}", info.version);
    let error = EngineError::new(ErrorKind::Unsupported, doing);
    Err(match reason {
        Some(reason) => error.because(reason.to_owned()),
        None => error,
    })
}

fn unsupported(doing: impl Into<String>) -> Result<(), EngineError> {
    Err(EngineError::new(ErrorKind::Unsupported, doing))
}

#[cfg(test)]
mod tests {
    use userspace_core::{
        netns::NetnsRef,
        spec::{AbstractSocket, EngineKind},
    };

    use super::*;

    fn on(version: &str, name: &str, netns: Option<&str>) -> Result<(), ErrorKind> {
        let features = vec![ABSTRACT.to_owned()];
        let info = EngineInfo { kind: EngineKind::Vpp, version: version.to_owned(), features };
        let netns =
            netns.map(|path| NetnsRef { path: path.into(), dev: 4, inode: 5, boot_id: String::new() });
        let socket = MemifSocket::Abstract(AbstractSocket { name: name.to_owned(), netns });
        abstract_socket(&info, &socket).map_err(|error| error.kind())
    }

    #[test]
    fn an_abstract_socket_is_what_the_release_can_reach() {
        let there = Some("/run/netns/cni-0a");
        assert_eq!(on("26.06-release", "memif-0a", there), Ok(()));
        assert_eq!(on("23.06-release", "memif-0a", None), Ok(()));
        assert_eq!(on("23.06-release", "memif-0a", there), Err(ErrorKind::Unsupported));
        assert_eq!(on("of somebody", "memif-0a", there), Err(ErrorKind::Unsupported));
        for (name, netns) in
            [("a,b", there), ("", None), ("a", Some("/run/netns/a~b")), ("a", Some("netns/a"))]
        {
            assert_eq!(on("26.06-release", name, netns), Err(ErrorKind::Invalid), "{name:?} {netns:?}");
        }
    }
}
