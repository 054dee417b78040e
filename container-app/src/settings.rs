//! What was typed, checked and with its defaults.

use std::{fs, io, path::Path, path::PathBuf, time::Duration};

use serde::Deserialize;
use tracing::Level;
use userspace_core::{conf::EngineName, id::InterfaceName, owner::InstanceId, spec::EngineKind};

use crate::{
    cli::{Cli, Command, Options},
    sources::USUAL_DIR,
};

/// Where the file is looked for when none is named.
const FILE: &str = "/etc/userspace/container-app.json";
/// Where the Go plugins' pods have their annotations and the directory.
const ANNOTATIONS: &str = "/etc/podinfo/annotations";

/// All that the commands stand on.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) annotations: PathBuf,
    pub(crate) trusted: Vec<u32>,
    pub(crate) select: Select,
    /// How many interfaces there are to be at least.
    pub(crate) expect: usize,
    /// What makes all of them.
    pub(crate) engine: Option<EngineKind>,
    pub(crate) vpp_socket: Option<PathBuf>,
    pub(crate) ovs_socket: Option<PathBuf>,
    /// What one interface may take.
    pub(crate) limit: Duration,
    pub(crate) resync: Duration,
    pub(crate) log_level: Level,
    /// Whose are the things in the container's vswitch that this program makes: it follows from what it reads.
    pub(crate) instance: InstanceId,
}

/// Which of the halves are this container's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Select {
    pub(crate) container: Option<String>,
    pub(crate) pod_uid: Option<String>,
    /// All when empty.
    pub(crate) interfaces: Vec<InterfaceName>,
}

impl Settings {
    /// What was typed, or else the file says.
    pub(crate) fn of(cli: &Cli) -> Result<Self, String> {
        let file = match &cli.config {
            Some(path) => read(path).map_err(|error| format!("read {path:?}: {error}"))?,
            None => match read(Path::new(FILE)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Options::default(),
                read => read.map_err(|error| format!("read {FILE:?}: {error}"))?,
            },
        };
        Self::checked(cli.options.clone().or(file), cli.command.as_ref())
    }

    fn checked(typed: Options, command: Option<&Command>) -> Result<Self, String> {
        let mut names = typed.interfaces.unwrap_or_default();
        // An empty variable of the environment is none.
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.dedup();
        let interfaces = names.iter().map(|name| {
            let parsed = name.parse::<InterfaceName>();
            parsed.map_err(|error| format!("--interface {name:?}: {error}"))
        });
        let interfaces = interfaces.collect::<Result<Vec<_>, _>>()?;
        let is_watching = matches!(command, None | Some(Command::Run(_)));
        let annotations = typed.annotations.unwrap_or_else(|| ANNOTATIONS.into());
        let container_id = typed.container_id.filter(|id| !id.is_empty());
        let pod_uid = typed.pod_uid.filter(|uid| !uid.is_empty());
        Ok(Self {
            instance: instance(typed.dir.as_deref(), container_id.as_deref().or(pod_uid.as_deref())),
            trusted: typed.trust_uids.unwrap_or_default(),
            select: Select { container: container_id, pod_uid, interfaces: interfaces.clone() },
            expect: typed.expect.unwrap_or(interfaces.len().max(1)),
            engine: typed.engine.as_deref().map(engine).transpose()?,
            vpp_socket: typed.vpp_socket,
            ovs_socket: typed.ovs_socket,
            limit: seconds("--limit", typed.limit)?,
            resync: seconds("--resync", typed.resync)?,
            log_level: level(typed.log_level.as_deref(), is_watching)?,
            dir: typed.dir,
            annotations,
        })
    }
}

/// It follows from the directory and the container, however they are spelt, and not from which of its interfaces are chosen: what was made
/// is known again.
fn instance(dir: Option<&Path>, container: Option<&str>) -> InstanceId {
    let dir = dir.unwrap_or(Path::new(USUAL_DIR));
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let dir: PathBuf = dir.components().collect();
    InstanceId::of_place(&format!("{} {}", dir.display(), container.unwrap_or_default()))
}

fn read(path: &Path) -> io::Result<Options> {
    let text = fs::read(path)?;
    serde_json::from_slice(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn engine(name: &str) -> Result<EngineKind, String> {
    let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        serde::de::IntoDeserializer::into_deserializer(name);
    let parsed = EngineName::deserialize(name).ok().filter(|engine| *engine != EngineName::Linux);
    parsed.map(EngineKind::from).ok_or_else(|| "--engine: is vpp, ovs-dpdk or dpdk".to_owned())
}

fn seconds(flag: &str, typed: Option<u64>) -> Result<Duration, String> {
    match typed.unwrap_or(10) {
        number @ 1..=3600 => Ok(Duration::from_secs(number)),
        other => Err(format!("{flag} {other}: is 1 to 3600 seconds")),
    }
}

fn level(name: Option<&str>, is_watching: bool) -> Result<Level, String> {
    match name {
        None if is_watching => Ok(Level::INFO),
        None => Ok(Level::WARN),
        Some(name) => {
            name.parse().map_err(|_| format!("--log-level {name:?}: is error, warn, info, debug or trace"))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn of(line: &str) -> Result<Settings, String> {
        Settings::of(&Cli::try_parse_from(line.split(' ')).unwrap())
    }

    #[test]
    fn what_was_typed_stands_above_the_file() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("f.json");
        fs::write(&file, r#"{"dir":"/file","engine":"ovs","interfaces":["net1","net2"],"resync":3}"#)
            .unwrap();
        let settings = of(&format!("container-app --config {} --dir /typed once", file.display())).unwrap();
        assert_eq!(settings.dir, Some("/typed".into()));
        assert_eq!((settings.engine, settings.expect), (Some(EngineKind::Ovs), 2));
        assert_eq!((settings.resync, settings.log_level), (Duration::from_secs(3), Level::WARN));
        fs::write(&file, r#"{"directory":"/file"}"#).unwrap();
        let reason = of(&format!("container-app --config {}", file.display())).unwrap_err();
        assert!(reason.contains("directory") && reason.contains("f.json"), "{reason}");
        assert!(of("container-app --config /does/not/exist").is_err());
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (line, word) in [
            ("container-app --engine linux", "--engine"),
            ("container-app --interface a/b", "a/b"),
            ("container-app --limit 0", "--limit 0"),
            ("container-app --log-level loud", "loud"),
        ] {
            let reason = of(line).unwrap_err();
            assert!(reason.contains(word), "{line}: {reason}");
        }
    }

    #[test]
    fn the_instance_follows_from_the_place() {
        let instance = |line: &str| of(line).unwrap().instance;
        assert_eq!(instance("container-app --dir /a"), instance("container-app --dir /a once"));
        assert_ne!(instance("container-app --dir /a"), instance("container-app --dir /b"));
        assert_eq!(instance("container-app --dir /a"), instance("container-app --dir /a/ --interface net1"));
        assert_eq!(instance("container-app"), instance(&format!("container-app --dir {USUAL_DIR}/")));
        let of = |id: &str| instance(&format!("container-app --dir /a --container-id {id}"));
        assert_ne!(of("0123456789ab"), of("ba9876543210"));
    }
}
