//! A connection to the kernel in one network namespace, and the one function that asks it something.

use futures_util::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use rtnetlink::{Handle, new_connection_with_strict_check, sys::AsyncSocket};
use tokio::runtime;

use crate::{Error, Netns};

/// A netlink connection in one network namespace. Clones share it; requests may be pipelined.
#[derive(Debug, Clone)]
pub struct Netlink {
    handle: Handle,
}

impl Netlink {
    /// A connection in the namespace of the calling thread. Needs a tokio runtime, which drives it from then on.
    ///
    /// # Errors
    /// What the socket answered.
    pub fn open() -> Result<Self, Error> {
        let failed = |error| Error::io("open a netlink socket", &error);
        let (mut connection, handle, _) = new_connection_with_strict_check().map_err(failed)?;
        let socket = connection.socket_mut().socket_mut();
        // The kernel's own sentences, and no copy of the refused request before them.
        socket.set_ext_ack(true).map_err(failed)?;
        socket.set_cap_ack(true).map_err(failed)?;
        runtime::Handle::current().spawn(connection);
        Ok(Self { handle })
    }

    /// A connection in `netns`, driven by the calling thread's runtime.
    ///
    /// # Errors
    /// What entering the namespace or the socket answered.
    pub fn open_in(netns: &Netns) -> Result<Self, Error> {
        let runtime = runtime::Handle::current();
        netns.run(move || {
            let _entered = runtime.enter();
            Self::open()
        })
    }

    /// Asks for a change of what is there, or for its removal.
    pub(crate) async fn change(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
    ) -> Result<(), Error> {
        self.request(doing, message, NLM_F_REQUEST | NLM_F_ACK).await.map(drop)
    }

    /// Asks for something to be made that must not be there yet. Newer kernels tell of it in the same breath (NLM_F_ECHO).
    pub(crate) async fn create(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
    ) -> Result<Option<RouteNetlinkMessage>, Error> {
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO;
        let answers = self.request(doing, message, flags).await?;
        Ok(answers.into_iter().next())
    }

    /// Asks for one thing; its absence (ENODEV) is an answer.
    pub(crate) async fn get(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
    ) -> Result<Option<RouteNetlinkMessage>, Error> {
        match self.request(doing, message, NLM_F_REQUEST).await {
            Ok(answers) => Ok(answers.into_iter().next()),
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for all that match.
    pub(crate) async fn dump(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        self.request(doing, message, NLM_F_REQUEST | NLM_F_DUMP).await
    }

    async fn request(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        let mut handle = self.handle.clone();
        let mut stream = match handle.request(request) {
            Ok(stream) => stream,
            Err(_) => return Err(Error::protocol(doing(), "the netlink connection is closed")),
        };
        let mut answers = Vec::new();
        while let Some(message) = stream.next().await {
            match message.payload {
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(Error::refused(doing(), &error));
                }
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                _ => {}
            }
        }
        Ok(answers)
    }
}
