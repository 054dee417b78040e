//! Policers.

use vpp_api_client::{
    messages::policer::{PolicerAddDel, PolicerDump, PolicerInput, PolicerOutput},
    types::{QosAction, QosActionType, SwIfIndex},
};

use crate::at::{At, text};

pub(crate) async fn names_are_unique(at: &At) {
    let action = |kind| QosAction { kind, dscp: 0 };
    let policer = PolicerAddDel {
        is_add: true,
        name: text("p1"),
        cir: 8000,
        cb: 100_000,
        conform_action: action(QosActionType::TRANSMIT),
        exceed_action: action(QosActionType::DROP),
        violate_action: action(QosActionType::DROP),
        ..PolicerAddDel::default()
    };
    at.done(&policer).await;
    assert_eq!(at.retval(&policer).await, -81);
    assert_eq!(at.retval(&PolicerAddDel { name: text("p2"), cir: 0, ..policer.clone() }).await, -7);
    let dump = |name| PolicerDump { match_name_valid: true, match_name: text(name) };
    let found = at.dump(&dump("p1")).await;
    assert_eq!(
        (found.len(), found[0].name.to_string(), found[0].cir, found[0].cb),
        (1, "p1".to_owned(), 8000, 100_000)
    );
    assert_eq!(at.dump(&dump("p")).await, [], "the whole name");
    let sw_if_index = at.loopback(41).await;
    let input = |name, sw_if_index, apply| PolicerInput { name: text(name), sw_if_index, apply };
    for (request, expected) in [
        (input("p1", sw_if_index, true), 0),
        (input("p1", sw_if_index, false), 0),
        (input("nobody", sw_if_index, true), -6),
        (input("p1", SwIfIndex(4000), true), -2),
    ] {
        assert_eq!(at.retval(&request).await, expected, "{request:?}");
    }
    let output = PolicerOutput { name: text("p1"), sw_if_index, apply: true };
    at.done(&output).await;
    // It may go while an interface is policed by it, and the interface too.
    at.done(&PolicerAddDel { is_add: false, ..policer.clone() }).await;
    assert_eq!(at.retval(&PolicerAddDel { is_add: false, ..policer }).await, -6);
    assert_eq!(at.dump(&PolicerDump::default()).await, []);
    at.delete_loopback(sw_if_index).await;
}
