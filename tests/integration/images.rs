//! The images: one file each, for this machine, and what is in them runs. Built as `make images` builds them, over binaries that are not
//! optimised.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use userspace_tests::{Finished, Host, all_there, container_app, plugin, root, run, static_binaries};

use crate::runtimes::sandbox::Sandbox;

const NAMES: [&str; 2] = ["userspace", "container-app"];
const LIMIT: Duration = Duration::from_secs(60);

fn arch() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// Builds both into `out`, in a world where temporary files go to `tmp`.
fn build(binaries: &Path, arch: &str, out: &Path, tmp: &Path) -> Finished {
    let mut command = Command::new(root().join("scripts/images"));
    command.arg(binaries).arg(out).env("ARCH", arch).env("TAG", "test").env("TMPDIR", tmp);
    run(&mut command, b"", LIMIT)
}

/// A file in a tar archive.
fn member(archive: &Path, name: &str) -> Vec<u8> {
    let output = Command::new("tar").arg("-xOf").arg(archive).arg(name).output().expect("run tar");
    assert!(output.status.success(), "{name} in {}", archive.display());
    output.stdout
}

fn object(archive: &Path, name: &str) -> Value {
    serde_json::from_slice(&member(archive, name)).expect("JSON")
}

/// The names in the archive's only layer, and the image's configuration.
fn inside(archive: &Path) -> (Vec<String>, Value) {
    let manifest = object(archive, "manifest.json");
    let layers = manifest[0]["Layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 1, "{manifest}");
    let layer = member(archive, layers[0].as_str().expect("a name"));
    let listing = run(Command::new("tar").arg("-t"), &layer, LIMIT).success("list a layer");
    let config = object(archive, manifest[0]["Config"].as_str().expect("a name"));
    (listing.lines().map(str::to_owned).collect(), config)
}

#[test]
fn an_image_has_its_program_and_nothing_else() {
    let Some(host) = Host::new(&["buildah", "readelf"]) else { return };
    let (out, tmp) = (host.path("out"), host.path("tmp"));
    fs::create_dir(&tmp).expect("make a directory");
    // The second time over what is there.
    for _ in 0..2 {
        build(static_binaries(), arch(), &out, &tmp).success("scripts/images");
    }
    assert_eq!(fs::read_dir(&tmp).expect("it").count(), 0, "nothing is left of the building");
    for (name, command) in NAMES.into_iter().zip(["install", "run"]) {
        let (files, config) = inside(&out.join(format!("{name}-{}.tar", arch())));
        assert_eq!(files, [name]);
        assert_eq!(config["architecture"], arch());
        assert_eq!(config["config"]["Entrypoint"], json!([format!("/{name}")]));
        assert_eq!(config["config"]["Cmd"], json!([command]));
        let labels = &config["config"]["Labels"];
        assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"), "{labels}");
    }
}

#[test]
fn what_would_not_start_is_refused() {
    let Some(host) = Host::new(&["buildah", "readelf"]) else { return };
    let (out, dynamic) = (host.path("out"), host.path("dynamic"));
    fs::create_dir(&dynamic).expect("make a directory");
    for (name, binary) in NAMES.into_iter().zip([plugin(), container_app()]) {
        std::os::unix::fs::symlink(binary, dynamic.join(name)).expect("make a link");
    }
    let other = if arch() == "amd64" { "arm64" } else { "amd64" };
    for (binaries, arch, word) in [
        (&*dynamic, arch(), "userspace is not static"),
        (static_binaries(), other, "userspace is not for "),
        (static_binaries(), "mips", "not mips"),
    ] {
        let ended = build(binaries, arch, &out, &host.path(""));
        assert!(ended.code != Some(0) && ended.stderr.contains(word), "{ended:?}");
        assert!(!out.exists(), "nothing was begun");
    }
}

#[test]
fn podman_runs_both() {
    let Some(host) = Host::new(&["buildah", "readelf", "podman", "runc", "host-local"]) else { return };
    let (out, bin, shared) = (host.path("out"), host.path("bin-dir"), host.path("shared"));
    for dir in [&bin, &shared] {
        fs::create_dir(dir).expect("make a directory");
    }
    build(static_binaries(), arch(), &out, &host.path("")).success("scripts/images");
    let sandbox = Sandbox::new(&host, &json!({"cniVersion": "1.0.0", "name": "none", "plugins": []}));
    let podman = |words: &str| {
        let common = format!("--rm --network none --cgroup-parent /{}", sandbox.label());
        sandbox.exec(&format!("podman run {common} {words}"))
    };
    for name in NAMES {
        sandbox.exec(&format!("podman load --input {}/{name}-{}.tar", out.display(), arch()));
    }

    let installs = format!("--volume {}:/host/opt/cni/bin localhost/userspace:test", bin.display());
    assert_eq!(podman(&installs), "installed   /host/opt/cni/bin/userspace\n");
    let copy = fs::metadata(bin.join("userspace")).expect("the copy");
    assert_eq!((copy.mode() & 0o7777, copy.uid()), (0o755, 0));
    assert_eq!(podman(&installs), "stood       /host/opt/cni/bin/userspace\n");
    let version = run(Command::new(bin.join("userspace")).arg("--version").env_clear(), b"", LIMIT);
    assert_eq!(podman(&format!("{installs} --version")), version.success("the copy on the host"));

    assert!(podman("localhost/container-app:test --help").contains("container-app"));
    // Nobody in particular, in an image that cannot be written to.
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).expect("set a mode");
    let volume = format!("--user 65534:65534 --read-only --volume {}:/shared:ro", shared.display());
    let shown = podman(&format!("{volume} localhost/container-app:test show --json --dir /shared"));
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["interfaces"], json!([]));
}

#[test]
fn the_dockerfile_builds_what_make_builds() {
    if !all_there(&[]) {
        return;
    }
    let text = fs::read_to_string(root().join("images/Dockerfile")).expect("images/Dockerfile");
    let stages: Vec<_> = text.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(stages.len(), 3, "{stages:?}");
    assert!(stages[0].ends_with("-slim-bookworm AS build"), "{stages:?}");
    for (stage, name) in stages[1..].iter().zip(NAMES) {
        assert_eq!(*stage, format!("FROM scratch AS {name}"));
        assert!(text.contains(&format!("\nCOPY --from=build /{name} /{name}\n")));
    }
    assert!(text.contains("RUN make build ARCH=$TARGETARCH"));
    // What the Makefile makes of each ARCH, without making it.
    for arch in ["amd64", "arm64"] {
        let target = run(Command::new(root().join("scripts/target")).arg(arch), b"", LIMIT);
        if target.code != Some(0) {
            continue;
        }
        let target = target.stdout.trim();
        let mut make = Command::new("make");
        make.args(["--dry-run", "images"]).arg(format!("ARCH={arch}")).current_dir(root());
        let steps = run(&mut make, b"", LIMIT).success("make --dry-run");
        for step in ["-p cni-userspace", "-p container-app"] {
            assert!(steps.contains(&format!("--target {target} {step}\n")), "{steps}");
        }
        assert!(steps.contains(&format!("scripts/images target/{target}/release")), "{steps}");
    }
}
