//! Rate limits: a policer for each direction, named after its owner.

use userspace_core::{
    engine::{EngineError, ErrorKind},
    fault,
    owner::OwnerTag,
    spec::{Bandwidth, Rate},
};
use vpp_api_client::{
    Client,
    codec::Text,
    messages::policer::{PolicerAddDel, PolicerDetails, PolicerDump, PolicerInput, PolicerOutput},
    types::{PolicerType, QosAction, QosActionType, RateType, RoundType, SwIfIndex},
};

use crate::{access::ask, error, interface::Made, names};

/// What VPP receives from the interface.
const INPUT: char = 'i';
/// What VPP sends to it.
const OUTPUT: char = 'o';

/// The policers of an interface, of what VPP receives from it and of what it sends to it.
pub(crate) type Policers = [Option<PolicerDetails>; 2];

/// The least burst: ten frames of Ethernet's usual size. A smaller one would let nothing through.
const LEAST_BURST_BYTES: u64 = 10 * 1518;

/// Limits the interface. What the container sends is what VPP receives.
pub(crate) async fn make(
    vpp: &Client,
    tag: &OwnerTag,
    bandwidth: Bandwidth,
    index: SwIfIndex,
) -> Result<(), EngineError> {
    if let Some(rate) = bandwidth.egress {
        let policer = policer(tag, INPUT, rate)?;
        ask(vpp, "make a policer of what the container sends", &policer).await?;
        fault::point("after policer")?;
        let apply = PolicerInput { name: policer.name, sw_if_index: index, apply: true };
        ask(vpp, "police what the container sends", &apply).await?;
    }
    if let Some(rate) = bandwidth.ingress {
        let policer = policer(tag, OUTPUT, rate)?;
        ask(vpp, "make a policer of what the container receives", &policer).await?;
        let apply = PolicerOutput { name: policer.name, sw_if_index: index, apply: true };
        ask(vpp, "police what the container receives", &apply).await?;
    }
    Ok(())
}

fn policer(tag: &OwnerTag, direction: char, rate: Rate) -> Result<PolicerAddDel, EngineError> {
    let kilobits = (rate.bits_per_second / 1000).max(1);
    let cir = u32::try_from(kilobits).map_err(|_| {
        let doing = format!("limit the bandwidth to {} bit/s", rate.bits_per_second);
        EngineError::new(ErrorKind::Invalid, format!("{doing} (VPP takes at most {} kbit/s)", u32::MAX))
    })?;
    let burst = match rate.burst_bits {
        0 => rate.bits_per_second / 8 / 10,
        bits => bits / 8,
    };
    let action = |kind| QosAction { kind, dscp: 0 };
    Ok(PolicerAddDel {
        is_add: true,
        name: names::text(&names::policer(tag, direction)),
        cir,
        cb: burst.max(LEAST_BURST_BYTES),
        rate_type: RateType::KBPS,
        round_type: RoundType::CLOSEST,
        kind: PolicerType::ONE_RATE_TWO_COLOUR,
        conform_action: action(QosActionType::TRANSMIT),
        exceed_action: action(QosActionType::DROP),
        violate_action: action(QosActionType::DROP),
        ..PolicerAddDel::default()
    })
}

/// What is policed, for a comparison: kilobits a second and bytes, of what the container sends and receives.
pub(crate) async fn observe(vpp: &Client, tag: &OwnerTag) -> Result<[Option<(u32, u64)>; 2], EngineError> {
    let [input, output] = look(vpp, tag).await?;
    let limits = |found: Option<PolicerDetails>| found.map(|found| (found.cir, found.cb));
    Ok([limits(input), limits(output)])
}

/// What should be policed, in the same form.
pub(crate) fn wanted(tag: &OwnerTag, bandwidth: Bandwidth) -> Result<[Option<(u32, u64)>; 2], EngineError> {
    let limits = |rate: Option<Rate>| -> Result<_, EngineError> {
        let policer = rate.map(|rate| policer(tag, INPUT, rate)).transpose()?;
        Ok(policer.map(|policer| (policer.cir, policer.cb)))
    };
    Ok([limits(bandwidth.egress)?, limits(bandwidth.ingress)?])
}

/// The owner's policers, asked for at once.
pub(crate) fn look(
    vpp: &Client,
    tag: &OwnerTag,
) -> impl Future<Output = Result<Policers, EngineError>> + Send + use<> {
    let dump = |direction| {
        let match_name = names::text(&names::policer(tag, direction));
        vpp.dump(&PolicerDump { match_name_valid: true, match_name })
    };
    let asked = vpp.knows::<PolicerDump>().then(|| [dump(INPUT), dump(OUTPUT)]);
    async move {
        let Some([input, output]) = asked else {
            return Ok([None, None]);
        };
        let doing = || error::doing("look up the policers of an interface");
        let input = input.await.map_err(doing())?.into_iter().next();
        let output = output.await.map_err(doing())?.into_iter().next();
        Ok([input, output])
    }
}

/// Removes the owner's policers, from the interface first, if it is there.
pub(crate) async fn remove(vpp: &Client, made: &Made, policers: &Policers) -> Result<(), EngineError> {
    for (found, direction) in policers.iter().zip([INPUT, OUTPUT]) {
        let Some(PolicerDetails { name, .. }) = *found else { continue };
        if let Some(index) = made.index {
            // VPP 26.06 crashes when one is taken off that was never put on. Where a kill may have come between, it is put on first: the
            // interface is down, and goes next.
            if made.is_complete || put(vpp, (name, direction), index, true).await? {
                put(vpp, (name, direction), index, false).await?;
            }
        }
        let gone = PolicerAddDel { is_add: false, name, ..PolicerAddDel::default() };
        ask(vpp, "remove a policer", &gone).await?;
    }
    Ok(())
}

/// Puts a policer on the interface, or takes it off; whether VPP did it.
async fn put(
    vpp: &Client,
    (name, direction): (Text<64>, char),
    sw_if_index: SwIfIndex,
    apply: bool,
) -> Result<bool, EngineError> {
    let done = match direction {
        INPUT => vpp.request(&PolicerInput { name, sw_if_index, apply }).await.map(drop),
        _ => vpp.request(&PolicerOutput { name, sw_if_index, apply }).await.map(drop),
    };
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.retval().is_some() => Ok(false),
        Err(error) => Err(error::doing("take a policer off an interface")(error)),
    }
}
