//! Rate limits (policer/policer.api; a plugin from 26.02 on).

use crate::{
    codec::Text,
    types::{PolicerType, QosAction, RateType, RoundType, SwIfIndex},
};

messages! {
    of "policer plugin";

    /// Makes or removes a policer.
    request PolicerAddDel "policer_add_del_2b31dd38" -> PolicerAddDelReply {
        is_add: bool, name: Text<64>, cir: u32, eir: u32, cb: u64, eb: u64, rate_type: RateType, round_type: RoundType,
        kind: PolicerType, color_aware: bool, conform_action: QosAction, exceed_action: QosAction,
        violate_action: QosAction,
    }
    /// Its index.
    reply PolicerAddDelReply "policer_add_del_reply_a177cef2" { retval: i32, policer_index: u32 }
    /// Polices what an interface receives, or no more.
    request PolicerInput "policer_input_233f0ef5" -> PolicerInputReply { name: Text<64>, sw_if_index: SwIfIndex, apply: bool }
    /// Done, or not.
    reply PolicerInputReply "policer_input_reply_e8d4e804" { retval: i32 }
    /// Polices what an interface sends, or no more.
    request PolicerOutput "policer_output_233f0ef5" -> PolicerOutputReply {
        name: Text<64>, sw_if_index: SwIfIndex, apply: bool,
    }
    /// Done, or not.
    reply PolicerOutputReply "policer_output_reply_e8d4e804" { retval: i32 }
    /// Lists the policer of that name, or all.
    dump PolicerDump "policer_dump_35f1ae0f" -> PolicerDetails { match_name_valid: bool, match_name: Text<64> }
    /// One policer.
    details PolicerDetails "policer_details_72d0e248" {
        name: Text<64>, cir: u32, eir: u32, cb: u64, eb: u64, rate_type: RateType, round_type: RoundType,
        kind: PolicerType, conform_action: QosAction, exceed_action: QosAction, violate_action: QosAction,
        single_rate: bool, color_aware: bool, scale: u32, cir_tokens_per_period: u32, pir_tokens_per_period: u32,
        current_limit: u32, current_bucket: u32, extended_limit: u32, extended_bucket: u32, last_update_time: u64,
    }
}
