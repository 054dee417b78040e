//! VERSION: answers with nothing but its name, and lists the versions of which every one can be added with (see `results`).

use serde_json::{Value, json};
use userspace_tests::{Host, assert_same};

use crate::results::VERSIONS;

fn answer(stdin: &str, host: &Host) -> Value {
    let call = host.call("VERSION", &json!({})).without("CNI_PATH").without("PATH");
    assert_eq!(call.environment().len(), 1, "CNI_COMMAND and nothing else");
    call.stdin(stdin).run().result()
}

// 20, 21, 22
#[test]
fn it_answers_whatever_its_input() {
    let Some(host) = Host::new(&[]) else { return };
    let before = host.world();
    for (stdin, version) in [
        ("", "1.1.0"),
        (r#"{"cniVersion": "x"}"#, "1.1.0"),
        ("nonsense", "1.1.0"),
        (r#"{"cniVersion": "0.4.0"}"#, "0.4.0"),
        (r#"{"cniVersion": "1.0.0", "name": "n", "type": "userspace"}"#, "1.0.0"),
    ] {
        let expected = json!({"cniVersion": version, "supportedVersions": VERSIONS});
        assert_eq!(answer(stdin, &host), expected, "{stdin}");
    }
    assert_same(&before, &host.world(), "after VERSION");
    assert!(!host.state_dir().exists(), "VERSION makes no state");
}
