//! The rules of docs/architecture.md and docs/contributing.md that a machine can check.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use userspace_tests::root;

/// Which crates of this workspace each may depend on. A new crate or a new arrow is a decision: write it here and there.
const ARROWS: [(&str, &[&str]); 9] = [
    ("userspace-core", &[]),
    ("kernel-links", &[]),
    ("vpp-api-client", &[]),
    ("engine-linux", &["kernel-links", "userspace-core"]),
    ("engine-ovs", &["kernel-links", "userspace-core"]),
    ("engine-vpp", &["kernel-links", "userspace-core", "vpp-api-client"]),
    ("cni-userspace", &["engine-linux", "engine-ovs", "engine-vpp", "userspace-core"]),
    ("container-app", &["engine-linux", "engine-ovs", "engine-vpp", "userspace-core"]),
    (
        "userspace-tests",
        &["cni-userspace", "engine-ovs", "engine-vpp", "kernel-links", "userspace-core", "vpp-api-client"],
    ),
];

/// Words that a file's code must not have: what it must not know.
const ABSENT: [(&str, &[&str]); 6] = [
    ("userspace-core/src/", &["\"CNI_", "std::env", "std::process::Command", "rtnetlink", "println!"]),
    ("kernel-links/src/", &["userspace_core", "\"CNI_", "std::env", "uscni"]),
    ("engine-linux/src/", &["\"CNI_", "std::env", "rtnetlink::", "netlink_packet", "NetConf"]),
    ("cni-userspace/src/", &["rtnetlink", "netlink_packet", "kernel_links"]),
    ("container-app/src/", &["cni_userspace", "NetConf"]),
    ("", &["todo!(", "unimplemented!("]),
];

/// The core's plain values.
const PURE: [&str; 8] = [
    "id.rs",
    "spec.rs",
    "spec/network.rs",
    "conf.rs",
    "plan.rs",
    "plan/userspace.rs",
    "addressing.rs",
    "reconcile.rs",
];
const IMPURE: [&str; 8] =
    ["std::fs", "std::env", "std::io", "std::net::Tcp", "Instant", "tokio", "async", "crate::lifecycle"];

fn packages() -> BTreeMap<String, Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root());
    let output = command.output().expect("run cargo");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's metadata");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages.map(|one| (one["name"].as_str().expect("a name").to_owned(), one.clone())).collect()
}

/// All Rust files of the project, by their paths below its root.
fn sources() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let entries = fs::read_dir(root()).expect("the project").flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| path.join("Cargo.toml").exists()) {
        collect(&path, &mut all);
    }
    assert!(all.len() > 60, "the project has more files than {}", all.len());
    all
}

fn collect(dir: &Path, into: &mut Vec<(String, String)>) {
    let entries = fs::read_dir(dir).expect("a directory").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            into.push((name, text));
        }
    }
}

/// Whether a file is a test altogether.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.contains("/testing")
}

/// The lines before the unit tests at a file's end.
fn code(text: &str) -> Vec<&str> {
    let lines: Vec<_> = text.lines().collect();
    let tests = lines.windows(2).position(|two| two[0] == "#[cfg(test)]" && two[1].starts_with("mod "));
    lines[..tests.unwrap_or(lines.len())].to_vec()
}

fn broken(rule: &str, breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{rule}:\n{}", breaches.join("\n"));
}

#[test]
fn crates_depend_on_each_other_only_as_they_may() {
    let packages = packages();
    let mut breaches = Vec::new();
    for (name, package) in &packages {
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| known == name) else {
            breaches.push(format!("{name} is not in the table"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
        for other in dependencies.filter_map(|one| one["name"].as_str()) {
            if packages.contains_key(other) && other != name && !allowed.contains(&other) {
                breaches.push(format!("{name} -> {other}"));
            }
        }
    }
    broken("arrows that are not in the table", breaches);
}

#[test]
fn the_architecture_page_has_every_crate_and_invariant() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    let map =
        text.split("## Code map").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a code map");
    let folders = packages().into_values().map(|package| {
        let manifest = PathBuf::from(package["manifest_path"].as_str().expect("a path"));
        let folder = manifest.parent().and_then(Path::file_name).expect("a folder");
        folder.to_string_lossy().into_owned()
    });
    let missing = folders.filter(|folder| !map.contains(&format!("`{folder}`"))).collect();
    broken("the code map of docs/architecture.md lacks", missing);
    let invariants = text.split("## Invariants").nth(1).expect("the invariants");
    assert!(invariants.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count() >= 10);
}

#[test]
fn the_code_map_has_every_module_of_the_core_and_the_programs() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    let mut missing = Vec::new();
    for (path, _) in sources() {
        let dirs = ["userspace-core/src/", "cni-userspace/src/", "container-app/src/"];
        let module = dirs.iter().find_map(|dir| path.strip_prefix(dir));
        let Some(module) =
            module.filter(|file| !file.contains('/')).and_then(|file| file.strip_suffix(".rs"))
        else {
            continue;
        };
        let entry = ["lib", "main"].contains(&module);
        if !entry && !text.contains(&format!("`{module}`")) {
            missing.push(path);
        }
    }
    broken("docs/architecture.md does not name", missing);
}

#[test]
fn every_file_says_why_it_exists() {
    let mut breaches = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//! ") {
            breaches.push(path);
        }
    }
    broken("files that do not open with //!", breaches);
}

#[test]
fn files_and_functions_are_short() {
    let mut breaches = Vec::new();
    for (path, text) in sources() {
        let lines = code(&text);
        if lines.len() > 500 {
            breaches.push(format!("{path}: {} lines before its tests", lines.len()));
        }
        if !is_test(&path) {
            breaches.extend(long_functions(&lines).map(|what| format!("{path}: {what}")));
        }
    }
    broken("files over 500 lines, functions over 80", breaches);
}

/// Functions by their indentation, which rustfmt keeps: from the line with `fn` to the brace below its first letter.
fn long_functions(lines: &[&str]) -> impl Iterator<Item = String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_fn =
        |line: &str| line.trim_start().split(' ').take(5).any(|word| word == "fn") && !line.ends_with(';');
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_fn(line) && !line.contains("//")) {
        let closes = |other: &&str| other.trim_end() == format!("{}}}", " ".repeat(indent(line)));
        let length = lines[start..].iter().position(closes).unwrap_or(0);
        if length > 80 {
            long.push(format!("line {}, a function of {length} lines", start + 1));
        }
    }
    long.into_iter()
}

/// The lines of code with one of the words in it; comments and unit tests do not count.
fn with_words<'t>(text: &'t str, words: &'t [&str]) -> impl Iterator<Item = String> + 't {
    let lines = code(text).into_iter().enumerate();
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter_map(move |(number, line)| {
        let word = words.iter().find(|word| line.contains(*word))?;
        Some(format!("line {}: {word}", number + 1))
    })
}

#[test]
fn modules_do_not_know_what_they_must_not() {
    let mut breaches = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| !is_test(path)) {
        for (dir, words) in ABSENT.iter().filter(|(dir, _)| path.starts_with(dir)) {
            breaches.extend(with_words(text, words).map(|what| format!("{path} ({dir}): {what}")));
        }
        let is_pure = path.strip_prefix("userspace-core/src/").is_some_and(|file| PURE.contains(&file));
        if is_pure {
            breaches.extend(with_words(text, &IMPURE).map(|what| format!("{path} (pure): {what}")));
        }
    }
    broken("words that must not be there", breaches);
}

#[test]
fn only_the_ioctls_of_kernel_links_are_unsafe() {
    let mut breaches = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| !is_test(path)) {
        let lines = with_words(text, &["unsafe {", "unsafe fn", "allow(unsafe_code)"]).collect::<Vec<_>>();
        if path != "kernel-links/src/ioctl.rs" && !lines.is_empty() {
            breaches.push(format!("{path}: {lines:?}"));
        }
    }
    broken("unsafe code", breaches);
}
