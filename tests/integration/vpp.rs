//! The engine vpp: the real binary on a real VPP when one is on PATH, and on the fake one always. What needs packets needs the real one.

/// Tests on the fake VPP, and the same on the real one: functions of a `Flavour`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod fake {
            $(#[test] fn $name() { super::$name(userspace_tests::Flavour::Fake); })+
        }
        mod real {
            $(#[test] fn $name() { super::$name(userspace_tests::Flavour::Real); })+
        }
    };
}

mod abstract_sockets;
mod apps;
mod check;
mod conformance;
mod faults;
mod inner;
mod kernel;
mod limits;
mod parallel;
mod preflight;
mod repair;
mod restart;
mod scale;
mod sockets;
mod support;
mod tap;
mod traffic;
mod vlans;
