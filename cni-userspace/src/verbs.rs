//! One function a verb: from the environment and the configuration to a call of the core, and its outcome to a reply.

use std::{collections::BTreeMap, io::Read};

use serde_json::{Value, json};
use userspace_core::{
    cx::Cx,
    engine::EngineError,
    id::{AttachmentId, NetworkName},
    lifecycle::World,
    record::RecordDir,
};

use crate::{
    Io, Outcome,
    command::Command,
    engines::{BuiltIn, Published},
    error::{CniError, code},
    ipam_exec::ExecIpam,
    log,
    netconf::{self, NetConf},
    request::Target,
    version::{ALL, LATEST, Version},
};

mod add;
mod check;
mod del;
mod gc;
mod pod;
mod status;

/// A configuration is a few kilobytes; a runtime's prevResult and attachments a few hundred.
const MAX_CONFIG: u64 = 16 << 20;

/// Standard output, or the error and the version to report it in.
pub(crate) fn run(command: Command, io: &mut Io) -> Result<Vec<u8>, (Version, CniError)> {
    if command == Command::Version {
        return version(io).map_err(|error| (LATEST, error));
    }
    let call = Call::read(command, io)?;
    let version = call.version;
    call.run().map_err(|error| (version, error))
}

/// `VERSION` works with nothing but its name.
fn version(io: &mut Io) -> Outcome<Vec<u8>> {
    let text = read_stdin(io)?;
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    let asked = value.get("cniVersion").and_then(Value::as_str);
    let version = asked.and_then(|text| Version::parse(Some(text)));
    print(&json!({
        "cniVersion": version.unwrap_or(LATEST).as_str(),
        "supportedVersions": ALL.map(Version::as_str),
    }))
}

/// A call with all that it came with.
struct Call {
    command: Command,
    version: Version,
    /// None for GC and STATUS, which are about no attachment.
    target: Option<Target>,
    network: NetworkName,
    conf: NetConf,
    /// The configuration as it came, byte for byte: an IPAM gets the same.
    text: Vec<u8>,
    value: Value,
    env: BTreeMap<String, String>,
    records: RecordDir,
    engines: BuiltIn,
    stores: Published,
}

impl Call {
    fn read(command: Command, io: &mut Io) -> Result<Self, (Version, CniError)> {
        let early = |error| (LATEST, error);
        let target = match command {
            Command::Add | Command::Del | Command::Check => {
                Some(Target::from_env(command, &io.env).map_err(early)?)
            }
            Command::Gc | Command::Status | Command::Version => None,
        };
        let text = read_stdin(io).map_err(early)?;
        let value = decode(&text).map_err(early)?;
        let version = version_of(command, &value).map_err(early)?;
        let late = |error: CniError| (version, error);
        let conf = match command {
            Command::Del => {
                // What is wrong with the configuration is told in the log, which is set up from what is right with it.
                let (conf, wrong) = netconf::parse_leniently(value.clone());
                log::init(&conf);
                if let Some(reason) = wrong {
                    tracing::warn!(reason, "the configuration has errors; going on with the rest");
                }
                conf
            }
            _ => {
                let conf = netconf::parse(value.clone()).map_err(|error| late(error.into()))?;
                log::init(&conf);
                conf
            }
        };
        let name = conf.name.clone().unwrap_or_default();
        let network = name.parse().map_err(|error| {
            let msg = format!("configuration: \"name\": {error}");
            late(CniError::new(code::CONFIG, msg))
        })?;
        if !matches!(conf.timeout_seconds, None | Some(1..=3600)) && command != Command::Del {
            let msg = format!(
                "timeoutSeconds \"{}\": is 1 to 3600 seconds",
                conf.timeout_seconds.unwrap_or_default()
            );
            return Err(late(CniError::new(code::CONFIG, msg)));
        }
        let records = RecordDir::new(conf.state_dir());
        Ok(Self {
            command,
            version,
            target,
            network,
            conf,
            text,
            value,
            env: std::mem::take(&mut io.env),
            stores: Published::new(&records),
            records,
            engines: BuiltIn::default(),
        })
    }

    fn run(self) -> Outcome<Vec<u8>> {
        // At the level of errors, so that at every `logLevel` a line tells which call it is of.
        let span = match &self.target {
            Some(target) => tracing::error_span!(
                "cni",
                command = self.command.as_str(),
                network = self.network.as_str(),
                container = target.container.as_str(),
                interface = target.interface.as_str()
            ),
            None => {
                tracing::error_span!("cni", command = self.command.as_str(), network = self.network.as_str())
            }
        };
        let _entered = span.enter();
        tracing::info!("called");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CniError::new(code::IO, format!("start the runtime: {error}")))?;
        let outcome = runtime.block_on(async {
            match self.command {
                Command::Add => add::run(&self).await,
                Command::Del => del::run(&self).await,
                Command::Check => check::run(&self).await,
                Command::Gc => gc::run(&self).await,
                Command::Status | Command::Version => status::run(&self).await,
            }
        });
        // The process ends next; to take the runtime apart before would only take time.
        std::mem::forget(runtime);
        match &outcome {
            Ok(_) => tracing::info!("done"),
            Err(error) => tracing::error!(code = error.code, error = error.msg, "failed"),
        }
        outcome
    }

    fn world(&self) -> World<'_> {
        World { engines: &self.engines, stores: &self.stores, records: &self.records }
    }

    fn cx(&self) -> Cx {
        Cx::within(self.conf.timeout())
    }

    fn ipam(&self) -> Option<ExecIpam> {
        let kind = self.conf.ipam_type()?;
        Some(ExecIpam::new(kind, &self.env, &self.text))
    }

    /// The variables of the attachment; only ADD, DEL and CHECK ask.
    fn target(&self) -> Outcome<&Target> {
        let missing = || CniError::new(code::ENVIRONMENT, format!("{} is about no attachment", self.command));
        self.target.as_ref().ok_or_else(missing)
    }

    fn attachment(&self) -> Outcome<AttachmentId> {
        let target = self.target()?;
        Ok(AttachmentId {
            network: self.network.clone(),
            container: target.container.clone(),
            interface: target.interface.clone(),
        })
    }

    fn failed(&self, error: &EngineError) -> CniError {
        CniError::of_engine(self.command, error)
    }
}

fn read_stdin(io: &mut Io) -> Outcome<Vec<u8>> {
    let mut text = Vec::new();
    let mut limited = (&mut io.stdin).take(MAX_CONFIG + 1);
    limited
        .read_to_end(&mut text)
        .map_err(|error| CniError::new(code::IO, format!("read standard input: {error}")))?;
    if text.len() as u64 > MAX_CONFIG {
        let msg = format!("the configuration is larger than {MAX_CONFIG} bytes");
        return Err(CniError::new(code::DECODE, msg));
    }
    Ok(text)
}

fn decode(text: &[u8]) -> Outcome<Value> {
    let failed = |reason: String| CniError::new(code::DECODE, format!("decode the configuration: {reason}"));
    match serde_json::from_slice(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(failed("it is not a JSON object".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The configuration's version, if it is served and knows the verb.
fn version_of(command: Command, value: &Value) -> Outcome<Version> {
    let known = ALL.map(Version::as_str).join(", ");
    let given =
        value.as_object().and_then(|map| map.iter().find(|(key, _)| key.eq_ignore_ascii_case("cniVersion")));
    let text = match given.map(|(_, value)| value) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.as_str()),
        // What ADD would refuse must still detach.
        Some(_) if command == Command::Del => None,
        Some(other) => {
            let msg = format!("configuration: \"cniVersion\": {other} is not a string");
            return Err(CniError::new(code::CONFIG, msg));
        }
    };
    let version = Version::parse(text).ok_or_else(|| {
        let msg = format!("cniVersion {:?} is not served", text.unwrap_or_default());
        CniError::new(code::VERSION, msg).with_details(format!("served are {known}"))
    })?;
    let since = match command {
        Command::Check => Version::V0_4_0,
        Command::Gc | Command::Status => Version::V1_1_0,
        Command::Add | Command::Del | Command::Version => Version::V0_1_0,
    };
    if version < since {
        let msg = format!("cniVersion \"{version}\" has no {command}");
        return Err(CniError::new(code::VERSION, msg).with_details(format!("it came with {since}")));
    }
    Ok(version)
}

fn print(value: &Value) -> Outcome<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| CniError::new(code::INTERNAL, format!("write the reply: {error}")))?;
    text.push(b'\n');
    Ok(text)
}
