//! `userspace install`: the files are whole at every moment, what stands is left alone, what is wrong is refused before anything is touched.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use userspace_tests::{Finished, Service, plugin_with_failpoints, run, static_binaries, until};

const LIMIT: Duration = Duration::from_secs(60);

/// A host's two directories, and a configuration to bring.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("make a directory");
        for name in ["bin", "net.d"] {
            fs::create_dir(dir.path().join(name)).expect("make a directory");
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn plugin(&self) -> PathBuf {
        self.path("bin/userspace")
    }

    fn offer(&self, conf: &Value) {
        fs::write(self.path("blue.conflist"), conf.to_string()).expect("write a configuration");
    }

    /// The installer, with the configuration when there is one.
    fn command(&self, program: &Path, words: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().args(["install", "--bin-dir"]).arg(self.path("bin"));
        let offered = self.path("blue.conflist");
        if offered.exists() {
            command.arg("--conf-file").arg(offered).arg("--conf-dir").arg(self.path("net.d"));
        }
        command.args(words.split_whitespace());
        command
    }

    fn install(&self, words: &str) -> Finished {
        run(&mut self.command(&userspace(), words), b"", LIMIT)
    }

    /// All names below, sorted.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = ["bin", "net.d"]
            .iter()
            .flat_map(|dir| fs::read_dir(self.path(dir)).expect("a directory"))
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn userspace() -> PathBuf {
    static_binaries().join("userspace")
}

fn blue() -> Value {
    json!({"cniVersion": "1.0.0", "name": "blue", "plugins": [{"type": "userspace", "host": {
        "engine": "linux", "iftype": "veth", "netType": "bridge", "bridge": {"bridgeName": "blue0"}}}]})
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").ino()
}

fn runs(path: &Path) {
    let version = run(Command::new(path).arg("--version").env_clear(), b"", LIMIT);
    assert!(version.success("the copy").starts_with("userspace "));
}

#[test]
fn both_files_come_once_and_go_again() {
    let place = Place::new();
    place.offer(&blue());
    let (plugin, conf) = (place.plugin(), place.path("net.d/blue.conflist"));
    fs::write(&plugin, "an older one").expect("write a file");
    let before = inode(&plugin);
    let told = place.install("").success("install");
    assert_eq!(told, format!("replaced    {}\ninstalled   {}\n", plugin.display(), conf.display()));
    assert_ne!(inode(&plugin), before, "it is another file, renamed");
    assert_eq!((mode(&plugin), mode(&conf)), (0o755, 0o600));
    assert_eq!(fs::read_to_string(&conf).expect("it"), blue().to_string());
    runs(&plugin);

    let stands = [inode(&plugin), inode(&conf)];
    let told = place.install("").success("install again");
    assert_eq!(told, format!("stood       {}\nstood       {}\n", plugin.display(), conf.display()));
    assert_eq!([inode(&plugin), inode(&conf)], stands);

    let told = place.install("--uninstall").success("uninstall");
    assert_eq!(told, format!("removed     {}\nremoved     {}\n", conf.display(), plugin.display()));
    let told = place.install("--uninstall").success("uninstall again");
    assert_eq!(told, format!("absent      {}\nabsent      {}\n", conf.display(), plugin.display()));
    assert!(place.names().is_empty());
}

#[test]
fn what_is_anothers_by_now_stays() {
    let place = Place::new();
    place.offer(&blue());
    place.install("").success("install");
    fs::write(place.path("net.d/blue.conflist"), "{}").expect("write a file");
    let ended = place.install("--uninstall");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("net.d/blue.conflist\" (it is not what this would install)"), "{ended:?}");
    assert_eq!(place.names(), ["blue.conflist"], "the rest went");
}

#[test]
fn a_broken_configuration_is_refused_before_anything_is_touched() {
    let place = Place::new();
    let mut broken = blue();
    broken["plugins"][0]["host"]["mtu"] = "big".into();
    for (conf, word) in [
        (json!("text"), "is not an object"),
        (
            json!({"name": "blue", "plugins": [{"type": "bridge"}]}),
            "none of them has the \"type\" \"userspace\"",
        ),
        (json!({"name": "blue", "type": "userspace"}), "is to be called *.conf or .json"),
        (broken, "of plugins[0]: \"host.mtu\": invalid type: string \"big\""),
    ] {
        place.offer(&conf);
        let ended = place.install("");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.contains(word) && ended.stderr.contains("blue.conflist\""), "{ended:?}");
        assert!(place.names().is_empty());
    }
    fs::write(place.path("blue.conflist"), "{").expect("write a file");
    assert!(place.install("").stderr.contains("EOF while parsing"));
}

#[test]
fn a_directory_that_is_not_mounted_is_not_made() {
    let place = Place::new();
    place.offer(&blue());
    fs::remove_dir(place.path("net.d")).expect("remove a directory");
    let ended = place.install("");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("net.d\": No such file"), "{ended:?}");
    assert!(!place.plugin().exists(), "nothing was touched");
}

#[test]
fn words_that_do_not_fit_are_refused() {
    let place = Place::new();
    for words in [
        "--stay --uninstall",
        "--every 5",
        "--stay --every 0",
        "--conf-name a.conf",
        "--conf-dir /tmp",
        "--conf-file /a --conf-name b/c.conf",
    ] {
        let ended = place.install(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{words}: {ended:?}");
    }
    assert!(place.names().is_empty());
}

#[test]
fn a_kill_leaves_the_old_one_or_the_new_one() {
    let place = Place::new();
    for (point, old_stays) in [("before install", true), ("after install", false)] {
        fs::write(place.plugin(), "an older one").expect("write a file");
        let mut command = place.command(plugin_with_failpoints(), "");
        command.env("USERSPACE_FAILPOINT", format!("{point}=kill"));
        assert_eq!(run(&mut command, b"", LIMIT).code, None, "{point}");
        let drafts = place.names().len() - 1;
        assert_eq!(drafts, usize::from(old_stays), "{point}: {:?}", place.names());
        if old_stays {
            assert_eq!(fs::read_to_string(place.plugin()).expect("it"), "an older one");
        } else {
            runs(&place.plugin());
        }
        place.install("").success("install after the kill");
        assert_eq!(place.names(), ["userspace"], "{point}");
        runs(&place.plugin());
    }
}

#[test]
fn installers_at_the_same_time_leave_one_that_always_ran() {
    let place = Place::new();
    place.install("").success("install");
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                runs(&place.plugin());
            }
        });
        let installers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..5 {
                        // Makes the next one replace it.
                        let _ = fs::set_permissions(place.plugin(), fs::Permissions::from_mode(0o775));
                        place.install("").success("install");
                    }
                })
            })
            .collect();
        let done: Vec<_> = installers.into_iter().map(|one| one.join()).collect();
        is_done.store(true, Ordering::Relaxed);
        watcher.join().expect("it ran at every moment");
        assert!(done.iter().all(Result::is_ok));
    });
    assert_eq!(place.names(), ["userspace"]);
}

#[test]
fn one_that_stays_brings_again_what_goes() {
    let place = Place::new();
    place.offer(&blue());
    let (plugin, conf, log) = (place.plugin(), place.path("net.d/blue.conflist"), place.path("log"));
    let mut service = Service::start(&mut place.command(&userspace(), "--stay --every 1"), &log);
    let told = |words: &str| {
        until(words, LIMIT, || fs::read_to_string(&log).unwrap_or_default().contains(words));
    };
    told("staying, with a look every 1 s");
    fs::remove_file(&plugin).expect("remove the copy");
    fs::write(&conf, "{}").expect("replace the configuration");
    told(&format!("replaced    {}", conf.display()));
    runs(&plugin);
    // What is mounted has changed, and changed to something broken.
    let mut green = blue();
    green["name"] = "green".into();
    place.offer(&json!({}));
    told("failed      read the configuration ");
    assert_eq!(fs::read_to_string(&conf).expect("it"), blue().to_string(), "the last good one stays");
    place.offer(&green);
    told("all is well again");
    assert_eq!(fs::read_to_string(&conf).expect("it"), green.to_string());
    assert_eq!(service.terminate(), Some(0));
    told("ending");
    assert_eq!(place.names(), ["blue.conflist", "userspace"], "they stay when it ends");
}
