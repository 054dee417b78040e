//! What the integration tests stand on: the real binary, run in network namespaces that belong to one test, and the world around
//! it as a value that can be compared.
//!
//! Knows the plugin by its files and its protocol only, as a container runtime does. Everything that is made is removed when its
//! owner is dropped, also while a failed test unwinds.

mod app;
mod binary;
mod call;
mod config;
mod daemon;
mod host;
mod hugepages;
mod ipam;
mod kube;
mod need;
mod netns;
mod ovs;
mod places;
mod testpmd;
mod traffic;
mod vpp;
mod wait;
mod world;

pub use self::{
    app::App,
    binary::{
        container_app, plugin, plugin_with_failpoints, plugin_with_kube, plugin_with_linux_alone, root,
        static_binaries,
    },
    call::{Call, Output, Service},
    config::{merged, with},
    host::{Container, Host},
    hugepages::Hugepages,
    ipam::StandIn,
    kube::{Fault, Kube},
    need::all_there,
    netns::Netns,
    ovs::{Memory, Ovs},
    testpmd::{Testpmd, TestpmdBuilder},
    traffic::{ping, transfer},
    vpp::{Flavour, Vpp},
    wait::{Finished, install, run, until},
    world::{World, assert_same},
};
