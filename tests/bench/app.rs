//! What the container's program takes: from a half's publication to its interface in the container's VPP, and from the API of a VPP that has
//! come back to all of its interfaces. Prints a table, and fails when a limit does not hold. Run it by `make bench` with `vpp` on PATH.

#![allow(clippy::print_stdout, reason = "the table is what it is for")]

mod common;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use serde_json::json;
use userspace_core::{
    cx::Cx,
    half::ContainerHalf,
    remote::{RemoteStore, dir::DirStore},
};
use userspace_tests::{App, Container, Flavour, Host, Vpp, all_there, root};
use vpp_api_client::{Client, Options, messages::vpe::CliInband};

use self::common::{Limits, answer_peak};

const ROUNDS: u32 = 200;
/// How many interfaces there are when VPP is restarted, and how often that is.
const MANY: u32 = 16;
const RESTARTS: usize = 5;

fn main() -> ExitCode {
    if let Some(code) = answer_peak() {
        return code;
    }
    if !all_there(&["vpp"]) {
        println!("skipped: VPP is not on PATH");
        return ExitCode::SUCCESS;
    }
    let binary = root().join(env::var("STATIC").unwrap_or_else(|_| "target/release".to_owned()));
    let binary = binary.join("container-app");
    let host = Host::new(&[]).expect("it needs nothing more");
    let container = host.container("bench");
    let shared = host.path("shared/bench");
    let vpp = Vpp::start(&container.netns, Flavour::Real);
    let app = App::new(&container, &shared).binary(&binary).vpp(&vpp);
    let mut bench = Bench { store: DirStore::new(&shared), container, vpp, app };
    bench.app.start();
    let mut limits = Limits::default();
    bench.publications(&mut limits);
    bench.restarts(&mut limits);
    bench.sizes(&binary, &mut limits);
    limits.tell()
}

struct Bench {
    store: DirStore,
    container: Container,
    vpp: Vpp,
    app: App,
}

/// The half of an interface that is alone in its subnet.
fn half(id: &str, number: u32) -> ContainerHalf {
    let document = json!({"containerId": id, "ifName": format!("net{number}"), "name": "bench",
        "config": {"engine": "vpp", "iftype": "memif", "memif": {"role": "slave", "socketfile": format!("{number}.sock")}},
        "ipResult": {"ips": [{"address": address(number)}]}});
    ContainerHalf::from_json(document.to_string().as_bytes()).expect("a half")
}

fn address(number: u32) -> String {
    format!("10.{}.{}.2/24", number / 250, number % 250)
}

impl Bench {
    fn publications(&self, limits: &mut Limits) {
        let (mut made, mut gone) = (Vec::new(), Vec::new());
        self.vpp
            .with_client(async |vpp| {
                let vpp = vpp.with_time_limit(Duration::from_secs(600));
                for number in 0..ROUNDS {
                    let half = half(&self.container.id, number);
                    let begin = Instant::now();
                    self.store.publish(cx(), &half).await.expect("publish");
                    until(&vpp, number, true).await;
                    made.push(begin.elapsed());
                    let begin = Instant::now();
                    self.store.withdraw(cx(), &half.attachment).await.expect("withdraw");
                    until(&vpp, number, false).await;
                    gone.push(begin.elapsed());
                }
                Ok(())
            })
            .expect("ask VPP");
        println!("{ROUNDS} publications and withdrawals, one at a time, in ms");
        println!("{:>24} {:>8} {:>8} {:>8}", "", "median", "p95", "most");
        for (what, times) in [("published to made", &mut made), ("withdrawn to gone", &mut gone)] {
            times.sort_unstable();
            let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
            println!("{what:>24} {:>8.2} {:>8.2} {:>8.2}", at(50), at(95), at(100));
            limits.at_most(&format!("{what}, 95th percentile, ms"), 50.0, at(95));
        }
    }

    fn restarts(&mut self, limits: &mut Limits) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for number in 0..MANY {
                self.store.publish(cx(), &half(&self.container.id, number)).await.expect("publish");
            }
        });
        self.app.wait_up(MANY as usize);
        let mut most = Duration::ZERO;
        for _ in 0..RESTARTS {
            self.vpp.kill();
            self.vpp.spawn();
            let took = runtime.block_on(async {
                let vpp = self.api().await;
                let begin = Instant::now();
                for number in 0..MANY {
                    until(&vpp, number, true).await;
                }
                begin.elapsed()
            });
            most = most.max(took);
        }
        let most = most.as_secs_f64() * 1e3;
        println!(
            "{RESTARTS} restarts of VPP with {MANY} interfaces: all back within {most:.0} ms of its API"
        );
        limits.at_most("VPP's API up to all interfaces back, ms", 1000.0, most);
    }

    /// A connection as soon as VPP takes one.
    async fn api(&self) -> Client {
        loop {
            let options =
                Options { time_limit: Duration::from_secs(60), ..Options::at(self.vpp.api_socket()) };
            if let Ok(client) = Client::connect(options).await {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn sizes(&self, binary: &Path, limits: &mut Limits) {
        let peak = peak_of(self.app.pid().expect("it runs"));
        println!("peak memory of container-app: {peak:.1} MB");
        let size = fs::metadata(binary).expect("the binary").len() as f64 / 1e6;
        println!("size of container-app: {size:.2} MB");
        limits.at_most("peak memory of container-app, MB", 10.0, peak);
    }
}

/// VmHWM of proc(5).
fn peak_of(pid: u32) -> f64 {
    let status: PathBuf = ["/proc", &pid.to_string(), "status"].iter().collect();
    let text = fs::read_to_string(status).expect("the process's status");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1000.0
}

fn cx() -> Cx {
    Cx::within(Duration::from_secs(10))
}

/// Asks until the interface's address is there, or gone.
async fn until(vpp: &Client, number: u32, is_there: bool) {
    let wanted = address(number);
    let begin = Instant::now();
    loop {
        let request = CliInband { cmd: "show interface address".into() };
        let text = vpp.request(&request).await.expect("show interface address").reply.to_string();
        if text.split_whitespace().any(|word| word == wanted) == is_there {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{wanted}: not within 30 s: {text}");
    }
}
