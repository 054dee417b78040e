//! A Kubernetes API of a test's own, as far as one pod's reader and writer can tell: GET and PATCH of pods over HTTP on the loopback of the
//! test's host. A JSON Patch is applied whole or not at all, each change makes another resourceVersion, and requests can be made to go
//! wrong.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use nix::sys::socket::{Shutdown, shutdown};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::netns::Netns;

/// How something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error of that status in place of an answer; nothing is done.
    Status(u16),
    /// It is done, and the connection is closed without an answer.
    Lost,
    /// Never an answer; nothing is done.
    Hang,
    /// An answer after that time.
    Slow(Duration),
    /// Somebody else's change of the pod comes first.
    Meddle,
}

/// See the module.
pub struct Kube {
    shared: Arc<Shared>,
    listener: Arc<TcpListener>,
    port: u16,
    dir: TempDir,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    has_ended: AtomicBool,
}

#[derive(Default)]
struct State {
    pods: BTreeMap<String, Value>,
    version: u64,
    meddled: u64,
    faults: Vec<(&'static str, Fault, usize)>,
    requests: Vec<String>,
}

impl Kube {
    /// One that runs, without pods.
    pub fn start(netns: &Netns) -> Self {
        let listener = netns.inside(|| TcpListener::bind("127.0.0.1:0")).expect("listen");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let listener = Arc::new(listener);
        let theirs = (Arc::clone(&listener), Arc::clone(&shared));
        thread::spawn(move || accept(&theirs.0, &theirs.1));
        let made = Self { shared, listener, port, dir: tempfile::tempdir().expect("make a directory") };
        made.write_kubeconfig();
        made
    }

    /// Stops listening: who connects from now on is refused.
    pub fn stop(&self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        // Linux wakes who waits for a connection, and refuses the next ones. It may have been done before.
        let _ = shutdown(self.listener.as_raw_fd(), Shutdown::Both);
    }

    /// `kubeconfig`: a file with credentials for it.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// Once: a call could read it while it is written.
    fn write_kubeconfig(&self) {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}}],
            "users": [{"name": "test", "user": {"tokenFile": "token"}}],
        });
        fs::write(self.kubeconfig(), config.to_string()).expect("write a file");
        // As an editor, and echo, end a file.
        fs::write(self.dir.path().join("token"), "sesame\n").expect("write a file");
    }

    /// Puts a pod in the place of one of the same name: without a resourceVersion, which it gets.
    pub fn put(&self, namespace: &str, name: &str, pod: Value) {
        let mut state = self.shared.lock();
        let pod = state.changed(pod);
        state.pods.insert(format!("{namespace}/{name}"), pod);
    }

    /// Removes a pod.
    pub fn remove(&self, namespace: &str, name: &str) {
        self.shared.lock().pods.remove(&format!("{namespace}/{name}"));
    }

    /// A pod's annotation.
    pub fn annotation(&self, namespace: &str, name: &str, key: &str) -> Option<String> {
        let state = self.shared.lock();
        let pod = state.pods.get(&format!("{namespace}/{name}"))?;
        Some(pod["metadata"]["annotations"].get(key)?.as_str()?.to_owned())
    }

    /// Lets that happen to the next `times` requests by the method, or by any when it is empty.
    pub fn fault(&self, method: &'static str, fault: Fault, times: usize) {
        self.shared.lock().faults.push((method, fault, times));
    }

    /// Nothing goes wrong any more.
    pub fn behave(&self) {
        self.shared.lock().faults.clear();
    }

    /// The requests since the last time, each as `METHOD namespace/pod status`; what never got an answer has no status.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().requests)
    }
}

impl Drop for Kube {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }
}

impl State {
    fn fault(&mut self, method: &str) -> Option<Fault> {
        let fits =
            |(of, _, times): &&mut (&str, Fault, usize)| *times > 0 && (of.is_empty() || *of == method);
        let (_, fault, times) = self.faults.iter_mut().find(fits)?;
        *times -= 1;
        Some(*fault)
    }

    /// The pod with the next version.
    fn changed(&mut self, mut pod: Value) -> Value {
        self.version += 1;
        pod["metadata"]["resourceVersion"] = self.version.to_string().into();
        pod
    }

    /// Another writer's entry among the halves, and an annotation beside them.
    fn meddle(&mut self, key: &str) {
        const DATA: &str = "userspace/configuration-data";
        self.meddled += 1;
        let Some(mut pod) = self.pods.get(key).cloned() else { return };
        let text = pod["metadata"]["annotations"][DATA].as_str().unwrap_or("[]").to_owned();
        let mut list: Vec<Value> = serde_json::from_str(&text).expect("a list");
        list.push(json!({"ifName": format!("other{}", self.meddled)}));
        pod["metadata"]["annotations"][DATA] = Value::from(list).to_string().into();
        let pod = self.changed(pod);
        self.pods.insert(key.to_owned(), pod);
    }

    fn patch(&mut self, key: &str, body: &[u8]) -> (u16, Value) {
        let Some(mut pod) = self.pods.get(key).cloned() else {
            return (404, refusal(404));
        };
        let patch: json_patch::Patch = serde_json::from_slice(body).expect("a JSON Patch");
        if let Err(error) = json_patch::patch(&mut pod, &patch) {
            return (422, merged_message(refusal(422), &error.to_string()));
        }
        let pod = self.changed(pod);
        self.pods.insert(key.to_owned(), pod.clone());
        (200, pod)
    }
}

fn refusal(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Test", "message": "refused", "code": code})
}

fn merged_message(mut refusal: Value, message: &str) -> Value {
    refusal["message"] = message.into();
    refusal
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(stream, &shared));
    }
}

/// One connection, until its other end closes it.
fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some((method, key, body)) = request(&mut reader)? {
        let fault = shared.lock().fault(&method);
        match fault {
            Some(Fault::Hang) => {
                shared.lock().requests.push(format!("{method} {key}"));
                while !shared.has_ended() {
                    thread::sleep(Duration::from_millis(20));
                }
                return Ok(());
            }
            Some(Fault::Slow(time)) => thread::sleep(time),
            _ => {}
        }
        let (status, answer) = answer(&mut shared.lock(), fault, &method, &key, &body);
        if fault == Some(Fault::Lost) {
            return Ok(());
        }
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes())?;
    }
    Ok(())
}

fn answer(state: &mut State, fault: Option<Fault>, method: &str, key: &str, body: &[u8]) -> (u16, Value) {
    if fault == Some(Fault::Meddle) {
        state.meddle(key);
    }
    let (status, answer) = match (fault, method) {
        (Some(Fault::Status(code)), _) => (code, refusal(code)),
        (_, "GET") => match state.pods.get(key) {
            Some(pod) => (200, pod.clone()),
            None => (404, refusal(404)),
        },
        (_, "PATCH") => state.patch(key, body),
        _ => (405, refusal(405)),
    };
    state.requests.push(format!("{method} {key} {status}"));
    (status, answer)
}

/// The next request's method, `namespace/pod`, and body.
fn request(reader: &mut impl BufRead) -> io::Result<Option<(String, String, Vec<u8>)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let key = path.strip_prefix("/api/v1/namespaces/").unwrap_or(path).replace("/pods/", "/");
    let (mut length, mut is_allowed) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().map_err(io::Error::other)?;
        }
        is_allowed |= header == "authorization: bearer sesame";
        if method == "PATCH" && header.starts_with("content-type: ") {
            assert_eq!(header, "content-type: application/json-patch+json");
        }
    }
    assert!(is_allowed, "a request without the token");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((method, key, body)))
}
