//! Builds the binaries under test, once a test process, each by a `cargo build` of its own: features that the tests' own
//! dependencies switch on must not leak into them.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// The plugin as it is built for use.
pub fn plugin() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    built(BUILT.get_or_init(|| build(&target(), "cni-userspace", &[])))
}

/// The plugin with points at which it can be made to fail or die.
pub fn plugin_with_failpoints() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    built(
        BUILT.get_or_init(|| {
            build(&target().join("failpoints"), "cni-userspace", &["--features", "failpoints"])
        }),
    )
}

/// The plugin with the Kubernetes API, and with points at which it can be made to fail or die.
pub fn plugin_with_kube() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let arguments = ["--features", "kube,failpoints"];
    built(BUILT.get_or_init(|| build(&target().join("kube"), "cni-userspace", &arguments)))
}

/// The plugin with one engine alone.
pub fn plugin_with_linux_alone() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let arguments = ["--no-default-features", "--features", "linux"];
    built(BUILT.get_or_init(|| build(&target().join("linux-alone"), "cni-userspace", &arguments)))
}

/// The container's program.
pub fn container_app() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    built(BUILT.get_or_init(|| build(&target(), "container-app", &[])))
}

/// A directory with both, static as they are shipped but not optimised.
pub fn static_binaries() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let shipped = shipped_for();
        let [_, binary] = ["cni-userspace", "container-app"].map(|package| {
            let mut command = cargo_build(&target(), package, &["--target", &shipped]);
            command.env("RUSTFLAGS", "-C target-feature=+crt-static -C debuginfo=0 -C strip=symbols");
            finish(command)
        });
        binary.and_then(|path| path.parent().map(Path::to_owned))
    });
    self::built(built)
}

/// The fake VPP.
pub(crate) fn fake_vpp() -> &'static Path {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let arguments = ["--features", "fake", "--bin", "fake-vpp"];
    built(BUILT.get_or_init(|| build(&target(), "vpp-api-client", &arguments)))
}

fn built(path: &'static Option<PathBuf>) -> &'static Path {
    path.as_deref().expect("cargo build failed, see its messages on standard error")
}

/// The workspace's directory.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        tests.parent().expect("tests is in the workspace").to_owned()
    })
}

fn target() -> PathBuf {
    let chosen = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(chosen.unwrap_or_else(|| "target".into()))
}

/// The binary, or none when it does not compile: cargo has then told why, once.
fn build(target: &Path, package: &str, arguments: &[&str]) -> Option<PathBuf> {
    finish(cargo_build(target, package, arguments))
}

fn cargo_build(target: &Path, package: &str, arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root())
        .args(["build", "--quiet", "--package", package])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(target)
        .args(arguments)
        .stderr(Stdio::inherit());
    command
}

fn finish(mut command: Command) -> Option<PathBuf> {
    let output = command.output().expect("run cargo");
    if !output.status.success() {
        return None;
    }
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let executable = messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    Some(executable.expect("cargo names the binary that it built"))
}

/// What the shipped binaries are built for, in Rust's words. That a target is named keeps the flags from what runs while it is compiled.
fn shipped_for() -> String {
    let output = Command::new(root().join("scripts/target")).stderr(Stdio::inherit()).output();
    String::from_utf8(output.expect("run scripts/target").stdout).expect("UTF-8").trim().to_owned()
}
