//! A failure and a kill at every step of ADD and of DEL, whatever is attached: what comes after is clean. The steps are learned from
//! the binary with failpoints, which writes each that it passes to a file.

use std::fs;

use serde_json::Value;
use userspace_tests::{Call, Container, Host};

/// What is attached, and how to tell that nothing is left of it.
pub(crate) trait Subject {
    fn host(&self) -> &Host;
    fn container(&self) -> &Container;
    fn config(&self) -> &Value;
    /// Fails the test when something is not as it was before the first step.
    fn is_clean(&self, when: &str);
    /// Waits until the vswitch has done what it was told by a call that was killed.
    fn settle(&self) {}
}

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Fail,
    Kill,
    /// And then the records are lost too: only the marks are left to go by.
    KillAndLoseState,
}

impl Fault {
    fn action(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Kill | Self::KillAndLoseState => "kill",
        }
    }
}

/// Every fault at every step, of which there are at least so many in ADD and in DEL.
pub(crate) fn every_step(subject: &impl Subject, at_least: [usize; 2]) {
    let [add, del] = points(subject);
    subject.is_clean("after ADD and DEL");
    assert!(add.len() >= at_least[0] && del.len() >= at_least[1], "points are missing: {add:?}, {del:?}");
    for fault in [Fault::Fail, Fault::Kill, Fault::KillAndLoseState] {
        for point in &add {
            add_at(subject, point, fault);
        }
        for point in &del {
            del_at(subject, point, fault);
        }
    }
}

/// The points that ADD and DEL pass, each once, in their order.
pub(crate) fn points(subject: &impl Subject) -> [Vec<String>; 2] {
    ["ADD", "DEL"].map(|command| {
        let file = subject.host().path(command);
        call(subject, command).trace(&file).run().finished.success(command);
        let mut points = Vec::new();
        for line in fs::read_to_string(&file).expect("the trace").lines() {
            if !points.iter().any(|point| point == line) {
                points.push(line.to_owned());
            }
        }
        points
    })
}

/// An ADD that is killed there.
pub(crate) fn killed_at(subject: &impl Subject, point: &str) {
    let output = call(subject, "ADD").fault(point, "kill").run();
    assert_eq!(output.finished.code, None, "ADD, killed at {point:?}: {output:?}");
}

fn call<'s>(subject: &'s impl Subject, command: &str) -> Call<'s> {
    subject.host().call(command, subject.config()).of(subject.container())
}

/// 37, 38, 62: what failed has been undone, what was killed DEL cleans.
fn add_at(subject: &impl Subject, point: &str, fault: Fault) {
    let when = format!("ADD, {fault:?} at {point:?}");
    if fault == Fault::Fail {
        let (_, text) = call(subject, "ADD").fault(point, fault.action()).run().failure();
        assert!(text.contains(point) && !text.contains("left for DEL"), "{when}: {text}");
        subject.is_clean(&when);
    } else {
        killed_at(subject, point);
    }
    lose_state(subject, fault);
    subject.host().del(subject.container(), subject.config());
    subject.is_clean(&format!("{when}, then DEL"));
}

/// 48, 62: DEL comes again and does the rest.
fn del_at(subject: &impl Subject, point: &str, fault: Fault) {
    let when = format!("DEL, {fault:?} at {point:?}");
    subject.host().add(subject.container(), subject.config());
    let output = call(subject, "DEL").fault(point, fault.action()).run();
    if fault == Fault::Fail {
        assert!(output.failure().1.contains(point), "{when}");
    } else {
        assert_eq!(output.finished.code, None, "{when}: {output:?}");
    }
    lose_state(subject, fault);
    subject.host().del(subject.container(), subject.config());
    subject.is_clean(&format!("{when}, then DEL"));
}

fn lose_state(subject: &impl Subject, fault: Fault) {
    if fault == Fault::KillAndLoseState {
        // Without a record a socket that is still listened at is taken for somebody else's.
        subject.settle();
        let _ = fs::remove_dir_all(subject.host().state_dir());
    }
}
