//! A connection to the kernel in one network namespace, and the one function that asks it something.

use futures_util::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use rtnetlink::{Handle, new_connection_with_strict_check, sys::AsyncSocket};
use tokio::runtime;

use crate::{Error, Netns};

/// How often a list is read again that changed while it was read.
const MAX_DUMPS: usize = 8;

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
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
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
        netns.run(Self::open)
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

    /// Asks for something to be made beside what is there. The very same, there already, is success.
    pub(crate) async fn add(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
    ) -> Result<(), Error> {
        match self.request(doing, message, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE).await {
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(()),
            other => other.map(drop),
        }
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

    /// Asks for all that match; again when what is listed changed meanwhile.
    pub(crate) async fn dump(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        let doing = doing();
        for _ in 0..MAX_DUMPS {
            let flags = NLM_F_REQUEST | NLM_F_DUMP;
            let answer = self.exchange(|| doing.clone(), message.clone(), flags).await?;
            if !answer.interrupted {
                return Ok(answer.messages);
            }
        }
        Err(Error::protocol(doing, "what is listed changes faster than it can be read"))
    }

    async fn request(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        self.exchange(doing, message, flags).await.map(|answer| answer.messages)
    }

    async fn exchange(
        &self,
        doing: impl FnOnce() -> String,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Answer, Error> {
        let closed = "the netlink connection is closed";
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        let mut handle = self.handle.clone();
        let mut stream = match handle.request(request) {
            Ok(stream) => stream,
            Err(_) => return Err(Error::protocol(doing(), closed)),
        };
        let mut answer = Answer::default();
        while let Some(message) = stream.next().await {
            answer.complete = true;
            answer.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => answer.messages.push(inner),
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(Error::refused(doing(), &error));
                }
                NetlinkPayload::Done(done) if done.code < 0 => {
                    return Err(Error::new(doing(), Errno::from_raw(done.code.saturating_neg())));
                }
                _ => {}
            }
        }
        // Acknowledgements are handed on, so that silence can only mean the end of the connection.
        if answer.complete { Ok(answer) } else { Err(Error::protocol(doing(), closed)) }
    }
}

/// What came back on a request.
#[derive(Default)]
struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    complete: bool,
    interrupted: bool,
}
