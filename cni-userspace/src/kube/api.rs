//! Requests to the API: each with a time limit, and with a kind of failure that says whether another try is worth it.

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    core::{
        Request,
        params::{GetParams, Patch, PatchParams},
    },
};
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::time::timeout_at;
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
};

use super::pod::Pod;

/// What one request may take. An API server answers in milliseconds; one that does not may be one of several behind an address.
const REQUEST: Duration = Duration::from_secs(10);
/// What it may take until there is a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How often a request is made that the API did not answer, or could not serve.
const TRIES: u32 = 4;

/// The API of one cluster, with credentials.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    kubeconfig: PathBuf,
}

/// What became of a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Patched {
    /// It is made.
    Done,
    /// Another change came between: what the API said.
    Conflict(String),
    /// What it stands on is not there, or it cannot be: what the API said.
    Refused(String),
    /// The pod is not there.
    Gone,
}

impl Api {
    /// The API that `kubeconfig` names; nothing is connected yet.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    pub(super) async fn open(kubeconfig: &Path) -> Result<Self, EngineError> {
        let invalid = |reason: &str| {
            EngineError::new(ErrorKind::Invalid, format!("use \"kubeconfig\" {kubeconfig:?}{reason}"))
        };
        let mut file =
            Kubeconfig::read_from(kubeconfig).map_err(|error| invalid("").because(told(&error)))?;
        // No program but IPAM plugins is run, and none with what a file elsewhere says.
        let users = file.auth_infos.iter().filter_map(|user| user.auth_info.as_ref());
        if users.clone().any(|user| user.exec.is_some() || user.auth_provider.is_some()) {
            return Err(invalid(
                " (its user has \"exec\" or \"auth-provider\": token, tokenFile or a client certificate would work)",
            ));
        }
        let proxied = file.clusters.iter().filter_map(|cluster| cluster.cluster.as_ref());
        if proxied.clone().any(|cluster| cluster.proxy_url.is_some()) {
            return Err(invalid(" (its cluster has \"proxy-url\", which this build cannot use)"));
        }
        read_tokens(&mut file).map_err(|error| invalid(" (its user's \"tokenFile\")").because(error))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
        let mut config = config.map_err(|error| invalid("").because(told(&error)))?;
        // A proxy of the runtime's environment is for images from elsewhere.
        config.proxy_url = None;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(REQUEST);
        config.write_timeout = Some(REQUEST);
        // Tried again here, within the call's time.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(|error| invalid("").because(told(&error)))?;
        Ok(Self { client, kubeconfig: kubeconfig.to_owned() })
    }

    /// The API behind that client.
    #[cfg(test)]
    pub(super) fn of(client: Client) -> Self {
        Self { client, kubeconfig: PathBuf::new() }
    }

    /// The pod, when there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] or [`ErrorKind::TimedOut`] after some tries, [`ErrorKind::Invalid`] when the credentials do not allow it.
    pub(super) async fn get(&self, cx: Cx, namespace: &str, name: &str) -> Result<Option<Pod>, EngineError> {
        let mut patience = Patience::default();
        loop {
            let request = pods(namespace).get(name, &GetParams::default()).map_err(kube::Error::BuildRequest);
            let sent = async { self.client.request(request?).await };
            match send(cx, sent).await {
                Ok(pod) => return Ok(Some(pod)),
                Err(Failure::Status(404, _)) => return Ok(None),
                Err(failure) => patience.bear(cx, self.error(failure, "get", (namespace, name))).await?,
            }
        }
    }

    /// Changes the pod by a JSON Patch. Made once: whether one without an answer was done, another look at the pod tells.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) async fn patch(
        &self,
        cx: Cx,
        namespace: &str,
        name: &str,
        change: &Value,
    ) -> Result<Patched, EngineError> {
        let patch = serde_json::from_value(change.clone()).map_err(|error| {
            EngineError::new(ErrorKind::Protocol, format!("make a change of the pod \"{namespace}/{name}\""))
                .because(error)
        })?;
        let request = pods(namespace).patch(name, &PatchParams::default(), &Patch::<()>::Json(patch));
        let request = request.map_err(kube::Error::BuildRequest);
        let sent = async { self.client.request::<IgnoredAny>(request?).await };
        match send(cx, sent).await {
            Ok(_) => Ok(Patched::Done),
            Err(Failure::Status(404, _)) => Ok(Patched::Gone),
            Err(Failure::Status(409, said)) => Ok(Patched::Conflict(said)),
            Err(Failure::Status(422, said)) => Ok(Patched::Refused(said)),
            Err(failure) => Err(self.error(failure, "patch", (namespace, name))),
        }
    }

    fn error(&self, failure: Failure, verb: &str, (namespace, name): (&str, &str)) -> EngineError {
        let doing = format!("{verb} the pod \"{namespace}/{name}\"");
        let kubeconfig = &self.kubeconfig;
        match failure {
            Failure::Late => EngineError::new(ErrorKind::TimedOut, doing),
            Failure::Status(code @ (401 | 403), said) => {
                let reason = match code {
                    401 => format!("the API does not take the credentials of \"kubeconfig\" {kubeconfig:?}"),
                    _ => format!(
                        "the user of \"kubeconfig\" {kubeconfig:?} needs the RBAC verb \"{verb}\" on the resource \"pods\""
                    ),
                };
                EngineError::new(ErrorKind::Invalid, format!("{doing} ({reason})")).because(said)
            }
            // Too many requests, and whatever a server has for a reason.
            Failure::Status(code, said) if code == 429 || code >= 500 => {
                EngineError::new(ErrorKind::Unavailable, format!("{doing} (status {code})")).because(said)
            }
            Failure::Status(code, said) => {
                EngineError::new(ErrorKind::Protocol, format!("{doing} (status {code})")).because(said)
            }
            Failure::Other(error) => EngineError::new(kind_of(&error), doing).because(told(&error)),
        }
    }
}

/// An answer that is none.
enum Failure {
    /// The API refused it: its status code, and what it said.
    Status(u16, String),
    /// There was none in time.
    Late,
    /// It did not come to an answer.
    Other(kube::Error),
}

/// Puts tokens in the place of the files that they are in. A file ends with a newline, which no header may have.
fn read_tokens(file: &mut Kubeconfig) -> io::Result<()> {
    for user in file.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
        if let Some(path) = user.token_file.take() {
            let token = fs::read_to_string(path)?;
            user.token = Some(token.trim().to_owned().into());
        }
    }
    Ok(())
}

/// An error with its causes, of which some say what their own cause says.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

async fn send<T>(cx: Cx, sent: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Failure> {
    match timeout_at(cx.at_most(REQUEST).deadline, sent).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => {
            Err(Failure::Status(status.code, format!("{} ({})", status.message, status.reason)))
        }
        Ok(Err(error)) => Err(Failure::Other(error)),
        Err(_) => Err(Failure::Late),
    }
}

fn pods(namespace: &str) -> Request {
    Request::new(format!("/api/v1/namespaces/{namespace}/pods"))
}

fn kind_of(error: &kube::Error) -> ErrorKind {
    use kube::Error;
    match error {
        Error::HyperError(_) | Error::Service(_) | Error::ReadEvents(_) => ErrorKind::Unavailable,
        Error::Auth(_) => ErrorKind::Invalid,
        _ => ErrorKind::Protocol,
    }
}

/// How often a failure has been borne, and the pauses between the tries.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
    pauses: u32,
}

impl Patience {
    /// Waits before another try.
    ///
    /// # Errors
    /// The failure, when another try is not worth it or there is no time for one.
    pub(super) async fn bear(&mut self, cx: Cx, error: EngineError) -> Result<(), EngineError> {
        self.failures += 1;
        let is_worth_it = passes(&error);
        if !is_worth_it || self.failures >= TRIES || cx.remaining().is_zero() {
            return Err(error);
        }
        tracing::info!(error = userspace_core::engine::chain(&error), "asking the API again");
        // A server that is overwhelmed or starts anew needs longer than one that was changed under our hands.
        self.pauses = self.pauses.max(3);
        self.pause(cx).await;
        Ok(())
    }

    /// Waits between 10 and 20 ms, twice that the next time, up to a second; others that were refused too come at other times.
    pub(super) async fn pause(&mut self, cx: Cx) {
        let least = 10 << self.pauses.min(6);
        self.pauses += 1;
        let random = RandomState::new().hash_one(self.pauses);
        let pause = Duration::from_millis(least + random % least);
        tokio::time::sleep(pause.min(cx.remaining())).await;
    }
}

/// Whether the API may do later what it did not do now.
pub(super) fn passes(error: &EngineError) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut)
}
