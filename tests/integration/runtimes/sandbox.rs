//! A place for container runtimes: mounts and processes of their own, so that neither a file nor a process outlives the test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;
use userspace_tests::{Finished, Host, install, plugin, run, until};

const LIMIT: Duration = Duration::from_secs(60);
const CGROUPS: &str = "/sys/fs/cgroup";

/// What runtimes keep is hidden behind empty directories. Their configuration is where they look for it by themselves.
const SCRIPT: &str = "set -e
for dir in /run /var/lib /opt /etc/cni; do mount -t tmpfs tmpfs $dir; done
mkdir /opt/cni
ln -s @DIR@/bin /opt/cni/bin
cp -r @DIR@/etc/. /etc/cni/
touch @DIR@/ready
exec sleep 1000";

/// For a machine without systemd; the same limits as in a container.
const PODMAN: &str = r#"[containers]
default_ulimits = ["nofile=1024:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
"#;

const CONTAINERD: &str = r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "/run/containerd.sock"
"#;

/// See the module. The network is the host's.
pub(crate) struct Sandbox<'h> {
    host: &'h Host,
    /// Its death ends every process in the sandbox.
    init: Child,
    started: Vec<Child>,
    dir: PathBuf,
    label: String,
}

impl<'h> Sandbox<'h> {
    /// A sandbox whose runtimes find `conflist` and the plugins.
    pub(crate) fn new(host: &'h Host, conflist: &Value) -> Self {
        let dir = host.path("sandbox");
        for inner in ["bin", "etc/net.d"] {
            fs::create_dir_all(dir.join(inner)).expect("make a directory");
        }
        let stock = host
            .cni_path()
            .split(':')
            .map(|dir| Path::new(dir).join("host-local"))
            .find(|path| path.exists());
        for binary in [plugin(), &stock.expect("host-local")] {
            let copy = dir.join("bin").join(binary.file_name().expect("a name"));
            install(&copy, &fs::read(binary).expect("read a binary"));
        }
        for (name, text) in [
            ("net.d/blue.conflist", conflist.to_string().as_str()),
            ("containers.conf", PODMAN),
            ("containerd.toml", CONTAINERD),
        ] {
            fs::write(dir.join("etc").join(name), text).expect("write a file");
        }
        let script = SCRIPT.replace("@DIR@", &dir.display().to_string());
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation",
            "private",
        ]);
        command.args(["sh", "-c", &script]).stdin(Stdio::null());
        let init = host.netns().inside(|| command.spawn()).expect("run unshare");
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let label = format!("us-tests-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let made = Self { host, init, started: Vec::new(), dir, label };
        until("the sandbox is ready", LIMIT, || made.dir.join("ready").exists());
        made
    }

    /// A name for cgroups, unique on this machine.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Makes an image of busybox and nothing else.
    pub(crate) fn import(&self, image: &str) {
        let bin = self.dir.join("image/bin");
        fs::create_dir_all(&bin).expect("make a directory");
        let busybox = Path::new("/bin/busybox").canonicalize().expect("busybox");
        install(&bin.join("busybox"), &fs::read(busybox).expect("read busybox"));
        for name in ["sh", "sleep", "ping", "ip"] {
            std::os::unix::fs::symlink("busybox", bin.join(name)).expect("make a link");
        }
        let archive = self.dir.join("image.tar");
        self.exec(&format!("tar -C {}/image -cf {} .", self.dir.display(), archive.display()));
        let command = r#"--change=CMD=["/bin/sleep","1000"]"#;
        self.exec(&format!("podman import --quiet {command} {} {image}", archive.display()));
    }

    /// Runs a program, which must succeed; its output.
    pub(crate) fn exec(&self, words: &str) -> String {
        self.try_exec(words).success(words)
    }

    /// Runs a program.
    pub(crate) fn try_exec(&self, words: &str) -> Finished {
        let mut command = self.command(words);
        self.host.netns().inside(|| run(&mut command, b"", LIMIT))
    }

    /// Starts a program that goes on; it ends with the sandbox.
    pub(crate) fn start(&mut self, words: &str) {
        let mut log = fs::OpenOptions::new();
        let log = log.append(true).create(true).open(self.dir.join("log")).expect("make a file");
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = self.host.netns().inside(|| command.spawn()).expect("start a program");
        self.started.push(child);
    }

    fn command(&self, words: &str) -> Command {
        let namespace = |kind: &str| format!("/proc/{}/ns/{kind}", self.init.id());
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount={}", namespace("mnt")))
            .arg(format!("--pid={}", namespace("pid_for_children")))
            .args(["env", "CONTAINERS_CONF=/etc/cni/containers.conf"])
            .args(words.split_whitespace());
        command
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        let _ = self.init.kill();
        for child in self.started.iter_mut().chain([&mut self.init]) {
            let _ = child.wait();
        }
        // Runtimes leave the parents of the cgroups that they made.
        let hierarchies = fs::read_dir(CGROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
        for dir in hierarchies.chain([CGROUPS.into()]) {
            remove_cgroup(&dir.join(&self.label));
        }
    }
}

fn remove_cgroup(dir: &Path) {
    for inner in fs::read_dir(dir).into_iter().flatten().flatten() {
        if inner.path().is_dir() {
            remove_cgroup(&inner.path());
        }
    }
    let _ = fs::remove_dir(dir);
}
