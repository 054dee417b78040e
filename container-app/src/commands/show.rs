//! `container-app show`: what is published, and how it stands, as a table or as JSON.

use std::{io::Write, process::ExitCode};

use serde_json::{Value, json};
use userspace_core::{
    conf::EngineName,
    spec::{Device, InterfaceKind, Network},
};

use super::{fail, look::Looker};
use crate::{
    board::{Standing, State},
    cli::Show,
    picture::{Task, Wanted},
    settings::Settings,
};

pub(super) async fn run(settings: Settings, typed: Show) -> ExitCode {
    let limit = settings.limit;
    match Looker::new(settings).look(limit).await {
        Ok((wanted, state)) => {
            if typed.json {
                say(&document(&wanted, &state));
            } else {
                print(&wanted, &state);
            }
            ExitCode::SUCCESS
        }
        Err(reason) => fail(&reason),
    }
}

/// That nobody reads it is no failure.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// The table.
pub(super) fn print(wanted: &[Wanted], state: &State) {
    let mut rows = vec![
        ["INTERFACE", "NETWORK", "KIND", "ENGINE", "STATE", "NAME", "ADDRESSES"].map(str::to_owned).to_vec(),
    ];
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    for (one, standing) in of_each(wanted, state) {
        let id = one.id();
        let row = [
            id.interface.to_string(),
            id.network.to_string(),
            kind(one),
            engine(one),
            standing.word().to_owned(),
            name(standing),
            addresses(one).join(","),
        ];
        rows.push(row.map(dash).to_vec());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        say(cells.join("  ").trim_end());
    }
    for (one, standing) in of_each(wanted, state) {
        if let Some(reason) = standing.reason() {
            say(&format!("{}: {reason}", one.id().interface));
        }
    }
}

fn document(wanted: &[Wanted], state: &State) -> String {
    let interfaces = of_each(wanted, state).map(|(one, standing)| {
        let id = one.id();
        json!({
            "interface": id.interface.as_str(),
            "network": id.network.as_str(),
            "containerId": id.container.as_str(),
            "kind": kind(one),
            "engine": engine(one),
            "state": standing.word(),
            "name": name(standing),
            "reason": standing.reason(),
            "addresses": addresses(one),
            "mac": one.half.config.mac.map(|mac| mac.to_string()),
            "mtu": one.half.config.mtu,
            "socket": socket(one),
            "bridge": bridge(one),
        })
    });
    let interfaces: Vec<Value> = interfaces.collect();
    let all = json!({"interfaces": interfaces, "rejectedDocuments": state.rejected});
    serde_json::to_string_pretty(&all).unwrap_or_default()
}

fn of_each<'a>(wanted: &'a [Wanted], state: &'a State) -> impl Iterator<Item = (&'a Wanted, &'a Standing)> {
    wanted.iter().filter_map(|one| Some((one, state.interfaces.get(one.id())?)))
}

fn kind(one: &Wanted) -> String {
    one.half.config.iftype.map(|kind| InterfaceKind::from(kind).to_string()).unwrap_or_default()
}

fn engine(one: &Wanted) -> String {
    let typed = || one.half.config.engine.map(userspace_core::spec::EngineKind::from);
    match (&one.task, typed()) {
        (Task::Make(engine, _), _) => engine.to_string(),
        (Task::Application, _) => userspace_core::spec::EngineKind::from(EngineName::Dpdk).to_string(),
        (Task::Kernel, _) => userspace_core::spec::EngineKind::Linux.to_string(),
        (Task::Refused(_), typed) => typed.map(|engine| engine.to_string()).unwrap_or_default(),
    }
}

fn name(standing: &Standing) -> String {
    match standing {
        Standing::Up(name) => name.clone(),
        _ => String::new(),
    }
}

fn addresses(one: &Wanted) -> Vec<String> {
    one.half.allocation.ips.iter().map(|address| address.ip.to_string()).collect()
}

fn bridge(one: &Wanted) -> Option<&str> {
    match &one.task {
        Task::Make(_, desired) => match &desired.network {
            Network::Bridge(bridge) => Some(&bridge.name),
            Network::None | Network::Routed { .. } => None,
        },
        _ => None,
    }
}

fn socket(one: &Wanted) -> Option<String> {
    match &one.task {
        Task::Make(_, desired) => match &desired.spec.device {
            Device::Memif(memif) => Some(memif.socket.to_string()),
            Device::VhostUser(vhost) => Some(vhost.socket.display().to_string()),
            _ => None,
        },
        _ => one.half.socket().map(str::to_owned),
    }
}
