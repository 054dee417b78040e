//! A host of one test: a network namespace in which the plugin runs, directories of its own, and the containers that were made on
//! it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tempfile::TempDir;

use crate::{ipam::StandIn, need, netns::Netns};

/// See the module.
pub struct Host {
    netns: Netns,
    containers: Mutex<Vec<Arc<Netns>>>,
    dir: TempDir,
    stand_in: StandIn,
}

/// A container: an id and a network namespace.
#[derive(Debug, Clone)]
pub struct Container {
    /// `CNI_CONTAINERID`.
    pub id: String,
    /// Its namespace.
    pub netns: Arc<Netns>,
}

impl Container {
    /// `CNI_NETNS`.
    pub fn path(&self) -> String {
        self.netns.path().display().to_string()
    }
}

impl Host {
    /// A new host, if the machine has all that the test `needs`.
    pub fn new(needs: &[&str]) -> Option<Self> {
        if !need::all_there(needs) {
            return None;
        }
        let dir = tempfile::tempdir().expect("make a directory");
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).expect("make a directory");
        let stand_in = StandIn::install(&bin, &dir.path().join("stand-in"));
        Some(Self { netns: Netns::new("host"), containers: Mutex::default(), dir, stand_in })
    }

    /// A new container of that id.
    pub fn container(&self, id: &str) -> Container {
        let netns = Arc::new(Netns::new("container"));
        self.containers.lock().expect("no thread panicked").push(Arc::clone(&netns));
        Container { id: id.to_owned(), netns }
    }

    /// The namespace in which the plugin runs.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The containers' namespaces that are there, in the order in which they were made.
    pub fn containers(&self) -> Vec<Arc<Netns>> {
        let mut all = self.containers.lock().expect("no thread panicked").clone();
        all.retain(|netns| netns.exists());
        all
    }

    /// The IPAM plugin whose behaviour a test can script.
    pub fn stand_in(&self) -> &StandIn {
        &self.stand_in
    }

    /// A path in the directory of this host, for whatever a test wants to keep there.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `stateDir`.
    pub fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// Where the plugin has its records.
    pub fn records(&self) -> PathBuf {
        self.state_dir().join("records")
    }

    /// Where host-local keeps its leases.
    pub fn lease_dir(&self) -> PathBuf {
        self.path("leases")
    }

    /// Where the stand-in is.
    pub fn bin_dir(&self) -> PathBuf {
        self.path("bin")
    }

    /// `CNI_PATH`: the stand-in's directory, then the stock plugins'.
    pub fn cni_path(&self) -> String {
        let dirs: [&Path; 2] = [&self.bin_dir(), &need::stock_plugins()];
        dirs.map(|dir| dir.display().to_string()).join(":")
    }
}
