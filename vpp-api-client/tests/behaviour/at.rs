//! What the behaviours share: a VPP, a directory, and short ways to ask.

use std::path::{Path, PathBuf};

use vpp_api_client::{
    Client, Dump, Reply, Request,
    codec::Text,
    messages::{
        interface::{
            CreateLoopbackInstance, DeleteLoopback, SwInterfaceAddDelAddress, SwInterfaceDetails,
            SwInterfaceDump, SwInterfaceSetFlags,
        },
        memif::{MemifCreate, MemifCreateV2, MemifSocketFilenameAddDel, MemifSocketFilenameAddDelV2},
    },
    types::{Address, IfStatus, MemifMode, MemifRole, Prefix, SwIfIndex},
};

/// A VPP, and a directory for the sockets of one behaviour.
pub(crate) struct At {
    pub(crate) vpp: Client,
    pub(crate) is_real: bool,
    dir: PathBuf,
}

impl At {
    pub(crate) fn new(vpp: Client, dir: &Path, is_real: bool) -> Self {
        Self { vpp, is_real, dir: dir.to_path_buf() }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// The number that the request is answered with.
    pub(crate) async fn retval<R: Request>(&self, request: &R) -> i32 {
        self.vpp.ask(request).await.unwrap().retval()
    }

    /// The reply to a request that must be done.
    pub(crate) async fn done<R: Request>(&self, request: &R) -> R::Reply {
        self.vpp.request(request).await.unwrap()
    }

    pub(crate) async fn dump<D: Dump>(&self, dump: &D) -> Vec<D::Details> {
        self.vpp.dump(dump).await.unwrap()
    }

    /// The interface, if there is one of that index.
    pub(crate) async fn look(&self, index: SwIfIndex) -> Option<SwInterfaceDetails> {
        self.dump(&SwInterfaceDump::one(index)).await.into_iter().find(|found| found.sw_if_index == index)
    }

    pub(crate) async fn loopback(&self, user_instance: u32) -> SwIfIndex {
        let request = CreateLoopbackInstance { is_specified: true, user_instance, ..Default::default() };
        self.done(&request).await.sw_if_index
    }

    pub(crate) async fn delete_loopback(&self, sw_if_index: SwIfIndex) {
        self.done(&DeleteLoopback { sw_if_index }).await;
    }

    pub(crate) async fn up(&self, sw_if_index: SwIfIndex) {
        self.done(&SwInterfaceSetFlags { sw_if_index, flags: IfStatus::ADMIN_UP }).await;
    }

    /// Names a memif socket, or forgets it.
    pub(crate) async fn socket(&self, socket_id: u32, path: Option<&str>) -> i32 {
        let (is_add, path) = (path.is_some(), path.unwrap_or_default());
        if self.vpp.knows::<MemifSocketFilenameAddDelV2>() {
            let request = MemifSocketFilenameAddDelV2 { is_add, socket_id, socket_filename: path.into() };
            return self.retval(&request).await;
        }
        let socket_filename = path.parse().unwrap();
        self.retval(&MemifSocketFilenameAddDel { is_add, socket_id, socket_filename }).await
    }

    /// Makes a memif with these changes to an ordinary one.
    pub(crate) async fn memif(
        &self,
        socket_id: u32,
        change: impl FnOnce(&mut MemifCreate),
    ) -> (i32, SwIfIndex) {
        let mut create = MemifCreate {
            role: MemifRole::MASTER,
            mode: MemifMode::ETHERNET,
            socket_id,
            ..MemifCreate::default()
        };
        change(&mut create);
        if !self.vpp.knows::<MemifCreateV2>() {
            let reply = self.vpp.ask(&create).await.unwrap();
            return (reply.retval, reply.sw_if_index);
        }
        let newer = MemifCreateV2 {
            role: create.role,
            mode: create.mode,
            id: create.id,
            socket_id,
            ring_size: create.ring_size,
            ..MemifCreateV2::default()
        };
        let reply = self.vpp.ask(&newer).await.unwrap();
        (reply.retval, reply.sw_if_index)
    }

    /// Adds or removes an address.
    pub(crate) async fn address(&self, sw_if_index: SwIfIndex, is_add: bool, text: &str) -> i32 {
        let prefix = prefix(text);
        self.retval(&SwInterfaceAddDelAddress { sw_if_index, is_add, del_all: false, prefix }).await
    }
}

pub(crate) fn text<const N: usize>(text: &str) -> Text<N> {
    text.parse().unwrap()
}

/// `10.0.0.1/24`.
pub(crate) fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    let address = Address::from(address.parse::<std::net::IpAddr>().unwrap());
    Prefix { address, length: length.parse().unwrap() }
}

/// The same, back.
pub(crate) fn shown(prefix: &Prefix) -> String {
    format!("{}/{}", prefix.address.ip().unwrap(), prefix.length)
}
