//! What goes wrong on purpose, and the commands that a test says so with.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write,
};

use super::vocabulary::bare;

/// What is done with a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done and answered.
    Done,
    /// It is not done, and answered with that number.
    Refused(i32),
    /// It is lost.
    Lost,
    /// The fake ends before it is done.
    Death,
}

/// What goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    hangs: bool,
    lost: HashSet<String>,
    refused: HashMap<String, (i32, Option<u32>)>,
    deadly: HashSet<String>,
    /// How often each message came.
    counts: BTreeMap<&'static str, u64>,
    /// Set by `fake die`.
    pub(crate) is_dead: bool,
}

impl Faults {
    /// A message came: what is done with it.
    pub(crate) fn fate(&mut self, full_name: &'static str) -> Fate {
        let name = bare(full_name);
        *self.counts.entry(name).or_default() += 1;
        if self.deadly.contains(name) {
            return Fate::Death;
        }
        if self.hangs || self.lost.contains(name) {
            return Fate::Lost;
        }
        match self.refused.get_mut(name) {
            Some((_, Some(0))) | None => Fate::Done,
            Some((retval, times)) => {
                *times = times.map(|times| times - 1);
                Fate::Refused(*retval)
            }
        }
    }

    /// Does a command, and says what is to be printed; none when it is not one of these.
    pub(crate) fn command(&mut self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.run(words.strip_prefix(&["fake"])?)
    }

    fn run(&mut self, words: &[&str]) -> Option<String> {
        match words {
            ["hang"] => self.hangs = true,
            ["hang", message] => drop(self.lost.insert(bare(message).to_owned())),
            ["retval", message, retval] => self.refuse(message, retval, None)?,
            ["retval", message, retval, times] => self.refuse(message, retval, Some(times.parse().ok()?))?,
            ["die"] => self.is_dead = true,
            ["die-at", message] => drop(self.deadly.insert(bare(message).to_owned())),
            ["heal"] => {
                let counts = std::mem::take(&mut self.counts);
                *self = Self { counts, ..Self::default() };
            }
            ["requests"] => return Some(self.report()),
            ["reset-requests"] => self.counts.clear(),
            _ => return None,
        }
        Some(String::new())
    }

    fn refuse(&mut self, message: &str, retval: &str, times: Option<u32>) -> Option<()> {
        self.refused.insert(bare(message).to_owned(), (retval.parse().ok()?, times));
        Some(())
    }

    fn report(&self) -> String {
        let mut lines = String::new();
        for (name, count) in &self.counts {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{count} {name}");
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "show_version_51077d14";

    #[test]
    fn commands_decide_a_message_s_fate() {
        for (command, fate) in [
            ("fake hang", Fate::Lost),
            ("fake hang show_version", Fate::Lost),
            ("fake hang control_ping", Fate::Done),
            ("fake retval show_version_51077d14 -7", Fate::Refused(-7)),
            ("fake die-at show_version", Fate::Death),
        ] {
            let mut faults = Faults::default();
            assert_eq!(faults.command(command).unwrap(), "", "{command}");
            assert_eq!(faults.fate(VERSION), fate, "{command}");
            faults.command("fake heal").unwrap();
            assert_eq!(faults.fate(VERSION), Fate::Done, "{command}");
            assert_eq!(faults.command("fake requests").unwrap(), "2 show_version\n");
        }
    }

    #[test]
    fn a_refusal_can_be_for_some_times_only() {
        let mut faults = Faults::default();
        faults.command("fake retval show_version -7 1").unwrap();
        assert_eq!([faults.fate(VERSION), faults.fate(VERSION)], [Fate::Refused(-7), Fate::Done]);
    }

    #[test]
    fn other_commands_are_not_understood() {
        let mut faults = Faults::default();
        assert_eq!(faults.command("show version"), None);
        assert_eq!(faults.command("fake nonsense"), None);
        assert_eq!(faults.command("fake retval show_version seven"), None);
    }
}
