//! Waiting until ovs-vswitchd has done what the database says.

use std::time::Duration;

use serde_json::json;
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind, chain},
};

use crate::{
    error,
    ovsdb::{Client, Error, Reply, Step, Transaction, Until, empty, equal},
    place::Place,
};

/// How long a removal waits for ovs-vswitchd, and never more than half of what is left: other steps of a teardown follow. What
/// ovs-vswitchd does afterwards harms nobody but a port of the same name.
const REMOVAL: Duration = Duration::from_secs(2);

/// How long to wait before asking whether ovs-vswitchd is still alive.
const BETWEEN_PROBES: Duration = Duration::from_secs(1);

/// What ovs-vswitchd made of a new Interface row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Its OpenFlow port number; negative when it could not be made.
    pub(crate) ofport: i64,
    /// Why not.
    pub(crate) error: Option<String>,
}

/// Asks for what ovs-vswitchd makes of the Interface row `name`; the request is under way when this returns, and the answer comes when
/// it has. Should ovs-vswitchd die meanwhile, that is the answer.
pub(crate) fn ask_made<'p>(
    cx: Cx,
    place: &'p Place,
    client: &Client,
    name: &str,
) -> impl Future<Output = Result<Made, EngineError>> + use<'p> {
    let mut asked = Asked::new(cx, client, name);
    let (client, name) = (client.clone(), name.to_owned());
    async move {
        loop {
            if let Some(made) = asked.answer(cx, &name).await? {
                return Ok(made);
            }
            place.require_vswitchd()?;
            asked = Asked::new(cx, &client, &name);
        }
    }
}

/// A request that waits for a while.
struct Asked<F> {
    reply: F,
    step: Step,
}

impl Asked<()> {
    #[allow(clippy::new_ret_no_self, reason = "the future's type has no name")]
    fn new(cx: Cx, client: &Client, name: &str) -> Asked<impl Future<Output = Result<Reply, Error>> + use<>> {
        let mut transaction = Transaction::new();
        let unset = json!([{"ofport": empty()}]);
        let conditions = [equal("name", name)];
        let limit = cx.at_most(BETWEEN_PROBES).remaining();
        transaction.wait("Interface", &conditions, &["ofport"], (Until::NotEqual, unset), limit);
        let step = transaction.select("Interface", &conditions, &["ofport", "error"]);
        Asked { reply: client.transact(&transaction), step }
    }
}

impl<F: Future<Output = Result<Reply, Error>>> Asked<F> {
    /// The answer, or `None` as long as there is none.
    async fn answer(self, cx: Cx, name: &str) -> Result<Option<Made>, EngineError> {
        let doing = || format!("wait until ovs-vswitchd has made the port {name:?}");
        let reply = cx.bound(doing, async { Ok::<_, EngineError>(self.reply.await) }).await?;
        let made = |reply: Reply| -> Result<Option<Made>, Error> {
            let Some(row) = reply.row(self.step)? else {
                return Ok(None);
            };
            let ofport = row.optional_integer("ofport")?.unwrap_or(-1);
            let error = row.optional_string("error")?;
            Ok(Some(Made { ofport, error: error.as_deref().map(error::without_secret) }))
        };
        match reply.and_then(made) {
            Ok(Some(made)) => Ok(Some(made)),
            Ok(None) => Err(EngineError::new(ErrorKind::Protocol, doing()).because("the port is gone again")),
            Err(error) if error.is_wait_timed_out() && cx.remaining().is_zero() => {
                Err(EngineError::new(ErrorKind::TimedOut, doing()))
            }
            Err(error) if error.is_wait_timed_out() => Ok(None),
            Err(error) => Err(error::doing(doing())(error)),
        }
    }
}

/// Marks the transaction as a change of the configuration that can be waited for.
pub(crate) fn number(transaction: &mut Transaction) -> Step {
    transaction.mutate("Open_vSwitch", &[], ("next_cfg", "+=", json!(1)));
    transaction.select("Open_vSwitch", &[], &["next_cfg"])
}

/// Waits until ovs-vswitchd has carried out the transaction of that [`number`]. One that is dead will do so when it starts.
pub(crate) async fn carried_out(cx: Cx, place: &Place, reply: &Reply, step: Step) -> Result<(), EngineError> {
    let doing = "wait until ovs-vswitchd has removed the port";
    let row = reply.row(step).map_err(error::doing(doing))?;
    let Some(row) = row else {
        return Ok(());
    };
    let wanted = row.integer("next_cfg").map_err(error::doing(doing))?;
    let cx = cx.at_most(REMOVAL.min(cx.remaining() / 2));
    if let Err(error) = place.require_vswitchd() {
        tracing::warn!(error = chain(&error), "ovs-vswitchd will find the port removed");
        return Ok(());
    }
    loop {
        match reached(cx, place, doing, wanted).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                tracing::warn!("ovs-vswitchd does not react; it will find the port removed");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits until ovs-vswitchd has carried out all that the database says by now. One that has just started leaves its predecessor's `ofport`
/// and `cur_cfg` there until it has looked at everything: only a new number tells.
pub(crate) async fn settled(cx: Cx, place: &Place) -> Result<(), EngineError> {
    let doing = "wait until ovs-vswitchd has carried out what the database says";
    let mut transaction = Transaction::new();
    let step = number(&mut transaction);
    let reply = place.transact(cx, doing, &transaction).await?;
    let Some(row) = reply.row(step).map_err(error::doing(doing))? else {
        return Ok(());
    };
    let wanted = row.integer("next_cfg").map_err(error::doing(doing))?;
    while !reached(cx.at_most(BETWEEN_PROBES), place, doing, wanted).await.or_else(|error| {
        let is_early = error.kind() == ErrorKind::TimedOut && !cx.remaining().is_zero();
        if is_early { Ok(false) } else { Err(error) }
    })? {
        place.require_vswitchd()?;
    }
    Ok(())
}

/// Whether the configuration `wanted` is in force; if not, waits for the next that is.
async fn reached(cx: Cx, place: &Place, doing: &str, wanted: i64) -> Result<bool, EngineError> {
    let mut look = Transaction::new();
    let step = look.select("Open_vSwitch", &[], &["cur_cfg"]);
    let reply = place.transact(cx, doing, &look).await?;
    let row = reply.row(step).map_err(error::doing(doing))?;
    let current = match row {
        Some(row) => row.integer("cur_cfg").map_err(error::doing(doing))?,
        None => return Ok(true),
    };
    if current >= wanted {
        return Ok(true);
    }
    let mut wait = Transaction::new();
    let seen = (Until::NotEqual, json!([{"cur_cfg": current}]));
    wait.wait("Open_vSwitch", &[], &["cur_cfg"], seen, cx.remaining());
    match place.try_transact(cx, doing, &wait).await? {
        Err(error) if error.is_wait_timed_out() => Err(EngineError::new(ErrorKind::TimedOut, doing)),
        Err(error) => Err(error::doing(doing)(error)),
        Ok(_) => Ok(false),
    }
}
