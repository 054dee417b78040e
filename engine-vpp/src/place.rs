//! Which VPP, and the connection to it.

use std::path::PathBuf;

use tokio::sync::Mutex;
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
};
use vpp_api_client::{Client, DEFAULT_SOCKET, Error, Options};

/// Which half of an attachment a VPP makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The host's: containers connect to it.
    Host,
    /// The container's: it connects to a host, and its interfaces have the addresses.
    Container,
}

/// Where an engine works.
#[derive(Debug)]
pub(crate) struct Place {
    socket: PathBuf,
    pub(crate) side: Side,
    client: Mutex<Option<Client>>,
}

impl Place {
    /// That VPP; nothing is connected yet.
    pub(crate) fn new(socket: Option<PathBuf>, side: Side) -> Self {
        let socket = socket.unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET));
        Self { socket, side, client: Mutex::new(None) }
    }

    /// The connection, made if need be, whose requests end with the call.
    pub(crate) async fn client(&self, cx: Cx) -> Result<Client, EngineError> {
        let doing = || format!("connect to VPP at {:?}", self.socket);
        let connect = async {
            let mut slot = self.client.lock().await;
            if let Some(client) = slot.as_ref().filter(|client| !client.is_closed()) {
                return Ok(client.clone());
            }
            let options = Options {
                socket: self.socket.clone(),
                name: "userspace".to_owned(),
                time_limit: cx.remaining(),
            };
            let client = Client::connect(options).await.map_err(|error| self.explain(error))?;
            *slot = Some(client.clone());
            Ok::<_, EngineError>(client)
        };
        let client = cx.bound(doing, connect).await?;
        Ok(client.with_time_limit(cx.remaining()))
    }

    /// The connection of the last call, which may have ended since.
    pub(crate) async fn connected(&self) -> Option<Client> {
        self.client.lock().await.clone()
    }

    fn explain(&self, error: Error) -> EngineError {
        let doing = format!("connect to VPP at {:?}", self.socket);
        match error {
            // Somebody listens, and says nothing: VPP is stuck, or it is not VPP.
            Error::TimedOut { .. } => EngineError::new(ErrorKind::TimedOut, doing).because(error),
            other => EngineError::new(ErrorKind::Unavailable, doing).because(other),
        }
    }
}
