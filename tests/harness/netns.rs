//! A network namespace that goes with its owner.

use std::{
    fs::File,
    panic::resume_unwind,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use crate::wait::{Finished, run};

const LIMIT: Duration = Duration::from_secs(20);

/// A named network namespace; its loopback is up.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// A new one. `label` is a part of its name, which is unique on this machine.
    pub fn new(label: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("us-{}-{number}-{label}", std::process::id());
        host_ip(&["netns", "add", &name]);
        let made = Self { name };
        made.ip("link set lo up");
        made
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Whether it is still there.
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Takes it away, as a runtime does before a late DEL.
    pub fn delete(&self) {
        host_ip(&["netns", "delete", &self.name]);
    }

    /// Runs `work` on a thread in the namespace. Processes that it starts are there too.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(self.path()).expect("open the namespace");
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&file, CloneFlags::CLONE_NEWNET).expect("enter the namespace");
                work()
            });
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Runs a program in the namespace.
    pub fn exec(&self, words: &str) -> Finished {
        let mut words = words.split_whitespace();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        self.inside(|| run(&mut command, b"", LIMIT))
    }

    /// `ip WORDS` in the namespace; a failure fails the test.
    pub fn ip(&self, words: &str) -> String {
        let all = ["-netns", &self.name].into_iter();
        host_ip(&all.chain(words.split_whitespace()).collect::<Vec<_>>())
    }

    /// `ip -json -details WORDS` in the namespace, read.
    pub fn ip_json(&self, words: &str) -> Vec<Value> {
        let text = self.ip(&format!("-json -details {words}"));
        // Some objects print nothing when there are none.
        if text.trim().is_empty() {
            return Vec::new();
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("ip {words}: {error}: {text}"))
    }

    /// The link of that name, as `ip` tells it.
    pub fn link(&self, name: &str) -> Option<Value> {
        let mut links = self.ip_json("link show").into_iter();
        links.find(|link| link["ifname"] == name)
    }

    /// The addresses of the link of that name with their prefix lengths, link-local ones left out.
    pub fn addresses(&self, name: &str) -> Vec<String> {
        let links = self.ip_json("address show");
        let link = links.iter().find(|link| link["ifname"] == name);
        let infos = link.and_then(|link| link["addr_info"].as_array());
        let global = infos.into_iter().flatten().filter(|info| info["scope"] != "link");
        global
            .map(|info| format!("{}/{}", info["local"].as_str().unwrap_or_default(), info["prefixlen"]))
            .collect()
    }

    /// Sets a value below /proc/sys/net.
    pub fn sysctl(&self, key: &str, value: &str) {
        let path = Path::new("/proc/sys/net").join(key);
        self.inside(|| std::fs::write(&path, value)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if self.exists() {
            let words = ["netns", "delete", &self.name];
            let _ = Command::new("ip").args(words).status();
        }
    }
}

fn host_ip(words: &[&str]) -> String {
    let mut command = Command::new("ip");
    command.args(words);
    run(&mut command, b"", LIMIT).success(&format!("ip {}", words.join(" ")))
}
