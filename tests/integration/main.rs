//! The tests of the binary `userspace`: each runs the real program, in network namespaces of its own, with the real host-local.
//!
//! The numbers at the tests are the points of a checklist that follows the CNI specification 1.1.0. Where they are shown:
//!
//! | points | what | module |
//! |---|---|---|
//! | 1-8, 16, 18, 19 | environment | `environment` |
//! | 9-15, 17, 60 | configuration, errors | `input` |
//! | 20-22 | VERSION | `version` |
//! | 23-30 | the result of ADD | `results` |
//! | 31, 50 | what is not ours stays | `foreign` |
//! | 32, 33, 53 | chains | `chain` |
//! | 34-36, 54 | IPAM | `ipam` |
//! | 37, 38, 62 | a failure or a kill at every step | `faults` |
//! | 40-46, 48, 49 | DEL | `del` |
//! | 47 | DEL without the API or the pod | `kube` |
//! | 51, 52 | CHECK | `check` |
//! | 55-58 | GC | `gc` |
//! | 59 | STATUS | `status` |
//! | 61, 63 | concurrency | `parallel` |
//!
//! Beside the points: packets (`bridged`, `routed`, `macvlan`, `tap`, `announce`), what an interface has (`link`, `routes`, `several`),
//! the program in the container (`container_app`), IPAM plugins that hang (`deadline`), the commands beside the protocol (`repair`, `sweep`),
//! real runtimes (`runtimes`), how the programs come to a host (`install`, `images`), the Go plugins' samples (`samples`), device
//! information (`device_info`), the schema (`schema`), and the rules of how this project is built (`rules`).
//!
//! Not shown here, since the kernel's engine cannot: 28's `socketPath` (no interface of the kernel has one), 39 and codes 50 and 51 of
//! the engine's own in 59 (a kernel is never down; an IPAM's are shown).

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

mod announce;
mod apps;
mod bridged;
mod chain;
mod check;
mod container_app;
mod deadline;
mod del;
mod device_info;
mod environment;
mod faults;
mod foreign;
mod gc;
mod images;
mod input;
mod install;
mod ipam;
mod kube;
mod link;
mod lost;
mod macvlan;
mod ovs;
mod parallel;
mod repair;
mod results;
mod routed;
mod routes;
mod rules;
mod runtimes;
mod samples;
mod schema;
mod several;
mod status;
mod steps;
mod sweep;
mod tap;
mod version;
mod vpp;
