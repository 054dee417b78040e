//! Which Open vSwitch, and the connection to its database.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{sync::Mutex, time::timeout};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
};

use crate::{
    error,
    ovsdb::{Client, Error, Reply, Transaction},
    vswitchd::{self, Life},
};

/// Where Debian's, Red Hat's and most other packages have the database's socket.
const DEFAULT: &str = "/run/openvswitch/db.sock";

/// Which half of an attachment an Open vSwitch makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The host's: containers connect to it.
    Host,
    /// The container's: it connects to a host.
    Container,
}

/// Where an engine works.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) address: PathBuf,
    pub(crate) side: Side,
    client: Mutex<Option<Client>>,
    /// What answered last: the connection, and the ovs-vswitchd beside it.
    answered: Mutex<Option<(Client, Option<Life>)>>,
}

/// How often to look whether ovs-vswitchd is alive: nobody tells of its end, the database least of all (see [`vswitchd`]). It is little
/// beside what a start of it takes.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

impl Place {
    /// That Open vSwitch; nothing is connected yet.
    pub(crate) fn new(address: Option<PathBuf>, side: Side) -> Self {
        let address = address.unwrap_or_else(|| PathBuf::from(DEFAULT));
        Self { address, side, client: Mutex::new(None), answered: Mutex::new(None) }
    }

    /// The connection, made if need be.
    pub(crate) async fn client(&self, cx: Cx) -> Result<Client, EngineError> {
        let doing = || format!("connect to the database of Open vSwitch at {:?}", self.address);
        let connect = async {
            let mut slot = self.client.lock().await;
            if let Some(client) = slot.as_ref().filter(|client| !client.is_closed()) {
                return Ok(client.clone());
            }
            let client = Client::connect(&self.address).await.map_err(error::doing(doing()))?;
            *slot = Some(client.clone());
            Ok::<_, EngineError>(client)
        };
        cx.bound(doing, connect).await
    }

    /// Remembers who is there now, for [`Self::until_gone`].
    pub(crate) async fn note_answer(&self, client: Client, life: Option<Life>) {
        *self.answered.lock().await = Some((client, life));
    }

    /// The signs of the ovs-vswitchd that is there now, where it has its files beside the database's.
    pub(crate) fn life(&self) -> Option<Life> {
        self.run_dir().map(vswitchd::life)
    }

    /// Returns when one of those that [`Self::note_answer`] told of has gone: the database may come back empty, and an ovs-vswitchd
    /// without what it had.
    pub(crate) async fn until_gone(&self) {
        let Some((client, life)) = self.answered.lock().await.clone() else {
            return;
        };
        while timeout(BETWEEN_LOOKS, client.closed()).await.is_err() {
            if self.life() != life || self.require_vswitchd().is_err() {
                return;
            }
        }
    }

    /// Carries a transaction out.
    pub(crate) async fn transact(
        &self,
        cx: Cx,
        doing: &str,
        transaction: &Transaction,
    ) -> Result<Reply, EngineError> {
        self.try_transact(cx, doing, transaction).await?.map_err(error::doing(doing))
    }

    /// The same for a caller that has a use for the database's refusal.
    pub(crate) async fn try_transact(
        &self,
        cx: Cx,
        doing: &str,
        transaction: &Transaction,
    ) -> Result<Result<Reply, Error>, EngineError> {
        let client = self.client(cx).await?;
        self.try_transact_by(&client, cx, doing, transaction).await
    }

    /// [`Self::transact`] by a connection that the caller has: it is sent at once, whoever else waits for the connection.
    pub(crate) async fn transact_by(
        &self,
        client: &Client,
        cx: Cx,
        doing: &str,
        transaction: &Transaction,
    ) -> Result<Reply, EngineError> {
        self.try_transact_by(client, cx, doing, transaction).await?.map_err(error::doing(doing))
    }

    async fn try_transact_by(
        &self,
        client: &Client,
        cx: Cx,
        doing: &str,
        transaction: &Transaction,
    ) -> Result<Result<Reply, Error>, EngineError> {
        let reply = client.transact(transaction);
        cx.bound(|| doing.to_owned(), async { Ok::<_, EngineError>(reply.await) }).await
    }

    /// An error when it is known that no ovs-vswitchd is there to do what the database says.
    pub(crate) fn require_vswitchd(&self) -> Result<(), EngineError> {
        if self.run_dir().and_then(vswitchd::is_alive) != Some(false) {
            return Ok(());
        }
        let doing = format!(
            "use the Open vSwitch at {:?} (its database answers, but ovs-vswitchd is not running: nothing is applied)",
            self.address
        );
        Err(EngineError::new(ErrorKind::Degraded, doing))
    }

    /// The directory of the daemons' sockets: that of the database's, when it is a unix socket.
    pub(crate) fn run_dir(&self) -> Option<&Path> {
        let text = self.address.to_str()?;
        if text.starts_with("tcp:") {
            return None;
        }
        text.strip_prefix("unix:").map_or(self.address.as_path(), Path::new).parent()
    }
}
