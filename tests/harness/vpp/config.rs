//! The start-up file of a VPP that disturbs nobody: no hugepages, no devices of the machine's, little memory.

use std::path::Path;

/// Plugins that the engine can use, of which a release may have some in its core. VPP passes over one that it does not have.
const PLUGINS: [&str; 6] = ["memif", "vhost", "tap", "af_packet", "ping", "policer"];

pub(super) fn startup(dir: &Path, name: &str) -> String {
    let dir = dir.display();
    let plugins: Vec<_> =
        PLUGINS.iter().map(|name| format!("plugin {name}_plugin.so {{ enable }}")).collect();
    // The sleep is in microseconds: without it, VPP takes the whole of a core as soon as one memif has a peer.
    format!(
        "unix {{ nodaemon cli-listen {dir}/cli.sock runtime-dir {dir} log {dir}/log poll-sleep-usec 100 }}\n\
         api-segment {{ prefix {name} }}\n\
         socksvr {{ socket-name {dir}/api.sock }}\n\
         plugins {{ plugin default {{ disable }} {} }}\n\
         physmem {{ max-size 64m }}\n\
         buffers {{ buffers-per-numa 8192 page-size 4k }}\n\
         statseg {{ size 16m socket-name {dir}/stats.sock }}\n",
        plugins.join(" "),
    )
}
