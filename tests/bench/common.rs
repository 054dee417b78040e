//! What the benchmarks share: running a plugin, what that cost, and limits that must hold.

#![allow(clippy::print_stdout, reason = "the table is what it is for")]
#![allow(dead_code, reason = "each benchmark uses its part")]

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output, Stdio},
    time::{Duration, Instant},
};

use cni_userspace::netconf;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde_json::Value;
use userspace_core::{
    id::AttachmentId,
    netns::NetnsRef,
    owner::InstanceId,
    plan::{Overrides, Plan, Request},
    record::{Record, RecordDir},
};

/// Runs a program and prints what it took at most, in kilobytes. A process of its own, since the figure is one of all children.
fn peak(command: &[String]) -> ExitCode {
    let status = Command::new(&command[0]).stdout(Stdio::null()).status().expect("run the program");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    println!("{}", usage.max_rss());
    ExitCode::from(u8::from(!status.success()))
}

/// The limits of the table, and whether they held.
#[derive(Default)]
pub(crate) struct Limits(Vec<(String, f64, f64)>);

impl Limits {
    pub(crate) fn at_most(&mut self, what: &str, limit: f64, found: f64) {
        self.0.push((what.to_owned(), limit, found));
    }

    pub(crate) fn tell(&self) -> ExitCode {
        println!("\n{:<48} {:>8} {:>8}", "limit", "at most", "found");
        let mut held = true;
        for (what, limit, found) in &self.0 {
            let verdict = if found <= limit { "" } else { "  MISSED" };
            held &= found <= limit;
            println!("{what:<48} {limit:>8.2} {found:>8.2}{verdict}");
        }
        ExitCode::from(u8::from(!held))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// One way to attach a container.
pub(crate) struct Plugin {
    pub(crate) name: &'static str,
    pub(crate) binary: PathBuf,
    pub(crate) config: Value,
}

impl Plugin {
    pub(crate) fn run(&self, verb: &str, container: &str, netns: &str) -> Cost {
        let before = cpu(UsageWho::RUSAGE_CHILDREN);
        let begin = Instant::now();
        let output = self.command(&[], verb, container, netns);
        let wall = begin.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{} {verb}: {said}", self.name);
        Cost { wall, cpu: cpu(UsageWho::RUSAGE_CHILDREN) - before }
    }

    /// `via` is a program to run the plugin by.
    pub(crate) fn command(&self, via: &[&str], verb: &str, container: &str, netns: &str) -> Output {
        let words: Vec<&str> = via.iter().copied().chain(self.binary.to_str()).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .env_clear()
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", netns)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", "/usr/lib/cni")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("run the plugin");
        let mut stdin = child.stdin.take().expect("its standard input");
        stdin.write_all(self.config.to_string().as_bytes()).expect("write the configuration");
        drop(stdin);
        child.wait_with_output().expect("wait for the plugin")
    }
}

impl Plugin {
    /// What ADD writes of its record (before its first effect, and again with the addresses), and what DEL erases.
    pub(crate) fn record(&self, dir: &Path, container: &str, netns: &Path) -> [Duration; 2] {
        let records = RecordDir::new(dir.to_owned());
        let record = Record::new(self.plan(container, netns), self.config.clone());
        let begin = Instant::now();
        records.save(&record).expect("write the record");
        records.save(&record).expect("write the record");
        let written = begin.elapsed();
        let begin = Instant::now();
        records.forget(record.attachment()).expect("erase the record");
        [written, begin.elapsed()]
    }

    fn plan(&self, container: &str, netns: &Path) -> Plan {
        let conf = netconf::parse(self.config.clone()).expect("the configuration");
        let request = Request {
            attachment: AttachmentId {
                network: "ours".parse().expect("a name"),
                container: container.parse().expect("an id"),
                interface: "eth0".parse().expect("a name"),
            },
            instance: InstanceId::new(1),
            netns: NetnsRef::inspect(netns).ok(),
            host: conf.host(),
            container: conf.container(),
            overrides: Overrides::default(),
            shared_dir: conf.shared_dir.clone(),
            sockets: conf.sockets(),
            pod: None,
        };
        Plan::new(&request).expect("a plan")
    }
}

pub(crate) fn cpu(whose: UsageWho) -> Duration {
    let usage = getrusage(whose).expect("getrusage");
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}

pub(crate) fn median(mut costs: Vec<Duration>) -> f64 {
    costs.sort();
    costs[costs.len() / 2].as_secs_f64() * 1000.0
}

/// The peak of an ADD's memory in MB. The figure is one of all children, so that this program runs itself for it.
pub(crate) fn peak_of_add(plugin: &Plugin, netns: &str) -> f64 {
    let this = env::current_exe().expect("the own path");
    let this = this.to_str().expect("a path in UTF-8");
    let output = plugin.command(&[this, "--peak"], "ADD", "peak", netns);
    let kilobytes: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number");
    plugin.run("DEL", "peak", netns);
    kilobytes / 1024.0
}

/// When this program was run for [`peak_of_add`], its exit code.
pub(crate) fn answer_peak() -> Option<ExitCode> {
    let mut args = env::args().skip(1);
    (args.next().as_deref() == Some("--peak")).then(|| peak(&args.collect::<Vec<_>>()))
}

/// The binary as it is shipped.
pub(crate) fn shipped() -> PathBuf {
    built(&env::var("STATIC").expect("run this by `make bench`"))
}

/// The binary with one engine alone.
pub(crate) fn slim(engine: &str) -> PathBuf {
    built(&format!("target/slim/{engine}"))
}

fn built(dir: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(dir).join("userspace")
}
