//! What VPP answers, asked of the fake and of the real one: one list, so that the fake cannot lie.

#![allow(clippy::unwrap_used)]

mod abstract_sockets;
mod addresses;
mod at;
mod bridges;
mod host_interfaces;
mod interfaces;
mod memifs;
mod policers;
mod real;
mod routes;
mod taps;
mod vhosts;

use std::{future::Future, pin::Pin, sync::Arc};

use vpp_api_client::{
    Client, Options,
    fake::{Fake, Setup},
};

use crate::at::At;

type Behaviour = fn(Arc<At>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! behaviours {
    ($($file:ident: $($name:ident)*;)*) => {
        /// All, with their names.
        const BEHAVIOURS: &[(&str, Behaviour)] = &[
            $($((concat!(stringify!($file), "::", stringify!($name)), |at| {
                Box::pin(async move { $file::$name(&at).await })
            }),)*)*
        ];
    };
}

behaviours! {
    interfaces: indices_and_filters tags flags_and_mtus loopbacks sub_interfaces deletion_takes_all_along receive_queues
        events command_line;
    memifs: the_socket_table interfaces_on_a_socket a_poisoned_socket paths_are_checked files_stay ip_mode;
    abstract_sockets: names_without_files names_in_a_namespace;
    vhosts: one_a_path names_and_tags servers_own_their_path;
    bridges: numbers members tag_rewrites what_was_set_before_joining;
    addresses: of_ipv4 of_ipv6 in_tables unnumbered;
    routes: tables paths_and_lookups connected_routes routes_of_a_deleted_interface;
    policers: names_are_unique;
    host_interfaces: of_the_kernel;
    taps: numbers_and_namespaces;
}

/// Runs all on one VPP, each in a directory and a task of its own, and tells of all that fail.
async fn all_behave(vpp: Client, is_real: bool) {
    let mut failed = Vec::new();
    for (name, behaviour) in BEHAVIOURS {
        let dir = tempfile::Builder::new().prefix("vpp-api-").tempdir_in("/tmp").unwrap();
        let at = At::new(vpp.clone(), dir.path(), is_real);
        if let Err(error) = tokio::spawn(behaviour(Arc::new(at))).await {
            failed.push(format!("{name}: {error}"));
        }
        if vpp.is_closed() {
            failed.push(format!("{name}: VPP has ended"));
            break;
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn the_fake_behaves() {
    for release in ["26.06", "24.10", "22.10"] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("api.sock");
        let setup = Setup { release: release.parse().unwrap(), ..Setup::default() };
        let fake = tokio::spawn(Fake::bind(&socket, &setup).unwrap().run());
        all_behave(Client::connect(Options::at(&socket)).await.unwrap(), false).await;
        fake.abort();
    }
}

#[tokio::test]
async fn the_real_vpp_behaves() {
    if let Some(vpp) = real::Vpp::start().await {
        all_behave(vpp.client(), true).await;
    }
}
