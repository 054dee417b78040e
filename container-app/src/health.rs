//! /healthz, /readyz and /metrics, for who is on the same machine: a unix socket, or the loopback interface.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use axum::{
    Router,
    extract::State as Shared,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::{TcpListener, UnixListener};
use userspace_core::{engine::chain, shared::remove_dead_socket};

use crate::{board::Board, metrics::Metrics};

/// Where it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Loopback(SocketAddr),
}

impl Address {
    /// What was typed. Other addresses than the loopback interface's are refused: nobody is asked for a name here.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            let path = std::path::absolute(path).map_err(|error| format!("--health {text:?}: {error}"))?;
            return Ok(Self::Unix(path));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self::Loopback(address)),
            Ok(_) => Err(format!(
                "--health {text:?}: is not of the loopback interface; a probe can run container-app ready"
            )),
            Err(_) => Err(format!("--health {text:?}: is unix:PATH, 127.0.0.1:PORT or [::1]:PORT")),
        }
    }
}

#[derive(Clone)]
struct Known {
    board: Board,
    metrics: Metrics,
    expect: usize,
}

/// A socket that is gone when this is.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens at `address`; what it returns serves for ever.
pub(crate) async fn listen(
    address: Address,
    board: Board,
    metrics: Metrics,
    expect: usize,
) -> io::Result<impl Future<Output = ()>> {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(text))
        .with_state(Known { board, metrics, expect });
    enum Listener {
        Unix(UnixListener, Socket),
        Tcp(TcpListener),
    }
    let listener = match address {
        Address::Unix(path) => Listener::Unix(bind(&path)?, Socket(path)),
        Address::Loopback(address) => Listener::Tcp(TcpListener::bind(address).await?),
    };
    Ok(async move {
        let served = match listener {
            Listener::Unix(listener, _socket) => axum::serve(listener, router).await,
            Listener::Tcp(listener) => axum::serve(listener, router).await,
        };
        if let Err(error) = served {
            tracing::error!(%error, "serve the health endpoint");
        }
    })
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    // One that was killed has left it.
    remove_dead_socket(path).map_err(|error| io::Error::other(chain(&error)))?;
    UnixListener::bind(path)
}

async fn ready(Shared(known): Shared<Known>) -> impl IntoResponse {
    match known.board.state().missing(known.expect) {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}

async fn text(Shared(known): Shared<Known>) -> impl IntoResponse {
    // OpenMetrics 1.0 (prometheus.io/docs/specs/om).
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], known.metrics.text(&known.board.state()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_served() {
        assert_eq!(Address::parse("unix:/run/h.sock"), Ok(Address::Unix("/run/h.sock".into())));
        assert!(matches!(Address::parse("127.0.0.1:9100"), Ok(Address::Loopback(_))));
        assert!(matches!(Address::parse("[::1]:9100"), Ok(Address::Loopback(_))));
        for (text, word) in [
            ("0.0.0.0:9100", "loopback"),
            ("9100", "unix:PATH"),
            ("unix:", "unix:PATH"),
            ("localhost:1", "unix:PATH"),
        ] {
            let reason = Address::parse(text).unwrap_err();
            assert!(reason.contains(word) && reason.contains(text), "{reason}");
        }
    }
}
