//! What can be typed. Each option is a flag, a variable of the environment and a key of the file; nothing is checked here.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;

/// Makes what the host published for this container with the container's own VPP or Open vSwitch, and keeps it so
#[derive(Debug, clap::Parser)]
#[command(name = "container-app", version, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) options: Options,

    /// A JSON file with the options' keys in camel case [default: /etc/userspace/container-app.json, when it is there]
    #[arg(long, global = true, value_name = "FILE", env = "CONTAINER_APP_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Make what is published, keep it so, and follow every change; the default
    Run(Run),
    /// Make what is published now; the status is 1 when something could not be made
    Once,
    /// Wait until all published interfaces are up; for an init container or in front of an application
    Wait(Wait),
    /// Whether all published interfaces are up; for a probe of Kubernetes
    Ready,
    /// Show what is published, and how it stands
    Show(Show),
    /// Print the EAL arguments of a DPDK application: `dpdk-testpmd $(container-app eal) -- -i`
    Eal(Eal),
}

impl Default for Command {
    fn default() -> Self {
        Self::Run(Run::default())
    }
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Run {
    /// Serve /healthz, /readyz and /metrics there: unix:PATH, or an address of the loopback interface as 127.0.0.1:9100
    #[arg(long, value_name = "ADDRESS", env = "CONTAINER_APP_HEALTH")]
    pub(crate) health: Option<String>,

    /// End with status 0 once all interfaces are up
    #[arg(long)]
    pub(crate) exit_when_done: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Wait {
    /// How long, in seconds; afterwards the status is 1
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "CONTAINER_APP_WAIT")]
    pub(crate) timeout: u64,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Show {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Eal {
    /// As a JSON list, which needs no word splitting
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of every command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Options {
    /// The directory that the host shares with this container [default: the annotation userspace/mapped-dir, or
    /// /var/lib/cni/usrspcni]
    #[arg(long, global = true, value_name = "DIR", env = "CONTAINER_APP_DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// The pod's annotations, as the downward API shows them [default: /etc/podinfo/annotations]
    #[arg(long, global = true, value_name = "FILE", env = "CONTAINER_APP_ANNOTATIONS")]
    pub(crate) annotations: Option<PathBuf>,

    /// Which container of those that share the directory: its id, or twelve or more characters of it
    #[arg(long, global = true, value_name = "ID", env = "CONTAINER_APP_CONTAINER_ID")]
    pub(crate) container_id: Option<String>,

    /// The same by the pod's UID
    #[arg(long, global = true, value_name = "UID", env = "POD_UID")]
    pub(crate) pod_uid: Option<String>,

    /// Only this interface; can be given several times [default: all]
    #[arg(
        long = "interface",
        global = true,
        value_name = "NAME",
        env = "CONTAINER_APP_INTERFACES",
        value_delimiter = ','
    )]
    #[serde(rename = "interfaces")]
    pub(crate) interfaces: Option<Vec<String>>,

    /// How many interfaces there are to be before all count as up [default: 1, or as many as are named]
    #[arg(long, global = true, value_name = "NUMBER", env = "CONTAINER_APP_EXPECT")]
    pub(crate) expect: Option<usize>,

    /// What makes all of them, whatever the host says: vpp, ovs-dpdk, dpdk
    #[arg(long, global = true, value_name = "ENGINE", env = "CONTAINER_APP_ENGINE")]
    pub(crate) engine: Option<String>,

    /// The API socket of the container's VPP [default: /run/vpp/api.sock]
    #[arg(long, global = true, value_name = "PATH", env = "CONTAINER_APP_VPP_SOCKET")]
    pub(crate) vpp_socket: Option<PathBuf>,

    /// The database of the container's Open vSwitch: a path, unix:PATH or tcp:HOST:PORT [default: /run/openvswitch/db.sock]
    #[arg(long, global = true, value_name = "ADDRESS", env = "CONTAINER_APP_OVS_SOCKET")]
    pub(crate) ovs_socket: Option<PathBuf>,

    /// A user whose documents are read beside root's and one's own: a number; can be given several times
    #[arg(
        long = "trust-uid",
        global = true,
        value_name = "UID",
        env = "CONTAINER_APP_TRUST_UIDS",
        value_delimiter = ','
    )]
    #[serde(rename = "trustUids")]
    pub(crate) trust_uids: Option<Vec<u32>>,

    /// What one interface may take to be made, in seconds: 1 to 3600 [default: 10]
    #[arg(long, global = true, value_name = "SECONDS", env = "CONTAINER_APP_LIMIT")]
    pub(crate) limit: Option<u64>,

    /// How often what was made is looked at again, in seconds: 1 to 3600 [default: 10]
    #[arg(long, global = true, value_name = "SECONDS", env = "CONTAINER_APP_RESYNC")]
    pub(crate) resync: Option<u64>,

    /// error, warn, info, debug or trace [default: info for run, otherwise warn]
    #[arg(long, global = true, value_name = "LEVEL", env = "CONTAINER_APP_LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
}

impl Options {
    /// What was typed, and for the rest what `file` says.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            dir: self.dir.or(file.dir),
            annotations: self.annotations.or(file.annotations),
            container_id: self.container_id.or(file.container_id),
            pod_uid: self.pod_uid.or(file.pod_uid),
            interfaces: self.interfaces.or(file.interfaces),
            expect: self.expect.or(file.expect),
            engine: self.engine.or(file.engine),
            vpp_socket: self.vpp_socket.or(file.vpp_socket),
            ovs_socket: self.ovs_socket.or(file.ovs_socket),
            trust_uids: self.trust_uids.or(file.trust_uids),
            limit: self.limit.or(file.limit),
            resync: self.resync.or(file.resync),
            log_level: self.log_level.or(file.log_level),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn the_table_of_flags_is_sound() {
        Cli::command().debug_assert();
    }

    /// docs/container-app.md has every flag and variable.
    #[test]
    fn every_option_is_documented() {
        let text = include_str!("../../docs/container-app.md");
        let mut command = Cli::command();
        command.build();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            for option in command.get_arguments() {
                let long = option.get_long().map(|long| format!("--{long}"));
                let variable = option.get_env().map(|name| name.to_string_lossy().into_owned());
                let words = long.into_iter().chain(variable);
                for word in words
                    .filter(|word| !["--help", "--version", "CONTAINER_APP_CONFIG"].contains(&word.as_str()))
                {
                    assert!(text.contains(&word), "docs/container-app.md does not have {word}");
                }
            }
        }
    }

    #[test]
    fn flags_stand_behind_and_before_the_command() {
        for line in ["container-app --dir /a once", "container-app once --dir /a"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(matches!(cli.command, Some(Command::Once)));
            assert_eq!(cli.options.dir, Some("/a".into()));
        }
        assert!(Cli::try_parse_from(["container-app", "fly"]).is_err());
    }
}
