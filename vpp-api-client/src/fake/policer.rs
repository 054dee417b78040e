//! Policers, by name.

use super::{
    handlers::Handlers,
    model::{Model, Outcome, retval},
};
use crate::{
    codec::Text,
    messages::policer::{
        PolicerAddDel, PolicerAddDelReply, PolicerDetails, PolicerDump, PolicerInput, PolicerOutput,
    },
    types::PolicerType,
};

/// A policer is what it was made with.
pub(crate) type Policer = PolicerAddDel;

pub(crate) fn register(handlers: &mut Handlers) {
    handlers.request(|model, request: &PolicerAddDel| {
        let (retval, policer_index) = match add_del(model, request) {
            Ok(index) => (0, index),
            Err(retval) => (retval, u32::MAX),
        };
        PolicerAddDelReply { retval, policer_index }
    });
    handlers.done(apply);
    handlers.done(|model, request: &PolicerOutput| {
        let PolicerOutput { name, sw_if_index, apply } = *request;
        police(model, 1, &PolicerInput { name, sw_if_index, apply })
    });
    handlers.dump(|model, dump: &PolicerDump| {
        let policers = model.policers.values();
        let wanted = policers.filter(|policer| !dump.match_name_valid || policer.name == dump.match_name);
        wanted.map(details).collect()
    });
}

fn find(model: &Model, name: Text<64>) -> Option<u32> {
    model.policers.iter().find(|(_, policer)| policer.name == name).map(|(index, _)| *index)
}

fn add_del(model: &mut Model, request: &PolicerAddDel) -> Outcome<u32> {
    let found = find(model, request.name);
    if !request.is_add {
        model.policers.remove(&found.ok_or(retval::NO_SUCH_ENTRY)?);
        return Ok(u32::MAX);
    }
    if found.is_some() {
        return Err(retval::VALUE_EXIST);
    }
    // A rate and a burst there must be.
    if request.cir == 0 || request.cb == 0 {
        return Err(retval::INVALID_VALUE);
    }
    let index = (0..).find(|index| !model.policers.contains_key(index)).unwrap_or_default();
    model.policers.insert(index, request.clone());
    Ok(index)
}

fn apply(model: &mut Model, request: &PolicerInput) -> Outcome {
    police(model, 0, request)
}

/// Which interface is policed cannot be asked for, so it is not kept. To end it on an interface whose index is beyond all that ever were
/// policed in that direction is what VPP does not survive (24.10 and 26.06).
fn police(model: &mut Model, direction: usize, request: &PolicerInput) -> Outcome {
    let index = request.sw_if_index;
    model.get(index)?;
    find(model, request.name).ok_or(retval::NO_SUCH_ENTRY)?;
    let end = &mut model.policed[direction];
    if request.apply {
        *end = (*end).max(index.0.saturating_add(1));
    } else if index.0 >= *end {
        model.has_crashed = true;
    }
    Ok(())
}

fn details(policer: &Policer) -> PolicerDetails {
    PolicerDetails {
        name: policer.name,
        cir: policer.cir,
        eir: policer.eir,
        cb: policer.cb,
        eb: policer.eb,
        rate_type: policer.rate_type,
        round_type: policer.round_type,
        kind: policer.kind,
        conform_action: policer.conform_action,
        exceed_action: policer.exceed_action,
        violate_action: policer.violate_action,
        single_rate: policer.kind == PolicerType::ONE_RATE_TWO_COLOUR,
        color_aware: policer.color_aware,
        ..PolicerDetails::default()
    }
}
