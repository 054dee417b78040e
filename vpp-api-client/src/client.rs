//! A connection: one task reads, one writes, and each answer goes to whoever waits for its context.

use std::{
    future::Future,
    io,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    Dump, Error, Event, Message, Reply, Request, Table,
    codec::{Cursor, Text, Wire},
    frame::{self, Splitter},
    messages::memclnt::{ControlPing, ControlPingReply, SockclntDelete, SockclntDeleteReply},
    pending::{Answer, Pending, Waiter},
};

/// Where VPP's packages have the API's socket. VPP makes it when its start-up file has a `socksvr` section.
pub const DEFAULT_SOCKET: &str = "/run/vpp/api.sock";

/// The numbers of the two messages that a client needs before it has the table (vlibmemory/memclnt.api).
pub(crate) const SOCKCLNT_CREATE: u16 = 15;
pub(crate) const SOCKCLNT_CREATE_REPLY: u16 = 16;

/// How long a client waits when too many others are about to connect.
const AGAIN: Duration = Duration::from_millis(1);

/// How much is read at once. The memory is not filled before: a page of it that is not needed is not touched.
const READ: usize = 64 << 10;

/// How many events wait for a slow subscriber.
const EVENTS: usize = 1024;

/// How a client connects.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API's socket. Default: [`DEFAULT_SOCKET`].
    pub socket: PathBuf,
    /// The client's name in VPP's `show api clients`; cut after 63 bytes.
    pub name: String,
    /// How long connecting and each request may take. Default: 10 seconds.
    pub time_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let name = env!("CARGO_PKG_NAME").to_owned();
        Self { socket: DEFAULT_SOCKET.into(), name, time_limit: Duration::from_secs(10) }
    }
}

impl Options {
    /// The defaults with another socket.
    pub fn at(socket: impl AsRef<Path>) -> Self {
        Self { socket: socket.as_ref().to_path_buf(), ..Self::default() }
    }
}

/// A connection to VPP. Clones share it; it ends with the last.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    time_limit: Duration,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    table: Table,
    index: u32,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    pending: Arc<Mutex<Pending>>,
    ended: watch::Receiver<bool>,
}

impl Client {
    /// Connects, and reads which messages this VPP has. Needs a tokio runtime, which drives the connection from then on.
    ///
    /// # Errors
    /// [`Error::Connect`] when nobody listens, [`Error::TimedOut`] when nobody answers, [`Error::Closed`] when VPP hangs up.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let deadline = Instant::now() + options.time_limit;
        let late = || Error::TimedOut { name: "sockclnt_create", limit: options.time_limit };
        let stream = timeout_at(deadline, open(&options.socket)).await.map_err(|_| late())?;
        let mut stream =
            stream.map_err(|source| Error::Connect { socket: options.socket.clone(), source })?;
        let hello = handshake(&mut stream, &options.name);
        let (index, table, splitter) = timeout_at(deadline, hello).await.map_err(|_| late())??;
        let (read, write) = stream.into_split();
        let (outgoing, requests) = mpsc::unbounded_channel();
        let pending = Arc::new(Mutex::new(Pending::default()));
        let (end, ended) = watch::channel(false);
        tokio::spawn(send_all(write, requests));
        tokio::spawn(receive_all(read, splitter, Arc::clone(&pending), end));
        let time_limit = options.time_limit;
        let shared = Shared { options, table, index, outgoing, pending, ended };
        Ok(Self { shared: Arc::new(shared), time_limit })
    }

    /// A new connection to the same place. Nothing of this one is taken over: message numbers and subscriptions are a connection's own.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn reconnect(&self) -> Result<Self, Error> {
        Self::connect(self.shared.options.clone()).await
    }

    /// The same connection with another time limit for each request.
    pub fn with_time_limit(&self, time_limit: Duration) -> Self {
        Self { shared: Arc::clone(&self.shared), time_limit }
    }

    /// Which messages this VPP has.
    pub fn table(&self) -> &Table {
        &self.shared.table
    }

    /// Whether this VPP has that message in that layout. Of several variants, ask for the newest first.
    pub fn knows<M: Message>(&self) -> bool {
        self.shared.table.id::<M>().is_ok()
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        *self.shared.ended.borrow() || self.shared.outgoing.is_closed()
    }

    /// Returns when the connection has ended.
    pub async fn closed(&self) {
        let mut ended = self.shared.ended.clone();
        // Also when the task that would tell is gone.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Sends the request at once; the future is its reply.
    ///
    /// # Errors
    /// [`Error::Refused`] when VPP could not do it. [`Error::NotLoaded`] and [`Error::OtherLayout`] when this VPP has no such message:
    /// then nothing was sent. [`Error::TimedOut`] or [`Error::Closed`]: nobody knows whether it was done.
    pub fn request<R: Request>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<R::Reply, Error>> + Send + use<R> {
        let reply = self.ask(request);
        async move {
            let reply = reply.await?;
            match reply.retval() {
                0 => Ok(reply),
                retval => Err(Error::Refused { name: R::NAME, retval }),
            }
        }
    }

    /// The same for a caller that has a use for a refusal's fields: the reply is as it came, whatever its `retval`.
    ///
    /// # Errors
    /// As [`Self::request`], without [`Error::Refused`].
    pub fn ask<R: Request>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<R::Reply, Error>> + Send + use<R> {
        let sent = self.ids::<R, R::Reply>().map(|(id, last)| self.send(id, request, last, None));
        async move {
            let all = sent?.await?;
            let fields = all.first().map(Vec::as_slice).unwrap_or_default();
            R::Reply::take(&mut Cursor::new(fields)).map_err(decode::<R::Reply>)
        }
    }

    /// Sends the request at once, and a ping that ends its answers; the future is all of them.
    ///
    /// # Errors
    /// As [`Self::request`]. A dump is not refused: of what is not there it has no details.
    pub fn dump<D: Dump>(
        &self,
        dump: &D,
    ) -> impl Future<Output = Result<Vec<D::Details>, Error>> + Send + use<D> {
        let ids = self.ids::<D, D::Details>();
        let ping = self.ids::<ControlPing, ControlPingReply>();
        let sent = ids.and_then(|(id, details)| {
            let (ping, last) = ping?;
            Ok(self.send_with_ping(id, dump, details, (ping, last)))
        });
        async move {
            let all = sent?.await?;
            let take = |fields: &Vec<u8>| D::Details::take(&mut Cursor::new(fields));
            all.iter().map(take).collect::<Result<_, _>>().map_err(decode::<D::Details>)
        }
    }

    /// The events of that kind from now on. VPP sends them once a `want_…` request has asked for them.
    ///
    /// # Errors
    /// [`Error::NotLoaded`] or [`Error::OtherLayout`].
    pub fn events<E: Event>(&self) -> Result<Events<E>, Error> {
        let id = self.shared.table.id::<E>()?;
        let (sender, receiver) = mpsc::channel(EVENTS);
        lock(&self.shared.pending).subscribe(id, sender);
        Ok(Events { receiver, kind: PhantomData })
    }

    /// Takes leave of VPP, which then forgets this client. What other clones of the client wait for fails with [`Error::Closed`].
    ///
    /// # Errors
    /// [`Error::TimedOut`] when VPP does not answer; the connection is then just dropped.
    pub async fn close(self) -> Result<(), Error> {
        let leave = SockclntDelete { index: self.shared.index };
        let reply: Result<SockclntDeleteReply, _> = self.ask(&leave).await;
        match reply {
            // VPP may hang up before its answer is read.
            Ok(_) | Err(Error::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn ids<M: Message, A: Message>(&self) -> Result<(u16, u16), Error> {
        Ok((self.shared.table.id::<M>()?, self.shared.table.id::<A>()?))
    }

    fn send<M: Message>(
        &self,
        id: u16,
        message: &M,
        last: u16,
        details: Option<u16>,
    ) -> impl Future<Output = Answer> + Send + use<M> {
        let (sender, receiver) = oneshot::channel();
        let context = lock(&self.shared.pending).note(Waiter::new(M::NAME, last, details, sender));
        let mut bytes = Vec::new();
        self.put(&mut bytes, id, context, message);
        self.dispatch::<M>(bytes, context, receiver)
    }

    fn send_with_ping<M: Message>(
        &self,
        id: u16,
        dump: &M,
        details: u16,
        (ping, last): (u16, u16),
    ) -> impl Future<Output = Answer> + Send + use<M> {
        let (sender, receiver) = oneshot::channel();
        let context = lock(&self.shared.pending).note(Waiter::new(M::NAME, last, Some(details), sender));
        let mut bytes = Vec::new();
        self.put(&mut bytes, id, context, dump);
        self.put(&mut bytes, ping, context, &ControlPing {});
        self.dispatch::<M>(bytes, context, receiver)
    }

    fn put<M: Message>(&self, out: &mut Vec<u8>, id: u16, context: u32, message: &M) {
        frame::put(out, |out| {
            id.put(out);
            self.shared.index.put(out);
            context.put(out);
            message.put(out);
        });
    }

    /// Hands the bytes to the task that writes. When that is gone nobody answers, and what waits learns of it.
    fn dispatch<M: Message>(
        &self,
        bytes: Vec<u8>,
        context: u32,
        receiver: oneshot::Receiver<Answer>,
    ) -> impl Future<Output = Answer> + Send + use<M> {
        let forget = Forget { pending: Arc::clone(&self.shared.pending), context };
        let is_sent = self.shared.outgoing.send(bytes).is_ok();
        let limit = self.time_limit;
        let deadline = Instant::now() + limit;
        async move {
            let _forget = forget;
            if !is_sent {
                return Err(Error::Closed);
            }
            match timeout_at(deadline, receiver).await {
                Ok(answer) => answer.unwrap_or(Err(Error::Closed)),
                Err(_) => Err(Error::TimedOut { name: M::NAME, limit }),
            }
        }
    }
}

/// Events of one kind, in the order in which they came. A subscriber that is more than a thousand behind loses the newest.
#[derive(Debug)]
pub struct Events<E> {
    receiver: mpsc::Receiver<Vec<u8>>,
    kind: PhantomData<fn() -> E>,
}

impl<E: Event> Events<E> {
    /// The next event; none when the connection has ended.
    ///
    /// # Errors
    /// [`Error::Decode`] for one that is too short.
    pub async fn next(&mut self) -> Option<Result<E, Error>> {
        let fields = self.receiver.recv().await?;
        Some(E::take(&mut Cursor::new(&fields)).map_err(decode::<E>))
    }
}

/// Connects. VPP lets 5 clients wait until it has taken them (vppinfra/socket.c), and the kernel tells one more to try again.
async fn open(socket: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(AGAIN).await,
            outcome => return outcome,
        }
    }
}

/// Forgets a request that nobody waits for any more.
struct Forget {
    pending: Arc<Mutex<Pending>>,
    context: u32,
}

impl Drop for Forget {
    fn drop(&mut self) {
        lock(&self.pending).forget(self.context);
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn decode<M: Message>(source: crate::DecodeError) -> Error {
    Error::Decode { name: M::NAME, source }
}

/// Tells VPP who is there, and learns the client's index and the table. What came behind the answer is in the splitter.
async fn handshake(stream: &mut UnixStream, name: &str) -> Result<(u32, Table, Splitter), Error> {
    let mut end = name.len().min(63);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let name: Text<64> = name[..end].parse().unwrap_or_default();
    let mut hello = Vec::new();
    frame::put(&mut hello, |out| {
        SOCKCLNT_CREATE.put(out);
        0u32.put(out);
        name.put(out);
    });
    stream.write_all(&hello).await.map_err(|_| Error::Closed)?;
    let mut splitter = Splitter::default();
    loop {
        if stream.read_buf(splitter.room(READ)).await.map_err(|_| Error::Closed)? == 0 {
            return Err(Error::Closed);
        }
        if let Some(message) = splitter.next_message()? {
            let (index, table) = welcome(message)?;
            return Ok((index, table, splitter));
        }
    }
}

fn welcome(message: &[u8]) -> Result<(u32, Table), Error> {
    let name = "sockclnt_create_reply";
    let failed = |source| Error::Decode { name, source };
    let mut from = Cursor::new(message);
    let id = u16::take(&mut from).map_err(failed)?;
    if id != SOCKCLNT_CREATE_REPLY {
        return Err(Error::Unexpected { name: "sockclnt_create", id });
    }
    // The client's index of shared memory, and the context.
    from.bytes(8).map_err(failed)?;
    let retval = i32::take(&mut from).map_err(failed)?;
    let index = u32::take(&mut from).map_err(failed)?;
    if retval < 0 {
        return Err(Error::Refused { name: "sockclnt_create", retval });
    }
    let table = Table::take(&mut from).map_err(failed)?;
    Ok((index, table))
}

async fn send_all(mut stream: OwnedWriteHalf, mut requests: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(mut bytes) = requests.recv().await {
        while let Ok(more) = requests.try_recv() {
            bytes.extend(more);
        }
        if stream.write_all(&bytes).await.is_err() {
            // The reader sees the end too, and tells.
            return;
        }
    }
    let _ = timeout(Duration::from_secs(1), stream.shutdown()).await;
}

async fn receive_all(
    mut stream: OwnedReadHalf,
    mut splitter: Splitter,
    pending: Arc<Mutex<Pending>>,
    ended: watch::Sender<bool>,
) {
    loop {
        match splitter.next_message() {
            Ok(Some(message)) => lock(&pending).deliver(message),
            Ok(None) => match stream.read_buf(splitter.room(READ)).await {
                Ok(count) if count > 0 => {}
                _ => break,
            },
            // Where the next message begins nobody knows any more.
            Err(_) => break,
        }
    }
    lock(&pending).end();
    ended.send_replace(true);
}
