//! The IPAM plugin as a process: found through `CNI_PATH` alone, given our environment and our configuration unchanged.
//!
//! It runs in a process group of its own, so that at the deadline all of it can be killed.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use async_trait::async_trait;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command as Process,
};
use userspace_core::{
    cx::Cx,
    engine::{EngineError, ErrorKind},
    id::AttachmentId,
    ipam::{Allocation, Ipam},
};

use crate::{
    command::Command,
    error::{self, CniError, code},
    result,
};

/// A result is a few kilobytes.
const MAX_ANSWER: u64 = 1 << 20;

/// An IPAM plugin.
pub(crate) struct ExecIpam {
    kind: String,
    path: Result<PathBuf, String>,
    config: Vec<u8>,
    /// `CNI_PATH` for the plugin, where no runtime has set it.
    cni_path: Option<String>,
}

impl ExecIpam {
    /// The plugin `kind`, for calls in `env` with the configuration `config`.
    pub(crate) fn new(kind: &str, env: &BTreeMap<String, String>, config: &[u8]) -> Self {
        Self {
            kind: kind.to_owned(),
            path: find(kind, env.get("CNI_PATH").map(String::as_str).unwrap_or_default()),
            config: config.to_vec(),
            cni_path: None,
        }
    }

    /// The plugin that the configuration `config` names, if it does.
    pub(crate) fn of_config(config: &Value, env: &BTreeMap<String, String>) -> Option<Self> {
        let kind = config.get("ipam")?.get("type")?.as_str().filter(|kind| !kind.is_empty())?;
        Some(Self::new(kind, env, config.to_string().as_bytes()))
    }

    /// The plugin that the configuration `config` of a record names, if it does, for a call that is no runtime's: it is looked for in
    /// `cni_path`, and told so.
    pub(crate) fn of_record(config: &Value, cni_path: &str) -> Option<Self> {
        let env = BTreeMap::from([("CNI_PATH".to_owned(), cni_path.to_owned())]);
        let found = Self::of_config(config, &env)?;
        Some(Self { cni_path: Some(cni_path.to_owned()), ..found })
    }

    fn executable(&self) -> Result<&Path, EngineError> {
        self.path.as_deref().map_err(|reason| {
            let doing = format!("find the IPAM plugin {:?} ({reason})", self.kind);
            EngineError::new(ErrorKind::Invalid, doing)
        })
    }

    /// Runs a verb that is about no attachment.
    pub(crate) async fn run_for_network(&self, cx: Cx, command: Command) -> Result<(), EngineError> {
        let known = self.run(cx, command, None).await;
        match known {
            // The plugin is older than the verb: GC and STATUS came with 1.1.0.
            Err(error) if refuses_verb(&error) => {
                tracing::info!(ipam = self.kind, %command, "the IPAM plugin does not know the verb");
                Ok(())
            }
            other => other.map(drop),
        }
    }

    async fn run(&self, cx: Cx, command: Command, id: Option<&AttachmentId>) -> Result<Vec<u8>, EngineError> {
        let doing = || format!("run the IPAM plugin {:?} ({command})", self.kind);
        let failed = |error: std::io::Error| EngineError::new(ErrorKind::Io, doing()).because(error);
        let mut process = Process::new(self.executable()?);
        // The environment is inherited, byte for byte.
        process
            .env("CNI_COMMAND", command.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(path) = &self.cni_path {
            process.env("CNI_PATH", path);
        }
        // GC detaches others than the one that the environment names.
        if let Some(id) = id {
            process.env("CNI_CONTAINERID", id.container.as_str()).env("CNI_IFNAME", id.interface.as_str());
        }
        let mut child = process.spawn().map_err(failed)?;
        let group = Group(child.id());
        if let Some(mut stdin) = child.stdin.take() {
            let config = self.config.clone();
            // Beside the reading, so that neither end waits for the other. A plugin may answer without reading.
            tokio::spawn(async move { stdin.write_all(&config).await });
        }
        let stdout = child.stdout.take();
        let talk = async {
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(MAX_ANSWER + 1).read_to_end(&mut answer).await.map_err(failed)?;
            }
            if answer.len() as u64 > MAX_ANSWER {
                let doing = format!(
                    "read the answer of the IPAM plugin {:?} (more than {MAX_ANSWER} bytes)",
                    self.kind
                );
                return Err(EngineError::new(ErrorKind::Protocol, doing));
            }
            Ok((child.wait().await.map_err(failed)?, answer))
        };
        let (status, answer) = cx.bound(doing, talk).await?;
        group.has_ended();
        self.answer(command, status, answer)
    }

    fn answer(&self, command: Command, status: ExitStatus, stdout: Vec<u8>) -> Result<Vec<u8>, EngineError> {
        if status.success() {
            return Ok(stdout);
        }
        let doing = format!("run the IPAM plugin {:?} ({command})", self.kind);
        let theirs = error::parse(&stdout).unwrap_or_else(|| {
            let text = String::from_utf8_lossy(&stdout);
            let text: String = text.trim().chars().take(200).collect();
            CniError::new(code::INTERNAL, format!("{status} and printed {text:?}"))
        });
        Err(EngineError::new(ErrorKind::Protocol, doing).because(theirs))
    }
}

/// Kills the process group when dropped before its leader has ended: nothing that the plugin started may outlive the deadline.
struct Group(Option<u32>);

impl Group {
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0.and_then(|leader| i32::try_from(leader).ok()) {
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

/// An answer that means the verb, since nothing else in our environment can be wrong for it: an older plugin refuses the version, the
/// command, or (Debian's host-local 1.1.1) the container's id, which these verbs have none of.
fn refuses_verb(error: &EngineError) -> bool {
    let cause = std::error::Error::source(error);
    let theirs = cause.and_then(|cause| cause.downcast_ref::<CniError>());
    theirs.is_some_and(|theirs| {
        matches!(theirs.code, code::VERSION | code::UNKNOWN_CONTAINER | code::ENVIRONMENT)
    })
}

fn find(kind: &str, path: &str) -> Result<PathBuf, String> {
    if kind.contains('/') {
        return Err("ipam.type is a name, not a path".to_owned());
    }
    let executable = |file: &PathBuf| {
        let found = std::fs::metadata(file);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let dirs = path.split(':').filter(|dir| !dir.is_empty());
    let mut files = dirs.map(|dir| Path::new(dir).join(kind));
    files.find(executable).ok_or_else(|| format!("it is not in CNI_PATH {path:?}"))
}

#[async_trait]
impl Ipam for ExecIpam {
    fn installed(&self) -> Result<(), EngineError> {
        self.executable().map(drop)
    }

    async fn allocate(&self, cx: Cx, id: &AttachmentId) -> Result<Allocation, EngineError> {
        let stdout = self.run(cx, Command::Add, Some(id)).await?;
        let invalid = |reason: String| {
            let doing = format!("read the result of the IPAM plugin {:?}", self.kind);
            EngineError::new(ErrorKind::Protocol, doing).because(CniError::new(code::DECODE, reason))
        };
        let value = serde_json::from_slice(&stdout).map_err(|error| invalid(error.to_string()))?;
        let result = result::parse(value).map_err(|error| invalid(error.to_string()))?;
        if result.ips.is_empty() {
            return Err(invalid("it has no address".to_owned()));
        }
        Ok(result.into_allocation())
    }

    async fn release(&self, cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
        self.run(cx, Command::Del, Some(id)).await.map(drop)
    }

    async fn check(&self, cx: Cx, id: &AttachmentId) -> Result<(), EngineError> {
        self.run(cx, Command::Check, Some(id)).await.map(drop)
    }
}
