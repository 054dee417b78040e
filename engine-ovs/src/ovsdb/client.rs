//! A connection: one task reads, one writes, and each reply goes to whoever waits for its id.

use std::{
    collections::HashMap,
    future::Future,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    sync::{Notify, mpsc, oneshot},
};

use super::{Error, Reply, Transaction, splitter::Splitter};

/// The database of Open vSwitch's configuration (ovs-vswitchd.conf.db(5)).
const DATABASE: &str = "Open_vSwitch";

/// A connection to ovsdb-server. Clones share it; it ends with the last.
#[derive(Debug, Clone)]
pub struct Client {
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    ended: Arc<Notify>,
}

/// Who waits for which reply.
#[derive(Debug, Default)]
struct Waiting {
    last_id: u64,
    replies: HashMap<u64, oneshot::Sender<Result<Value, Error>>>,
    /// Why the connection has ended.
    ended: Option<String>,
}

impl Client {
    /// Connects to `address`: a path, `unix:PATH` or `tcp:HOST:PORT`. Needs a tokio runtime, which drives the connection from then
    /// on.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub async fn connect(address: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Connect { at: address.display().to_string(), source };
        let text = address.to_string_lossy();
        if let Some(target) = text.strip_prefix("tcp:") {
            let stream = TcpStream::connect(target).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            let (read, write) = stream.into_split();
            return Ok(Self::start(read, write));
        }
        let path = text.strip_prefix("unix:").map_or(address, Path::new);
        let (read, write) = UnixStream::connect(path).await.map_err(failed)?.into_split();
        Ok(Self::start(read, write))
    }

    fn start(
        read: impl AsyncRead + Send + Unpin + 'static,
        write: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (outgoing, requests) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let ended = Arc::new(Notify::new());
        tokio::spawn(send_all(write, requests));
        let receive = receive_all(read, Arc::clone(&waiting), outgoing.downgrade());
        let notify = Arc::clone(&ended);
        tokio::spawn(async move {
            receive.await;
            notify.notify_waiters();
        });
        Self { outgoing, waiting, ended }
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.outgoing.is_closed() || lock(&self.waiting).ended.is_some()
    }

    /// Returns when the connection has ended.
    pub async fn closed(&self) {
        // Made before the look, so that an end between the two is not missed.
        let ended = self.ended.notified();
        if !self.is_closed() {
            ended.await;
        }
    }

    /// Sends the transaction at once; the future is its reply.
    ///
    /// # Errors
    /// The first operation that was refused; then nothing of the transaction has been done. [`Error::Closed`] when the connection ended
    /// before the reply came; then nobody knows.
    pub fn transact(
        &self,
        transaction: &Transaction,
    ) -> impl Future<Output = Result<Reply, Error>> + Send + use<> {
        let names = transaction.names();
        let reply = self.call("transact", transaction.params(DATABASE));
        async move { Reply::new(names, reply.await?) }
    }

    /// Sends a request at once; the future is its result.
    fn call(&self, method: &str, params: Value) -> impl Future<Output = Result<Value, Error>> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        waiting.last_id += 1;
        let id = waiting.last_id;
        // On an ended connection nobody would answer: the sender goes at once.
        if waiting.ended.is_none() {
            waiting.replies.insert(id, sender);
        }
        drop(waiting);
        let request = json!({"method": method, "params": params, "id": id}).to_string();
        if self.outgoing.send(request.into_bytes()).is_err() {
            // The writer is gone, with the connection or with its runtime: nobody would answer.
            lock(&self.waiting).replies.remove(&id);
        }
        let guard = Forget { waiting: Arc::clone(&self.waiting), id };
        async move {
            let reply = receiver.await;
            let ended = lock(&guard.waiting).ended.clone();
            reply.unwrap_or_else(|_| Err(Error::Closed(ended.unwrap_or_default())))
        }
    }
}

/// Forgets a request that nobody waits for any more: its deadline has passed.
struct Forget {
    waiting: Arc<Mutex<Waiting>>,
    id: u64,
}

impl Drop for Forget {
    fn drop(&mut self) {
        lock(&self.waiting).replies.remove(&self.id);
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

async fn send_all(
    mut stream: impl AsyncWrite + Send + Unpin,
    mut requests: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    while let Some(mut bytes) = requests.recv().await {
        while let Ok(more) = requests.try_recv() {
            bytes.extend(more);
        }
        if stream.write_all(&bytes).await.is_err() {
            // The reader sees the end too, and tells.
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn receive_all(
    mut stream: impl AsyncRead + Send + Unpin,
    waiting: Arc<Mutex<Waiting>>,
    outgoing: mpsc::WeakUnboundedSender<Vec<u8>>,
) {
    let mut splitter = Splitter::default();
    // Not filled before: a page of it that is not needed is not touched.
    let mut buffer = Vec::with_capacity(16 * 1024);
    let ended = loop {
        buffer.clear();
        match stream.read_buf(&mut buffer).await {
            Ok(0) => break "the server has closed it".to_owned(),
            Ok(_) => splitter.push(&buffer),
            Err(error) => break error.to_string(),
        }
        if let Err(error) = dispatch(&mut splitter, &waiting, &outgoing) {
            break error.to_string();
        }
    };
    let mut waiting = lock(&waiting);
    waiting.ended = Some(ended);
    waiting.replies.clear();
}

/// Hands out what has come whole.
fn dispatch(
    splitter: &mut Splitter,
    waiting: &Mutex<Waiting>,
    outgoing: &mpsc::WeakUnboundedSender<Vec<u8>>,
) -> Result<(), Error> {
    while let Some(bytes) = splitter.next()? {
        let mut message: Value =
            serde_json::from_slice(&bytes).map_err(|error| Error::unexpected("a request", error))?;
        let id = message["id"].take();
        match message.get("method").and_then(Value::as_str) {
            // The server probes who is silent, and hangs up on who does not answer.
            Some("echo") => {
                let answer = json!({"id": id, "result": message["params"].take(), "error": null});
                if let Some(outgoing) = outgoing.upgrade() {
                    let _ = outgoing.send(answer.to_string().into_bytes());
                }
            }
            // Notifications of locks and monitors, none of which is asked for.
            Some(method) => tracing::trace!(method, "OVSDB tells"),
            None => {
                let sender = id.as_u64().and_then(|id| lock(waiting).replies.remove(&id));
                if let Some(sender) = sender {
                    let _ = sender.send(result(message));
                }
            }
        }
    }
    Ok(())
}

fn result(mut message: Value) -> Result<Value, Error> {
    match message["error"].take() {
        Value::Null => Ok(message["result"].take()),
        error => Err(Error::unexpected("a request", error)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{net::UnixListener, time::timeout};

    use super::*;

    /// A server that answers by a script: each entry waits for so many requests, and then writes its bytes.
    async fn served(
        script: Vec<(usize, String)>,
    ) -> (Client, tokio::task::JoinHandle<Vec<Value>>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let client = Client::connect(&path).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let server = tokio::spawn(async move {
            let (mut splitter, mut requests, mut buffer) = (Splitter::default(), Vec::new(), vec![0; 4096]);
            for (count, answer) in script {
                while requests.len() < count {
                    let read = stream.read(&mut buffer).await.unwrap();
                    if read == 0 {
                        return requests;
                    }
                    splitter.push(&buffer[..read]);
                    while let Some(bytes) = splitter.next().unwrap() {
                        requests.push(serde_json::from_slice(&bytes).unwrap());
                    }
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            requests
        });
        (client, server, dir)
    }

    fn select() -> Transaction {
        let mut transaction = Transaction::new();
        transaction.select("Port", &[], &["name"]);
        transaction
    }

    #[tokio::test]
    async fn replies_find_their_requests_in_any_order() {
        let answer = |id: u64, name: &str| {
            json!({"id": id, "error": null, "result": [{"rows": [{"name": name}]}]}).to_string()
        };
        let (client, _server, _dir) = served(vec![(2, answer(2, "two") + &answer(1, "one"))]).await;
        let (one, two) = (client.transact(&select()), client.transact(&select()));
        for (reply, name) in [(two.await, "two"), (one.await, "one")] {
            let rows = reply.unwrap().rows(first()).unwrap();
            assert_eq!(rows[0].string("name").unwrap(), name);
        }
    }

    fn first() -> crate::ovsdb::Step {
        Transaction::new().select("Port", &[], &[])
    }

    #[tokio::test]
    async fn an_echo_is_answered_and_a_notification_passed_over() {
        let probe = r#"{"id":"echo","method":"echo","params":[7]}{"id":null,"method":"update","params":[]}"#;
        let answer = r#"{"id":1,"error":null,"result":[{"rows":[]}]}"#.to_owned();
        let (client, server, _dir) = served(vec![(0, probe.to_owned()), (2, answer)]).await;
        client.transact(&select()).await.unwrap();
        let requests = server.await.unwrap();
        let echo = requests.iter().find(|request| request["id"] == "echo").unwrap();
        assert_eq!(echo["result"], json!([7]));
    }

    #[tokio::test]
    async fn an_end_of_the_connection_ends_all_requests() {
        let (client, _server, _dir) = served(vec![(1, "{\"id\":".to_owned())]).await;
        let error = timeout(Duration::from_secs(5), client.transact(&select())).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Closed(_)), "{error}");
        assert!(client.is_closed());
        timeout(Duration::from_secs(5), client.closed()).await.unwrap();
        let error = timeout(Duration::from_secs(5), client.transact(&select())).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Closed(_)), "{error}");
    }

    #[tokio::test]
    async fn garbage_ends_the_connection() {
        let (client, _server, _dir) = served(vec![(1, "]".to_owned()), (2, String::new())]).await;
        let error = timeout(Duration::from_secs(5), client.transact(&select())).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("0x5d") || error.to_string().contains("JSON-RPC"), "{error}");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_forgotten() {
        let (client, _server, _dir) = served(vec![(2, String::new())]).await;
        let late = timeout(Duration::from_millis(20), client.transact(&select())).await;
        assert!(late.is_err());
        assert!(lock(&client.waiting).replies.is_empty());
    }

    #[tokio::test]
    async fn a_refused_connection_names_the_address() {
        let error = Client::connect(Path::new("unix:/nowhere/db.sock")).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/db.sock"), "{error}");
    }
}
