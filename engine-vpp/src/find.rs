//! An owner's interface, and what is left of one, looked up by the names that follow from the owner's tag.

use ipnet::IpNet;
use userspace_core::{
    engine::{EngineError, ErrorKind, Hint},
    owner::OwnerTag,
    spec::Device,
};
use vpp_api_client::{
    Client,
    messages::{interface::SwInterfaceDetails, memif::MemifSocketFilenameDump},
    types::SwIfIndex,
};

use crate::{
    access::{by_index, by_name},
    error, gateway,
    interface::Made,
    names::{self, mark_of},
    policer::{self, Policers},
    remove::Seen,
};

/// What has a name that an owner's interface would have.
pub(crate) enum Found {
    /// It is not there.
    Nothing,
    /// The owner's, as its mark says.
    Ours(Box<SwInterfaceDetails>),
    /// Without a tag: whoever made it was killed before it could set one.
    Unmarked(Box<SwInterfaceDetails>),
    /// Another's.
    Foreign(Box<SwInterfaceDetails>),
}

/// What has the name of the interface that is made for `device`.
pub(crate) async fn of_device(vpp: &Client, tag: &OwnerTag, device: &Device) -> Result<Found, EngineError> {
    let found = by_name(vpp, &names::of_device(tag, device)).await?;
    Ok(found.map_or(Found::Nothing, |details| judge(tag, details)))
}

/// Whose an interface with one of the owner's names is.
pub(crate) fn judge(tag: &OwnerTag, details: SwInterfaceDetails) -> Found {
    let details = Box::new(details);
    match mark_of(&details) {
        (Some(mark), _) if mark.tag.same_attachment(tag) => Found::Ours(details),
        (None, true) => Found::Unmarked(details),
        _ => Found::Foreign(details),
    }
}

/// That somebody else has what the owner needs.
pub(crate) fn taken(details: &SwInterfaceDetails) -> EngineError {
    let name = &details.interface_name;
    let doing = match details.tag.to_string() {
        tag if tag.is_empty() => format!("make {name} (there is one that is not ours)"),
        tag => format!("make {name} (there is one that is not ours, with the tag {tag:?})"),
    };
    EngineError::new(ErrorKind::Conflict, doing)
}

type Answer<T> = Result<T, EngineError>;

/// The owner's interface, or what is left of it: without one, its memif socket or its policers.
pub(crate) async fn anything(
    vpp: &Client,
    tag: &OwnerTag,
    hint: Option<&Hint>,
) -> Result<Option<Made>, EngineError> {
    let routes: Vec<IpNet> =
        hint.map(|hint| hint.routes.iter().map(|route| route.dst).collect()).unwrap_or_default();
    // What a removal must know is asked together with the interface.
    let hinted = hint.and_then(|hint| hint.index).map(SwIfIndex);
    let asked = (hinted.map(|index| gateway::lender(vpp, index)), policer::look(vpp, tag));
    if let Some(details) = ours(vpp, tag, hint).await? {
        // The instance that made it decides about its network.
        let owner = mark_of(&details).0.map_or(*tag, |mark| mark.tag);
        let seen = if hinted == Some(details.sw_if_index) { seen(asked).await } else { None };
        return Ok(Some(Made { routes, seen, ..Made::found(owner, &details) }));
    }
    let (_, policers) = asked;
    let left = policers.await?.iter().any(Option::is_some) || has_socket(vpp, tag).await?;
    let made = Made { name: names::memif(tag), routes, ..Made::nothing(*tag) };
    Ok(left.then_some(made))
}

/// The answers, when both came: whoever removes the interface asks again otherwise, and tells what failed.
async fn seen(
    (lender, policers): (
        Option<impl Future<Output = Answer<Option<SwIfIndex>>>>,
        impl Future<Output = Answer<Policers>>,
    ),
) -> Option<Seen> {
    Some(Seen { lender: lender?.await.ok()?, policers: policers.await.ok()? })
}

async fn ours(
    vpp: &Client,
    tag: &OwnerTag,
    hint: Option<&Hint>,
) -> Result<Option<SwInterfaceDetails>, EngineError> {
    let candidates = names::all(tag);
    let known = |details: &SwInterfaceDetails| {
        candidates.iter().any(|name| details.interface_name == **name)
            && !matches!(judge(tag, details.clone()), Found::Foreign(_))
    };
    if let Some(index) = hint.and_then(|hint| hint.index)
        && let Some(details) = by_index(vpp, SwIfIndex(index)).await?
        && known(&details)
    {
        return Ok(Some(details));
    }
    // All are asked at once.
    let asked: Vec<_> = candidates.iter().map(|name| by_name(vpp, name)).collect();
    let mut found = None;
    for answer in asked {
        found = found.or(answer.await?.filter(known));
    }
    Ok(found)
}

/// Whether the owner's memif socket is there without a memif. Lists the sockets: only for what has no interface any more.
async fn has_socket(vpp: &Client, tag: &OwnerTag) -> Result<bool, EngineError> {
    if !vpp.knows::<MemifSocketFilenameDump>() {
        return Ok(false);
    }
    let sockets = vpp.dump(&MemifSocketFilenameDump {}).await;
    let sockets = sockets.map_err(error::doing("list the sockets of memifs"))?;
    Ok(sockets.iter().any(|socket| socket.socket_id == names::number(tag)))
}
