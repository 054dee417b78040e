//! The client against servers that work, that go wrong, and that are no VPP at all.

#![allow(clippy::unwrap_used)]

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    task::JoinHandle,
};
use vpp_api_client::{
    Client, Error, Options, Request,
    codec::Wire,
    fake::{Fake, Setup},
    frame,
    messages::{
        self,
        interface::{
            CreateLoopbackInstance, SwInterfaceDump, SwInterfaceEvent, SwInterfaceTagAddDel,
            WantInterfaceEvents,
        },
        memclnt::ControlPing,
        memif::{MemifCreateV2, MemifDelete, MemifSocketFilenameAddDelV2},
        policer::{PolicerAddDel, PolicerInput},
        vpe::{CliInband, ShowVersion},
    },
    types::{MemifMode, SwIfIndex},
};

/// Long enough for any answer here.
const PATIENCE: Duration = Duration::from_secs(10);

/// A fake VPP that runs as long as this value lives.
struct Vpp {
    dir: TempDir,
    task: JoinHandle<()>,
}

impl Vpp {
    fn start(setup: Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let task = tokio::spawn(Fake::bind(dir.path().join("api.sock"), &setup).unwrap().run());
        Self { dir, task }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("api.sock")
    }

    /// Again, at the same place.
    fn restart(&mut self) {
        self.task = tokio::spawn(Fake::bind(self.socket(), &Setup::default()).unwrap().run());
    }

    async fn client(&self) -> Client {
        Client::connect(Options::at(self.socket())).await.unwrap()
    }

    /// Leads the fake, on a connection of its own.
    async fn cli(&self, words: &str) -> String {
        let client = self.client().await;
        let reply = client.request(&CliInband { cmd: words.into() }).await;
        reply.map(|reply| reply.reply.to_string()).unwrap_or_default()
    }
}

impl Drop for Vpp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_closed<T: std::fmt::Debug>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Closed))
}

#[tokio::test]
async fn a_client_learns_which_messages_there_are() {
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    let names: Vec<&[u8]> = client.table().iter().map(|(name, _)| name).collect();
    assert!(messages::names().all(|name| names.contains(&name.as_bytes())));
    assert!(names.len() > messages::names().count(), "a VPP has more than is known here");
    let old = Vpp::start(Setup { release: "22.10".parse().unwrap(), ..Setup::default() });
    let old = old.client().await;
    assert!(client.knows::<MemifCreateV2>() && !old.knows::<MemifCreateV2>() && old.knows::<MemifDelete>());
}

#[tokio::test]
async fn a_plugin_that_is_missing_is_told_from_another_layout() {
    let without = vec!["memif".to_owned()];
    let other_layout = vec!["show_version".to_owned()];
    let vpp = Vpp::start(Setup { without, other_layout, ..Setup::default() });
    let client = vpp.client().await;
    let missing = client.request(&MemifDelete::default()).await.unwrap_err();
    assert!(matches!(missing, Error::NotLoaded { of: "memif plugin", .. }), "{missing}");
    let other = client.request(&ShowVersion {}).await.unwrap_err();
    assert!(
        matches!(&other, Error::OtherLayout { theirs, .. } if theirs.starts_with("show_version_")),
        "{other}"
    );
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_waited_for_no_longer_than_asked() {
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await.with_time_limit(Duration::from_millis(50));
    vpp.cli("fake hang show_version").await;
    vpp.cli("fake hang sw_interface_dump").await;
    let late = client.request(&ShowVersion {}).await.unwrap_err();
    assert!(matches!(late, Error::TimedOut { name: "show_version_51077d14", .. }), "{late:?}");
    let late = client.dump(&SwInterfaceDump::all()).await.unwrap_err();
    assert!(matches!(late, Error::TimedOut { .. }), "{late:?}");
    client.request(&ControlPing {}).await.expect("other requests go on");
    vpp.cli("fake heal").await;
    client.request(&ShowVersion {}).await.expect("and later ones");
    assert_eq!(client.dump(&SwInterfaceDump::all()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_has_vpp_s_number() {
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    vpp.cli("fake retval show_version -7 1").await;
    let refused = client.request(&ShowVersion {}).await.unwrap_err();
    assert_eq!(refused.retval(), Some(-7), "{refused}");
    client.request(&ShowVersion {}).await.unwrap();
    assert!(vpp.cli("fake requests").await.contains("2 show_version\n"));
}

#[tokio::test]
async fn who_waits_learns_that_vpp_has_died() {
    let mut vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    let mut events = client.events::<SwInterfaceEvent>().unwrap();
    vpp.cli("fake hang show_version").await;
    let waiting: Vec<_> = (0..10).map(|_| client.request(&ShowVersion {})).collect();
    vpp.cli("fake die-at control_ping").await;
    let deadly = client.request(&ControlPing {}).await;
    assert!(is_closed(&deadly), "{deadly:?}");
    for request in waiting {
        assert!(is_closed(&request.await));
    }
    tokio::time::timeout(PATIENCE, client.closed()).await.expect("it is told");
    assert!(client.is_closed() && events.next().await.is_none());
    assert!(is_closed(&client.request(&ShowVersion {}).await), "later requests too");
    assert!(is_closed(&client.dump(&SwInterfaceDump::all()).await));
    let nobody = client.reconnect().await.unwrap_err();
    assert!(matches!(nobody, Error::Connect { .. }), "its socket is still there: {nobody:?}");
    vpp.restart();
    let again = client.reconnect().await.unwrap();
    again.request(&ShowVersion {}).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_connection() {
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    vpp.cli("fake hang show_version").await;
    let other = client.clone();
    let waiting = client.request(&ShowVersion {});
    client.close().await.unwrap();
    assert!(is_closed(&waiting.await));
    tokio::time::timeout(PATIENCE, other.closed()).await.expect("VPP hangs up");
    other.close().await.expect("leaving twice is no error");
}

#[tokio::test]
async fn two_thousand_requests_are_answered_in_order() {
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    let create = CreateLoopbackInstance { is_specified: true, ..CreateLoopbackInstance::default() };
    let made = (0..2000)
        .map(|number| client.request(&CreateLoopbackInstance { user_instance: number, ..create.clone() }));
    for (index, reply) in (1..).zip(made.collect::<Vec<_>>()) {
        assert_eq!(reply.await.unwrap().sw_if_index, SwIfIndex(index));
    }
    let dumps: Vec<_> =
        (1..=2000).map(|index| client.dump(&SwInterfaceDump::one(SwIfIndex(index)))).collect();
    // Whoever waits may do so in any order.
    for (number, found) in dumps.into_iter().enumerate().rev() {
        assert_eq!(found.await.unwrap()[0].interface_name.to_string(), format!("loop{number}"));
    }
    assert_eq!(client.dump(&SwInterfaceDump::all()).await.unwrap().len(), 2001);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_done_all_the_same() {
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    let tag = SwInterfaceTagAddDel { is_add: true, sw_if_index: SwIfIndex(0), tag: "mine".parse().unwrap() };
    drop(client.request(&tag));
    let found = client.dump(&SwInterfaceDump::named("local0")).await.unwrap();
    assert_eq!(found[0].tag.to_string(), "mine");
}

#[tokio::test]
async fn a_subscriber_gets_events_and_a_slow_one_the_oldest() {
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    let mut events = client.events::<SwInterfaceEvent>().unwrap();
    client.request(&WantInterfaceEvents { enable_disable: 1, pid: 1 }).await.unwrap();
    for _ in 0..1500 {
        let made = client.request(&CreateLoopbackInstance::default()).await.unwrap();
        let gone = messages::interface::DeleteLoopback { sw_if_index: made.sw_if_index };
        client.request(&gone).await.unwrap();
    }
    for _ in 0..1024 {
        let event = events.next().await.unwrap().unwrap();
        assert!(event.deleted && event.sw_if_index == SwIfIndex(1));
    }
    let more = tokio::time::timeout(Duration::from_millis(50), events.next()).await;
    assert!(more.is_err(), "what is too much is dropped: {more:?}");
}

#[tokio::test]
async fn what_vpp_does_not_survive_ends_the_fake() {
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    let name = "p".parse().unwrap();
    client
        .request(&PolicerAddDel { is_add: true, name, cir: 8, cb: 20_000, ..Default::default() })
        .await
        .unwrap();
    let never_applied = PolicerInput { name, sw_if_index: SwIfIndex(0), apply: false };
    assert!(is_closed(&client.request(&never_applied).await));
    let vpp = Vpp::start(Setup::default());
    let client = vpp.client().await;
    let socket_filename = "/nowhere".into();
    let socket = MemifSocketFilenameAddDelV2 { is_add: true, socket_id: 1, socket_filename };
    client.request(&socket).await.unwrap();
    let punt = MemifCreateV2 { socket_id: 1, mode: MemifMode::PUNT_INJECT, ..Default::default() };
    assert!(is_closed(&client.request(&punt).await));
}

/// A reply to the handshake, with this table behind it.
fn welcome(response: i32, names: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put(&mut out, |out| {
        16u16.put(out);
        [0u32; 2].put(out);
        response.put(out);
        7u32.put(out);
        u16::try_from(names.len()).unwrap().put(out);
        for (id, name) in (100u16..).zip(names) {
            id.put(out);
            out.extend_from_slice(name.as_bytes());
            out.resize(out.len() + 64 - name.len(), 0);
        }
    });
    out
}

const NAMES: [&str; 6] = [
    "show_version_51077d14",
    "show_version_reply_c919bde1",
    "control_ping_51077d14",
    "control_ping_reply_f6b0b8ca",
    "sw_interface_dump_aa610c27",
    "sw_interface_details_6c221fc7",
];

/// What is sent, in words and bytes, and which error that is.
type Case = (&'static str, Vec<u8>, fn(&Error) -> bool);

/// Who answers the handshake with `first`, the next bytes with `second`, and then hangs up, unless it stays.
async fn impostor(first: Vec<u8>, second: Option<Vec<u8>>, stays: bool) -> (TempDir, Options) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 4096];
        for answer in [Some(first), second].into_iter().flatten() {
            let _ = stream.read(&mut bytes).await;
            // The client may have gone.
            let _ = stream.write_all(&answer).await;
        }
        if stays {
            tokio::time::sleep(PATIENCE).await;
        }
    });
    let options = Options { time_limit: Duration::from_millis(200), ..Options::at(socket) };
    (dir, options)
}

#[tokio::test]
async fn a_handshake_that_is_none_is_an_error() {
    let mut other_id = welcome(0, &NAMES);
    other_id[17] = 99;
    let table_count = frame::HEADER + 2 + 16;
    let mut greedy = welcome(0, &NAMES);
    greedy[table_count] = 0xff;
    let huge = vec![0xff; 16];
    let cases: [Case; 6] = [
        ("nothing", Vec::new(), |error| matches!(error, Error::TimedOut { .. })),
        ("another message", other_id, |error| matches!(error, Error::Unexpected { id: 99, .. })),
        ("a refusal", welcome(-1, &NAMES), |error| error.retval() == Some(-1)),
        ("a table that is cut", greedy, |error| matches!(error, Error::Decode { .. })),
        ("a frame that is absurd", huge, |error| matches!(error, Error::TooLong { .. })),
        ("the beginning only", welcome(0, &NAMES)[..40].to_vec(), |error| {
            matches!(error, Error::TimedOut { .. })
        }),
    ];
    for (what, bytes, is_expected) in cases {
        let (_dir, options) = impostor(bytes, None, true).await;
        let error = Client::connect(options).await.unwrap_err();
        assert!(is_expected(&error), "{what}: {error:?}");
    }
    let (_dir, options) = impostor(Vec::new(), None, false).await;
    let error = Client::connect(Options { time_limit: PATIENCE, ..options }).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
}

/// A message in its frame.
fn message(id: u16, context: u32, fields: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put(&mut out, |out| {
        id.put(out);
        context.put(out);
        out.extend_from_slice(fields);
    });
    out
}

#[tokio::test]
async fn answers_that_are_none_are_errors() {
    let cases: [Case; 4] = [
        ("too short", message(101, 1, &[0; 4]), |error| matches!(error, Error::Decode { .. })),
        ("of another kind", message(103, 1, &[0; 400]), |error| {
            matches!(error, Error::Unexpected { id: 103, .. })
        }),
        ("for nobody", message(101, 9, &[0; 400]), |error| matches!(error, Error::TimedOut { .. })),
        ("absurd", vec![0xff; 16], |error| matches!(error, Error::Closed)),
    ];
    for (what, bytes, is_expected) in cases {
        let (_dir, options) = impostor(welcome(0, &NAMES), Some(bytes), true).await;
        let client = Client::connect(options).await.unwrap();
        let error = client.request(&ShowVersion {}).await.unwrap_err();
        assert!(is_expected(&error), "{what}: {error:?}");
    }
    // A longer message is one of a later release.
    let (_dir, options) = impostor(welcome(0, &NAMES), Some(message(101, 1, &[0; 500])), true).await;
    Client::connect(options).await.unwrap().request(&ShowVersion {}).await.unwrap();
}

/// Bytes, or messages with ids and contexts that are waited for and any fields.
fn anything() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::{collection::vec, prelude::*};
    let bytes = || vec(any::<u8>(), 0..400);
    let messages = vec((95u16..110, 0u32..4, bytes()), 0..5).prop_map(|messages| {
        messages.iter().flat_map(|(id, context, fields)| message(*id, *context, fields)).collect::<Vec<u8>>()
    });
    (messages, bytes()).prop_map(|(mut messages, bytes)| {
        messages.extend(bytes);
        messages
    })
}

fn ends<R: Request>(result: Result<R::Reply, Error>) {
    // Which error is no matter: it ended, and nothing panicked.
    drop(result);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_a_server_sends_ends_in_a_reply_or_an_error(handshake in anything(), answer in anything(), is_vpp in 0u8..8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let first = if is_vpp > 0 { welcome(0, &NAMES) } else { handshake };
            let (_dir, options) = impostor(first, Some(answer), false).await;
            if let Ok(client) = Client::connect(options).await {
                let dump = client.dump(&SwInterfaceDump::all());
                ends::<ShowVersion>(client.request(&ShowVersion {}).await);
                drop(dump.await);
            }
        });
    }
}
