//! The socket: connections, frames, the handshake, and who gets which answer.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Setup,
    faults::{Fate, Faults},
    handlers::{Answer, Handlers},
    model::Model,
    vocabulary::Vocabulary,
};
use crate::{
    Message,
    client::{SOCKCLNT_CREATE, SOCKCLNT_CREATE_REPLY},
    codec::{Cursor, LongText, Text, Wire},
    frame::{self, Splitter},
    messages::{
        interface::{SwInterfaceEvent, WantInterfaceEvents, WantInterfaceEventsReply},
        memclnt::{ControlPing, SockclntDelete, SockclntDeleteReply},
        vpe::{CliInband, CliInbandReply},
    },
    types::{IfStatus, SwIfIndex},
};

/// A VPP of memory on a socket.
#[derive(Debug)]
pub struct Fake {
    listener: UnixListener,
    shared: Arc<Shared>,
}

impl Fake {
    /// Listens at `socket`; a file that is there is replaced, as VPP does. Needs a tokio runtime.
    ///
    /// # Errors
    /// When nothing can be bound there.
    pub fn bind(socket: impl AsRef<Path>, setup: &Setup) -> io::Result<Self> {
        let socket = socket.as_ref();
        match fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(socket)?;
        fs::set_permissions(socket, fs::Permissions::from_mode(0o775))?;
        let runtime = socket.parent().unwrap_or(Path::new("/")).display().to_string();
        Ok(Self { listener, shared: Arc::new(Shared::new(setup, runtime)) })
    }

    /// Answers until a client says `fake die`. The socket's file stays, as a killed VPP's does.
    pub async fn run(self) {
        let mut is_dead = self.shared.is_dead.subscribe();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept_all(self.listener, Arc::clone(&self.shared)));
        // The sender is in `shared`, so this fails never.
        let _ = is_dead.wait_for(|is_dead| *is_dead).await;
        tasks.shutdown().await;
    }
}

type Outgoing = mpsc::UnboundedSender<Vec<u8>>;

struct Shared {
    vocabulary: Vocabulary,
    handlers: Handlers,
    state: Mutex<State>,
    is_dead: watch::Sender<bool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct State {
    model: Model,
    faults: Faults,
    last_client: u32,
    /// Who wants events: the client, its process and the way to it.
    wants_events: HashMap<u32, (u32, Outgoing)>,
}

impl Shared {
    fn new(setup: &Setup, runtime: String) -> Self {
        let state = State {
            model: Model::new(setup, runtime),
            faults: Faults::default(),
            last_client: 0,
            wants_events: HashMap::new(),
        };
        Self {
            vocabulary: Vocabulary::new(setup),
            handlers: Handlers::all(),
            state: Mutex::new(state),
            is_dead: watch::Sender::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

async fn accept_all(listener: UnixListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        // Those that have ended.
        while connections.try_join_next().is_some() {}
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, Arc::clone(&shared)));
        }
    }
}

async fn serve(stream: UnixStream, shared: Arc<Shared>) {
    let (read, write) = stream.into_split();
    let (outgoing, answers) = mpsc::unbounded_channel();
    let mut writer = JoinSet::new();
    writer.spawn(send_all(write, answers));
    let client = {
        let mut state = shared.state();
        state.last_client += 1;
        state.last_client
    };
    let mut session = Session { shared, client, outgoing, is_known: false, lost: HashSet::new() };
    session.receive_all(read).await;
    session.shared.state().wants_events.remove(&client);
    // What is answered still goes out; then the writer sees that nobody holds the other end.
    drop(session);
    while writer.join_next().await.is_some() {}
}

async fn send_all(mut stream: OwnedWriteHalf, mut answers: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = answers.recv().await {
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// One client.
struct Session {
    shared: Arc<Shared>,
    client: u32,
    outgoing: Outgoing,
    /// Whether it has introduced itself.
    is_known: bool,
    /// Contexts of messages that were lost on purpose: the pings that would end their answers are lost too.
    lost: HashSet<u32>,
}

/// Whether the client stays.
#[derive(PartialEq, Eq)]
enum After {
    Stays,
    Leaves,
}

impl Session {
    async fn receive_all(&mut self, mut stream: OwnedReadHalf) {
        let mut splitter = Splitter::default();
        let mut bytes = vec![0; 64 << 10];
        loop {
            match stream.read(&mut bytes).await {
                Ok(count) if count > 0 => splitter.push(&bytes[..count]),
                _ => return,
            }
            loop {
                match splitter.next_message() {
                    Ok(Some(message)) => match self.receive(message) {
                        Some(After::Leaves) => return,
                        // What VPP cannot make sense of it does not answer.
                        Some(After::Stays) | None => {}
                    },
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
        }
    }

    fn receive(&mut self, message: &[u8]) -> Option<After> {
        let mut from = Cursor::new(message);
        let id = u16::take(&mut from).ok()?;
        if id == SOCKCLNT_CREATE {
            return self.welcome(&mut from);
        }
        let client = u32::take(&mut from).ok()?;
        let context = u32::take(&mut from).ok()?;
        let name = self.shared.vocabulary.name(id)?;
        if client != self.client || !self.is_known {
            return None;
        }
        let fields = from.bytes(from.left()).ok()?;
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        if *shared.is_dead.borrow() {
            return Some(After::Leaves);
        }
        let after = self.handle(&mut state, name, context, fields);
        if state.faults.is_dead || state.model.has_crashed {
            shared.is_dead.send_replace(true);
            return Some(After::Leaves);
        }
        self.tell_changes(&mut state);
        Some(after)
    }

    fn welcome(&mut self, from: &mut Cursor<'_>) -> Option<After> {
        let context = u32::take(from).ok()?;
        Text::<64>::take(from).ok()?;
        self.is_known = true;
        let mut fields = Vec::new();
        0u32.put(&mut fields);
        context.put(&mut fields);
        0i32.put(&mut fields);
        self.client.put(&mut fields);
        self.shared.vocabulary.table.put(&mut fields);
        self.send(SOCKCLNT_CREATE_REPLY, &fields);
        Some(After::Stays)
    }

    fn handle(&mut self, state: &mut State, name: &'static str, context: u32, fields: &[u8]) -> After {
        if name == CliInband::NAME
            && let Ok(cli) = CliInband::take(&mut Cursor::new(fields))
            && let Some(printed) = state.faults.command(&cli.cmd.to_string())
        {
            let reply = CliInbandReply { retval: 0, reply: LongText::from(printed.as_str()) };
            self.answer(context, &Answer::of(&reply));
            return After::Stays;
        }
        match state.faults.fate(name) {
            Fate::Death => state.faults.is_dead = true,
            Fate::Lost => drop(self.lost.insert(context)),
            Fate::Refused(retval) => {
                if let Some(answer) = self.shared.handlers.refuse(name, retval) {
                    self.answer(context, &answer);
                }
            }
            Fate::Done if name == ControlPing::NAME && self.lost.remove(&context) => {}
            Fate::Done => return self.act(state, name, context, fields),
        }
        After::Stays
    }

    fn act(&mut self, state: &mut State, name: &'static str, context: u32, fields: &[u8]) -> After {
        let mut from = Cursor::new(fields);
        match name {
            SockclntDelete::NAME => {
                self.answer(context, &Answer::of(&SockclntDeleteReply { retval: 1 }));
                return After::Leaves;
            }
            WantInterfaceEvents::NAME => {
                if let Ok(want) = WantInterfaceEvents::take(&mut from) {
                    let retval = self.want_events(state, &want);
                    self.answer(context, &Answer::of(&WantInterfaceEventsReply { retval }));
                }
            }
            _ => {
                let shared = Arc::clone(&self.shared);
                let answers = shared.handlers.act(name, &mut state.model, fields);
                // Who has crashed answers nothing.
                for answer in answers.iter().filter(|_| !state.model.has_crashed) {
                    self.answer(context, answer);
                }
            }
        }
        After::Stays
    }

    /// A client that asks twice, or leaves what it is not in, is refused.
    fn want_events(&mut self, state: &mut State, want: &WantInterfaceEvents) -> i32 {
        let is_in = state.wants_events.contains_key(&self.client);
        match (want.enable_disable != 0, is_in) {
            (true, false) => {
                state.wants_events.insert(self.client, (want.pid, self.outgoing.clone()));
                0
            }
            (false, true) => {
                state.wants_events.remove(&self.client);
                0
            }
            _ => super::model::retval::INVALID_REGISTRATION,
        }
    }

    fn tell_changes(&self, state: &mut State) {
        let Some(id) = self.shared.vocabulary.id(SwInterfaceEvent::NAME) else { return };
        for change in std::mem::take(&mut state.model.changes) {
            for (client, (pid, outgoing)) in &state.wants_events {
                let event = SwInterfaceEvent {
                    client_index: *client,
                    pid: *pid,
                    sw_if_index: SwIfIndex(change.index),
                    flags: if change.is_up { IfStatus::ADMIN_UP } else { IfStatus::DOWN },
                    deleted: change.deleted,
                };
                let _ = outgoing.send(framed(id, &Answer::of(&event).fields));
            }
        }
    }

    fn answer(&self, context: u32, answer: &Answer) {
        let Some(id) = self.shared.vocabulary.id(answer.name) else { return };
        let mut fields = Vec::new();
        context.put(&mut fields);
        fields.extend_from_slice(&answer.fields);
        self.send(id, &fields);
    }

    fn send(&self, id: u16, fields: &[u8]) {
        // A client that has gone reads nothing.
        let _ = self.outgoing.send(framed(id, fields));
    }
}

fn framed(id: u16, fields: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put(&mut out, |out| {
        id.put(out);
        out.extend_from_slice(fields);
    });
    out
}
