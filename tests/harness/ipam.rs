//! An IPAM plugin that stands in where the stock one is too old (CNI 1.1.0) or too well-behaved: it keeps a lease a file, tells what
//! it was called with, and a test can say what it does at a verb.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::wait::install;

const SCRIPT: &str = r#"#!/bin/sh
dir=@DIR@
verb=$CNI_COMMAND
me="$CNI_CONTAINERID $CNI_IFNAME"
echo "$verb $me" >>"$dir/calls"
cat >"$dir/stdin.$verb.$$"
mv "$dir/stdin.$verb.$$" "$dir/stdin.$verb"
env | sort >"$dir/env.$verb"
[ -e "$dir/on.$verb" ] && . "$dir/on.$verb"
case $verb in
ADD)
    n=2
    until (set -C; echo "$me" >"$dir/leases/$n") 2>/dev/null; do n=$((n + 1)); done
    printf '{"cniVersion": "1.1.0", "ips": [{"address": "10.30.0.%s/24", "gateway": "10.30.0.1"},
        {"address": "fd30::%s/64", "gateway": "fd30::1"}]%s}' $n $n "$(cat "$dir/extra" 2>/dev/null)"
    ;;
DEL) grep -lx "$me" "$dir"/leases/* 2>/dev/null | xargs -r rm -f ;;
CHECK) grep -qx "$me" "$dir"/leases/* || { echo '{"code": 120, "msg": "there is no lease"}'; exit 1; } ;;
GC | STATUS) ;;
*) echo '{"code": 4, "msg": "unknown CNI_COMMAND"}'; exit 1 ;;
esac
"#;

/// The stand-in's directory.
#[derive(Debug)]
pub struct StandIn {
    dir: PathBuf,
}

impl StandIn {
    pub(crate) fn install(bin: &Path, dir: &Path) -> Self {
        fs::create_dir_all(dir.join("leases")).expect("make a directory");
        let script = SCRIPT.replace("@DIR@", &dir.display().to_string());
        install(&bin.join("stand-in"), script.as_bytes());
        Self { dir: dir.to_owned() }
    }

    /// From now on runs `commands` (of the shell) at `verb`, before what it would do otherwise. `exit` ends it there.
    pub fn on(&self, verb: &str, commands: &str) {
        fs::write(self.path("on", verb), commands).expect("write a file");
    }

    /// From now on answers `verb` with an error object.
    pub fn fail(&self, verb: &str, code: u32, msg: &str) {
        self.on(
            verb,
            &format!(r#"echo '{{"cniVersion": "1.1.0", "code": {code}, "msg": "{msg}"}}'; exit 1"#),
        );
    }

    /// From now on never answers `verb`: it waits for a child of a child, whose process id is then in [`Self::sleeper`].
    pub fn hang(&self, verb: &str) {
        let file = self.dir.join("sleeper");
        let file = file.display();
        self.on(verb, &format!("sh -c 'sleep 600 & echo $! >{file}.tmp; mv {file}.tmp {file}; wait' & wait"));
    }

    /// From now on does at `verb` what it does by itself.
    pub fn behave(&self, verb: &str) {
        fs::remove_file(self.path("on", verb)).expect("remove a file");
    }

    /// From now on has these keys in its results too.
    pub fn answer_also(&self, extra: &Value) {
        let keys = extra.as_object().expect("an object").iter();
        let text: String = keys.map(|(key, value)| format!(", {key:?}: {value}")).collect();
        fs::write(self.dir.join("extra"), text).expect("write a file");
    }

    /// The calls so far: verb, container, interface.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join("calls")).unwrap_or_default();
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// What the last call of `verb` had on its standard input.
    pub fn stdin(&self, verb: &str) -> Vec<u8> {
        fs::read(self.path("stdin", verb)).unwrap_or_else(|error| panic!("the input of {verb}: {error}"))
    }

    /// The environment of the last call of `verb`.
    pub fn env(&self, verb: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path("env", verb));
        let text = text.unwrap_or_else(|error| panic!("the environment of {verb}: {error}"));
        text.lines().map(str::to_owned).collect()
    }

    /// The leases: container and interface.
    pub fn leases(&self) -> Vec<String> {
        let files = fs::read_dir(self.lease_dir()).expect("read a directory").flatten();
        let mut all: Vec<_> = files
            .filter_map(|file| fs::read_to_string(file.path()).ok())
            .map(|text| text.trim_end().to_owned())
            .collect();
        all.sort();
        all
    }

    /// The process that [`Self::hang`] sleeps in, once it runs.
    pub fn sleeper(&self) -> Option<i32> {
        let text = fs::read_to_string(self.dir.join("sleeper")).ok()?;
        text.trim().parse().ok()
    }

    pub(crate) fn lease_dir(&self) -> PathBuf {
        self.dir.join("leases")
    }

    fn path(&self, what: &str, verb: &str) -> PathBuf {
        self.dir.join(format!("{what}.{verb}"))
    }
}
