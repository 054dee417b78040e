//! A listener before the database, which counts what the server answers and can cut the line in the middle of an ADD.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

/// See the module. It ends with its owner; a connection's threads end with the connection.
pub(super) struct Proxy {
    path: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answered: AtomicU64,
    /// The line is cut when the server answers a request with this word in it.
    cut_at: Mutex<Option<&'static str>>,
    is_cut: AtomicBool,
    ended: AtomicBool,
}

impl Proxy {
    /// Listens at `path` for clients of the database at `server`.
    pub(super) fn start(path: PathBuf, server: &Path) -> Self {
        let listener = UnixListener::bind(&path).expect("listen");
        let shared = Arc::new(Shared::default());
        let (state, server) = (Arc::clone(&shared), server.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.ended.load(SeqCst) {
                    break;
                }
                if !state.is_cut.load(SeqCst) {
                    serve(&state, client, &server);
                }
            }
        });
        Self { path, shared }
    }

    /// Where it listens.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes the server has answered during `work`.
    pub(super) fn count(&self, work: impl FnOnce()) -> u64 {
        let before = self.shared.answered.load(SeqCst);
        work();
        self.shared.answered.load(SeqCst) - before
    }

    /// From the answer to a request with `word` on nothing passes any more.
    pub(super) fn cut_at(&self, word: &'static str) {
        *self.shared.cut_at.lock().expect("no thread panicked") = Some(word);
    }

    /// Everything passes again.
    pub(super) fn mend(&self) {
        *self.shared.cut_at.lock().expect("no thread panicked") = None;
        self.shared.is_cut.store(false, SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        // Wakes the listener up.
        let _ = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(shared: &Arc<Shared>, client: UnixStream, server: &Path) {
    let Ok(server) = UnixStream::connect(server) else {
        return;
    };
    let both = |stream: &UnixStream| stream.try_clone().expect("share a socket");
    let asked = Arc::new(AtomicBool::new(false));
    let (state, from, to, seen) = (Arc::clone(shared), both(&client), both(&server), Arc::clone(&asked));
    thread::spawn(move || {
        pass(from, to, |bytes| {
            let word = *state.cut_at.lock().expect("no thread panicked");
            let text = String::from_utf8_lossy(bytes);
            if word.is_some_and(|word| text.contains(word)) {
                seen.store(true, SeqCst);
            }
            true
        });
    });
    let state = Arc::clone(shared);
    thread::spawn(move || {
        pass(server, client, |bytes| {
            state.answered.fetch_add(bytes.len() as u64, SeqCst);
            let cut = asked.load(SeqCst);
            state.is_cut.fetch_or(cut, SeqCst);
            !cut
        });
    });
}

/// Passes on what comes, until it ends or `may_pass` says no.
fn pass(mut from: UnixStream, mut to: UnixStream, mut may_pass: impl FnMut(&[u8]) -> bool) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if !may_pass(&bytes[..length]) || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
