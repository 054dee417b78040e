//! A VPP of memory on a socket, for tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    vpp_api_client::fake::command::run(std::env::args().skip(1))
}
