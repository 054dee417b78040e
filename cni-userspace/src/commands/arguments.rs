//! A command's flags as a table, from which come the parser and the text of `--help`.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt::Write,
    os::unix::ffi::OsStrExt,
};

/// A flag, with a value or without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    /// What its value is to a reader.
    pub(super) value: Option<&'static str>,
    pub(super) help: &'static str,
}

/// What can be typed after a command.
#[derive(Debug)]
pub(super) struct Syntax {
    pub(super) command: &'static str,
    pub(super) about: &'static str,
    pub(super) flags: &'static [Flag],
}

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given(BTreeMap<&'static str, OsString>);

impl Given {
    pub(super) fn has(&self, flag: &Flag) -> bool {
        self.0.contains_key(flag.name)
    }

    pub(super) fn value(&self, flag: &Flag) -> Option<&OsStr> {
        self.0.get(flag.name).map(OsString::as_os_str)
    }
}

impl Syntax {
    /// What was typed; `None` when that asks for help.
    pub(super) fn parse(&self, args: &[OsString]) -> Result<Option<Given>, String> {
        let mut given = BTreeMap::new();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if ["--help", "-h"].iter().any(|help| arg == help) {
                return Ok(None);
            }
            let (name, attached) = split(arg);
            let unknown = || format!("unknown argument {arg:?}");
            let flag = self.flags.iter().find(|flag| name == flag.name).ok_or_else(unknown)?;
            let value = match (flag.value, attached) {
                (None, None) => OsString::new(),
                (None, Some(value)) => return Err(format!("{} takes no value, not {value:?}", flag.name)),
                (Some(_), Some(value)) => value.to_owned(),
                (Some(what), None) => {
                    let next = rest.next().ok_or_else(|| format!("{} needs its {what}", flag.name))?;
                    next.clone()
                }
            };
            if flag.value.is_some() && value.is_empty() {
                return Err(format!("{} is empty", flag.name));
            }
            if given.insert(flag.name, value).is_some() {
                return Err(format!("{} is given twice", flag.name));
            }
        }
        Ok(Some(Given(given)))
    }

    pub(super) fn help(&self) -> String {
        let mut text = format!("{}\n\nUsage: userspace {} [options]\n\nOptions:\n", self.about, self.command);
        let typed = |flag: &Flag| match flag.value {
            Some(value) => format!("{} {value}", flag.name),
            None => flag.name.to_owned(),
        };
        for flag in self.flags {
            let _ = writeln!(text, "  {:<20} {}", typed(flag), flag.help);
        }
        text.push_str("  --help               this text\n");
        text
    }
}

/// `--flag=value` in two.
fn split(arg: &OsStr) -> (&OsStr, Option<&OsStr>) {
    let bytes = arg.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (OsStr::from_bytes(&bytes[..at]), Some(OsStr::from_bytes(&bytes[at + 1..]))),
        None => (arg, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIR: Flag = Flag { name: "--dir", value: Some("DIR"), help: "where" };
    const DRY: Flag = Flag { name: "--dry", value: None, help: "whether" };
    const SYNTAX: Syntax = Syntax { command: "try", about: "Tries.", flags: &[DIR, DRY] };

    fn parse(args: &[&str]) -> Result<Option<Given>, String> {
        SYNTAX.parse(&args.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_are_read_with_their_values() {
        for args in [&["--dir", "a=b", "--dry"][..], &["--dry", "--dir=a=b"]] {
            let given = parse(args).unwrap().unwrap();
            assert!(given.has(&DRY));
            assert_eq!(given.value(&DIR), Some(OsStr::new("a=b")));
        }
        assert_eq!(parse(&[]), Ok(Some(Given::default())));
        assert_eq!(parse(&["--dry", "--help"]), Ok(None));
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (args, word) in [
            (&["--what"][..], "--what"),
            (&["x"], "\"x\""),
            (&["--dir"], "needs its DIR"),
            (&["--dir="], "is empty"),
            (&["--dry=1"], "takes no value"),
            (&["--dry", "--dry"], "twice"),
        ] {
            let reason = parse(args).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn help_has_every_flag() {
        let text = SYNTAX.help();
        assert!(
            text.contains("--dir DIR") && text.contains("--dry") && text.contains("userspace try"),
            "{text}"
        );
    }
}
