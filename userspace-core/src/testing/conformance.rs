//! What [`Engine`] promises, asked of any engine: the in-memory fake, a fake daemon, the real vswitch.
//!
//! Each check panics with what was expected. The engine must have no interface of the subject's owners to begin with, and has
//! none in the end.

use crate::{
    addr::Address,
    cx::Cx,
    engine::{Engine, ErrorKind, Hint, Interface},
    owner::Owner,
    reconcile::{State, diff},
    spec::{InterfaceSpec, Network},
};

/// What to try an engine with.
pub struct Subject<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// Something that it can make, for `owner`.
    pub spec: InterfaceSpec,
    /// The same with one thing changed.
    pub other_spec: InterfaceSpec,
    /// A network that it can make and join.
    pub network: Network,
    /// Whose the interface is to be.
    pub owner: Owner,
    /// Somebody else.
    pub stranger: Owner,
    /// Addresses that the interface can have, where the engine sets addresses.
    pub addresses: Vec<Address>,
}

/// Runs all checks.
pub async fn run(cx: Cx, subject: &Subject<'_>) {
    supported(cx, subject).await;
    absent(cx, subject).await;
    let made = made_once(cx, subject).await;
    found_by_its_owner_alone(cx, subject, &made.hint()).await;
    joined(cx, subject, made.as_ref()).await;
    assigned(cx, subject, made.as_ref()).await;
    removed(cx, subject, made).await;
}

async fn supported(cx: Cx, subject: &Subject<'_>) {
    let info = subject.engine.ready(cx).await.expect("the engine is ready");
    assert!(!info.version.is_empty(), "the engine tells its version");
    subject.engine.supports(&info, &subject.spec, &subject.network).expect("the engine supports the subject");
}

async fn absent(cx: Cx, subject: &Subject<'_>) {
    let tag = &subject.owner.tag;
    assert!(find(cx, subject, &subject.owner, None).await.is_none(), "{tag} exists before it was made");
    let wrong = Hint { index: Some(1), ..Hint::named("lo") };
    let found = find(cx, subject, &subject.owner, Some(&wrong)).await;
    assert!(found.is_none(), "a hint was trusted");
}

async fn made_once(cx: Cx, subject: &Subject<'_>) -> Box<dyn Interface> {
    let Subject { engine, owner, network, .. } = subject;
    let first = engine.ensure(cx, owner, &subject.spec, network).await.expect("the first ensure");
    let again = engine.ensure(cx, owner, &subject.spec, network).await.expect("the second ensure");
    assert_eq!(first.hint(), again.hint(), "the second ensure made another");
    let other = engine.ensure(cx, owner, &subject.other_spec, network).await;
    let error = other.err().expect("another specification under the same owner is a conflict");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    again
}

async fn found_by_its_owner_alone(cx: Cx, subject: &Subject<'_>, hint: &Hint) {
    for hint in [None, Some(hint)] {
        let found = find(cx, subject, &subject.owner, hint).await;
        assert!(found.is_some(), "the owner does not find it with {hint:?}");
        let found = find(cx, subject, &subject.stranger, hint).await;
        assert!(found.is_none(), "a stranger found it with {hint:?}");
    }
    let owned = subject.engine.owned(cx).await.expect("owned");
    let tags: Vec<_> = owned.iter().map(|owned| owned.tag).collect();
    assert!(tags.contains(&subject.owner.tag), "owned lacks {}: {tags:?}", subject.owner.tag);
    assert!(!tags.contains(&subject.stranger.tag), "owned has a stranger");
}

async fn joined(cx: Cx, subject: &Subject<'_>, made: &dyn Interface) {
    made.join(cx, &subject.network).await.expect("the first join");
    made.join(cx, &subject.network).await.expect("the second join");
    let desired = State::desired(&subject.spec, &subject.network);
    let observed = made.observe(cx, &subject.spec, &subject.network).await.expect("observe");
    assert_eq!(diff(&desired, &observed), [], "after the join");
}

async fn assigned(cx: Cx, subject: &Subject<'_>, made: &dyn Interface) {
    let all = &subject.addresses;
    for wanted in [all.as_slice(), all, &all[..all.len().min(1)], &[]] {
        made.assign(cx, wanted, &[]).await.expect("assign");
        let observed = made.observe(cx, &subject.spec, &subject.network).await.expect("observe");
        let observed = observed.addresses.unwrap_or_default();
        for address in all {
            let is = observed.contains(&address.ip);
            let should = wanted.contains(address);
            assert_eq!(is, should, "{} after assigning {wanted:?}: {observed:?}", address.ip);
        }
    }
}

async fn removed(cx: Cx, subject: &Subject<'_>, made: Box<dyn Interface>) {
    let stale = find(cx, subject, &subject.owner, None).await.expect("it is there");
    made.remove(cx).await.expect("remove");
    stale.remove(cx).await.expect("removing what is gone");
    assert!(find(cx, subject, &subject.owner, None).await.is_none(), "it is there after its removal");
    let owned = subject.engine.owned(cx).await.expect("owned");
    let Subject { engine, owner, network, .. } = subject;
    engine.prune(cx, &owner.tag, network).await.expect("prune the network");
    engine.prune(cx, &owner.tag, network).await.expect("prune what is gone");
    assert!(owned.iter().all(|owned| owned.tag != subject.owner.tag), "owned still has it");
}

async fn find(
    cx: Cx,
    subject: &Subject<'_>,
    owner: &Owner,
    hint: Option<&Hint>,
) -> Option<Box<dyn Interface>> {
    subject.engine.find(cx, &owner.tag, hint).await.expect("find")
}
