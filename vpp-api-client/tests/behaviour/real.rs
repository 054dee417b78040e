//! The real VPP, when it is on PATH: an own instance in an own directory.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use vpp_api_client::{Client, Options};

/// How long it may take to answer. Usually it is a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running VPP, which is killed with this value.
pub(crate) struct Vpp {
    process: Child,
    client: Client,
    _dir: TempDir,
}

impl Vpp {
    /// Starts it; none when there is none, which fails the test if `USERSPACE_REQUIRE` has the word `vpp`.
    pub(crate) async fn start() -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        if !env::split_paths(&path).any(|dir| dir.join("vpp").is_file()) {
            skip("vpp");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("vpp-api-").tempdir_in("/tmp").unwrap();
        let file = dir.path().join("startup.conf");
        fs::write(&file, start_up(dir.path())).unwrap();
        let mut command = Command::new("vpp");
        command.arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let begin = Instant::now();
        let client = loop {
            match Client::connect(Options::at(dir.path().join("api.sock"))).await {
                Ok(client) => break client,
                Err(error) => {
                    assert!(process.try_wait().unwrap().is_none(), "VPP has ended");
                    assert!(begin.elapsed() < PATIENCE, "{error}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        Some(Self { process, client, _dir: dir })
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }
}

impl Drop for Vpp {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says that something is not there, in a line that the summary of the tests is made of.
#[allow(clippy::print_stdout)]
fn skip(missing: &str) {
    let required = env::var("USERSPACE_REQUIRE").unwrap_or_default();
    let is_required = required.split([',', ' ']).any(|word| word == missing);
    assert!(!is_required, "{missing} is not on PATH, and USERSPACE_REQUIRE names it");
    println!("skipped: the real VPP: no {missing} on PATH");
}

fn start_up(dir: &Path) -> String {
    let plugins = ["memif", "vhost", "af_packet", "tap", "policer"];
    let plugins: String =
        plugins.iter().map(|name| format!(" plugin {name}_plugin.so {{ enable }}")).collect();
    let name = format!("vpp-api-{}", std::process::id());
    let dir = dir.display();
    format!(
        "unix {{ nodaemon cli-listen {dir}/cli.sock runtime-dir {dir} log {dir}/log }}
         api-segment {{ prefix {name} }}
         socksvr {{ socket-name {dir}/api.sock }}
         plugins {{ plugin default {{ disable }}{plugins} }}
         physmem {{ max-size 64m }}
         buffers {{ buffers-per-numa 8192 page-size 4k }}
         statseg {{ size 8m socket-name {dir}/stats.sock }}
        "
    )
}
