//! What is counted, and how Prometheus is told of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use userspace_core::spec::EngineKind;

use crate::board::State;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEngine {
    engine: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: String,
}

/// The counters. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Arc<Mutex<Registry>>,
    interfaces: Family<OfState, Gauge>,
    engines: Family<OfEngine, Gauge>,
    rejected: Gauge,
    made: Family<OfEngine, Counter>,
    removed: Family<OfEngine, Counter>,
    failures: Family<OfEngine, Counter>,
    took: Family<OfEngine, Histogram>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        // From a fast memif to what an Open vSwitch with many ports takes.
        let buckets = || Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]);
        let new = Self {
            registry: Arc::default(),
            interfaces: Family::default(),
            engines: Family::default(),
            rejected: Gauge::default(),
            made: Family::default(),
            removed: Family::default(),
            failures: Family::default(),
            took: Family::new_with_constructor(buckets),
        };
        let mut registry = Registry::with_prefix("container_app");
        registry.register("interfaces", "Published interfaces by how they stand", new.interfaces.clone());
        registry.register("engine_up", "Whether the container's vswitch answers", new.engines.clone());
        registry.register(
            "rejected_documents",
            "Published documents that cannot be read",
            new.rejected.clone(),
        );
        registry.register("interfaces_made", "Interfaces made or mended", new.made.clone());
        registry.register(
            "interfaces_removed",
            "Interfaces removed as they were withdrawn",
            new.removed.clone(),
        );
        registry.register(
            "failures",
            "Attempts to make or remove an interface that failed",
            new.failures.clone(),
        );
        let help = "Time to make or mend an interface";
        registry.register_with_unit("make", help, Unit::Seconds, new.took.clone());
        *new.registry.lock().unwrap_or_else(PoisonError::into_inner) = registry;
        new
    }

    pub(crate) fn made(&self, engine: EngineKind, took: Duration) {
        self.made.get_or_create(&of(engine)).inc();
        self.took.get_or_create(&of(engine)).observe(took.as_secs_f64());
    }

    pub(crate) fn removed(&self, engine: EngineKind) {
        self.removed.get_or_create(&of(engine)).inc();
    }

    pub(crate) fn failed(&self, engine: EngineKind) {
        self.failures.get_or_create(&of(engine)).inc();
    }

    /// The text of OpenMetrics, which Prometheus reads: the counters, and how all stands now.
    pub(crate) fn text(&self, state: &State) -> String {
        self.interfaces.clear();
        for word in ["up", "published", "kernel", "pending", "refused"] {
            let count = state.interfaces.values().filter(|standing| standing.word() == word).count();
            let gauge = self.interfaces.get_or_create(&OfState { state: word.to_owned() });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (engine, answers) in &state.engines {
            self.engines.get_or_create(&of(*engine)).set(i64::from(*answers));
        }
        self.rejected.set(i64::try_from(state.rejected).unwrap_or(i64::MAX));
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Text takes whatever is written to it.
        let _ = encode(&mut text, &registry);
        text
    }
}

fn of(engine: EngineKind) -> OfEngine {
    OfEngine { engine: engine.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_counters_and_the_state() {
        let metrics = Metrics::new();
        metrics.made(EngineKind::Vpp, Duration::from_millis(3));
        let mut state = State::default();
        state.rejected = 2;
        state.engines.insert(EngineKind::Vpp, true);
        let text = metrics.text(&state);
        for line in [
            "container_app_interfaces_made_total{engine=\"vpp\"} 1",
            "container_app_make_seconds_bucket{le=\"0.005\",engine=\"vpp\"} 1",
            "container_app_engine_up{engine=\"vpp\"} 1",
            "container_app_rejected_documents 2",
            "container_app_interfaces{state=\"up\"} 0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
