//! Where sockets are, who may use them, and a container that plants other things in their places.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use serde_json::{Value, json};
use userspace_tests::{Container, Memory, merged, until};

use super::support::Vswitch;

const SOON: Duration = Duration::from_secs(10);

fn socket_path(result: &Value) -> &str {
    result["interfaces"][0]["socketPath"].as_str().expect("a socket's path")
}

/// User, group and mode.
fn access(path: &Path) -> (u32, u32, u32) {
    let found = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    (found.uid(), found.gid(), found.mode() & 0o777)
}

fn users_are_let_in(it: &Vswitch, half: &Value) {
    let red = it.host.container("red");
    let before = it.everything();
    for (sockets, vhost_group, group) in [
        (json!({"owner": 1234, "group": "4321", "mode": "0770"}), None, 4321),
        (json!({"owner": 1234, "group": "daemon", "mode": "770"}), None, 1),
        (json!({"owner": 1234, "group": "daemon", "mode": "770"}), Some("4321"), 4321),
    ] {
        let mut config = it.net(json!({"sockets": sockets, "host": half}));
        if let Some(name) = vhost_group {
            config = merged(config, json!({"host": {"vhost": {"group": name}}}));
        }
        let result = it.host.add(&red, &config);
        let socket = it.socket(&red, &result);
        assert_eq!(access(&it.shared(&red)), (1234, group, 0o770), "the directory");
        assert!(fs::symlink_metadata(&socket).expect("the socket").file_type().is_socket());
        assert_eq!(access(&socket), (1234, group, 0o660), "the socket");
        it.host.check(&red, &config).silent();
        it.host.del(&red, &config);
        it.is_as(&before, &config.to_string());
    }
}

#[test]
fn a_server_ports_socket_and_directory_are_their_users() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    users_are_let_in(&it, &json!({"vhost": {"mode": "server"}}));
}

#[test]
fn a_memifs_socket_and_directory_are_their_users() {
    let Some(it) = Vswitch::with(&["ovs-dpdk", "hugepages"], Memory::Hugepages) else { return };
    users_are_let_in(&it, &json!({"iftype": "memif"}));
}

/// All values of that key in a document.
fn values<'v>(document: &'v Value, key: &str) -> Vec<&'v str> {
    match document {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == key => vec![text.as_str()],
                other => values(other, key),
            })
            .collect(),
        Value::Array(all) => all.iter().flat_map(|one| values(one, key)).collect(),
        _ => Vec::new(),
    }
}

/// The published half in a container's directory.
fn half(dir: &Path) -> Value {
    let files = fs::read_dir(dir).unwrap_or_else(|error| panic!("{dir:?}: {error}")).flatten();
    let halves: Vec<_> = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    assert_eq!(halves.len(), 1, "{halves:?}");
    serde_json::from_slice(&fs::read(&halves[0]).expect("read the half")).expect("JSON")
}

#[test]
fn containers_whose_names_begin_alike_are_not_mixed_up() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let both = ["default-nginx1", "default-nginx2"].map(|id| it.host.container(id));
    let config = it.net(json!({}));
    let before = it.everything();
    let paths: BTreeSet<_> =
        both.iter().map(|one| PathBuf::from(socket_path(&it.host.add(one, &config)))).collect();
    let dirs: BTreeSet<_> = paths
        .iter()
        .map(|path| fs::read_link(path.parent().expect("a link")).expect("a link to the directory"))
        .collect();
    assert_eq!((paths.len(), dirs.len()), (2, 2), "{paths:?} {dirs:?}");
    for dir in &dirs {
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.starts_with("default-ngin-"), "{name}");
        assert_eq!(values(&half(dir), "containerId").len(), 1);
    }
    let halves: BTreeSet<_> = dirs.iter().map(|dir| half(dir).to_string()).collect();
    assert_eq!(halves.len(), 2);
    it.host.del(&both[0], &config);
    it.host.check(&both[1], &config).silent();
    it.host.call("CHECK", &config).of(&both[0]).fails(103, &["default-nginx1"]);
    it.host.del(&both[1], &config);
    it.is_as(&before, "in the end");
}

#[test]
fn a_pods_path_of_two_hundred_characters_works() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    let red = it.host.container("red");
    let pod = it.host.path("pods").join("p".repeat(100)).join("v".repeat(100));
    let config = it.net(json!({"sharedDir": pod}));
    let before = it.everything();
    let result = it.host.add(&red, &config);
    let path = socket_path(&result);
    assert!(path.len() <= 107 && pod.as_os_str().len() > 200, "{path}");
    for file in values(&half(&pod.join("red")), "socketfile") {
        assert!(
            !file.is_empty() && !file.contains('/'),
            "{file:?} is to be found in the container's directory"
        );
    }
    // The application binds in its own directory, which the link is a short name of; ovs-vswitchd connects.
    let listener = UnixListener::bind(path).expect("listen");
    listener.set_nonblocking(true).expect("do not wait");
    until("ovs-vswitchd connects", SOON, || listener.accept().is_ok());
    it.host.check(&red, &config).silent();
    drop(listener);
    it.host.del(&red, &config);
    assert_eq!(fs::read_dir(&pod).expect("the shared directory").count(), 0);
    it.is_as(&before, "in the end");
}

/// What a container can put in a place.
#[derive(Debug, Clone, Copy)]
enum Plant {
    LinkToFile,
    LinkToSocket,
    LinkToDirectory,
    LinkToNothing,
    Fifo,
    Directory,
    File,
}

impl Plant {
    const ALL: [Self; 7] = [
        Self::LinkToFile,
        Self::LinkToSocket,
        Self::LinkToDirectory,
        Self::LinkToNothing,
        Self::Fifo,
        Self::Directory,
        Self::File,
    ];

    fn put(self, path: &Path, outside: &Path) {
        let _ = fs::remove_file(path);
        let link = |name: &str| symlink(outside.join(name), path);
        match self {
            Self::LinkToFile => link("file"),
            Self::LinkToSocket => link("socket"),
            Self::LinkToDirectory => link("directory"),
            Self::LinkToNothing => link("nothing"),
            Self::Fifo => mkfifo(path, Mode::from_bits_truncate(0o600)).map_err(Into::into),
            Self::Directory => fs::create_dir(path),
            Self::File => fs::write(path, "planted"),
        }
        .unwrap_or_else(|error| panic!("plant {self:?} at {path:?}: {error}"));
    }
}

/// A directory that the plugin has no business in.
struct Outside {
    dir: PathBuf,
    _listener: UnixListener,
}

impl Outside {
    fn new(dir: PathBuf) -> Self {
        fs::create_dir(&dir).expect("make a directory");
        fs::write(dir.join("file"), "theirs").expect("write a file");
        fs::create_dir(dir.join("directory")).expect("make a directory");
        let listener = UnixListener::bind(dir.join("socket")).expect("listen");
        Self { dir, _listener: listener }
    }

    /// All that could have been changed.
    fn seen(&self) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        for dir in [self.dir.clone(), self.dir.join("directory")] {
            seen.insert(format!("{dir:?} {:?}", access(&dir)));
            for entry in fs::read_dir(&dir).expect("it is there").flatten() {
                let found = entry.metadata().expect("it is there");
                let number = (found.ino(), found.nlink(), found.len());
                seen.insert(format!("{:?} {number:?} {:?}", entry.path(), access(&entry.path())));
            }
        }
        seen.insert(fs::read_to_string(self.dir.join("file")).expect("it is there"));
        seen
    }
}

/// An attachment of `red` in a directory where the container put something: before ADD, or after it.
fn with_plant(it: &Vswitch, red: &Container, config: &Value, plant: impl Fn(), is_early: bool) {
    if is_early {
        fs::create_dir_all(it.shared(red)).expect("make a directory");
        plant();
    }
    let output = it.host.call("ADD", config).of(red).run();
    let mut took = output.finished.took;
    if output.finished.code == Some(0) {
        output.result();
    } else {
        output.failure();
    }
    if !is_early {
        output.result();
        plant();
    }
    took = took.max(it.host.check(red, config).finished.took);
    let output = it.host.call("DEL", config).of(red).run();
    output.silent();
    assert!(took.max(output.finished.took) < Duration::from_secs(5), "nothing waits for the container");
}

fn nothing_outside_is_touched(it: &Vswitch, half: &Value, names: &[&str]) {
    let red = it.host.container("red");
    let access = json!({"owner": 1234, "group": "4321", "mode": "777"});
    let config = it.net(json!({"host": half, "sockets": access}));
    let before = it.everything();
    let outside = Outside::new(it.host.path("outside"));
    let seen = outside.seen();
    for name in names {
        for plant in Plant::ALL {
            for is_early in [true, false] {
                let put = || plant.put(&it.shared(&red).join(name), &outside.dir);
                with_plant(it, &red, &config, put, is_early);
                let when = format!("{plant:?} at {name:?}, before ADD: {is_early}, {half}");
                assert_eq!(outside.seen(), seen, "{when}");
                let _ = fs::remove_dir_all(it.shared(&red));
                it.is_as(&before, &when);
            }
        }
    }
}

const HALF: &str = "configData-red-eth0.json";

#[test]
fn slow_nothing_outside_is_touched_when_a_container_plants_things_for_a_client_port() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    nothing_outside_is_touched(&it, &json!({}), &["red-eth0", HALF]);
}

#[test]
fn slow_nothing_outside_is_touched_when_a_container_plants_things_for_a_server_port() {
    let Some(it) = Vswitch::with(&["ovs-dpdk"], Memory::NoHuge) else { return };
    nothing_outside_is_touched(&it, &json!({"vhost": {"mode": "server"}}), &["red-eth0", HALF]);
}

#[test]
fn slow_nothing_outside_is_touched_when_a_container_plants_things_for_a_memif() {
    let Some(it) = Vswitch::with(&["ovs-dpdk", "hugepages"], Memory::Hugepages) else { return };
    nothing_outside_is_touched(&it, &json!({"iftype": "memif"}), &["memif-red-eth0.sock", HALF]);
}
