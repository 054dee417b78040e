//! Who waits for which answer: pure bookkeeping between the task that reads and the calls that wait.

use std::collections::HashMap;

use tokio::sync::{mpsc, oneshot};

use crate::Error;

/// All details of one dump together. Far above what VPP has of anything.
const MOST_BYTES: usize = 256 << 20;

/// What an answer is delivered as: the messages of a dump, or the one message of a reply.
pub(crate) type Answer = Result<Vec<Vec<u8>>, Error>;

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// The request's name, for errors.
    pub(crate) name: &'static str,
    /// The number of the message that ends the answer.
    pub(crate) last: u16,
    /// The number of the messages before it, of a dump.
    pub(crate) details: Option<u16>,
    collected: Vec<Vec<u8>>,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

impl Waiter {
    pub(crate) fn new(
        name: &'static str,
        last: u16,
        details: Option<u16>,
        answer: oneshot::Sender<Answer>,
    ) -> Self {
        Self { name, last, details, collected: Vec::new(), bytes: 0, answer }
    }
}

/// What is awaited on a connection.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    last_context: u32,
    waiting: HashMap<u32, Waiter>,
    events: HashMap<u16, mpsc::Sender<Vec<u8>>>,
    /// Whether the connection has ended.
    pub(crate) ended: bool,
}

impl Pending {
    /// Notes a request; its context is what VPP will send back.
    pub(crate) fn note(&mut self, waiter: Waiter) -> u32 {
        loop {
            self.last_context = self.last_context.wrapping_add(1);
            if !self.waiting.contains_key(&self.last_context) {
                break;
            }
        }
        // On an ended connection nobody answers: the waiter goes, and with it its sender.
        if !self.ended {
            self.waiting.insert(self.last_context, waiter);
        }
        self.last_context
    }

    /// Nobody waits any more.
    pub(crate) fn forget(&mut self, context: u32) {
        self.waiting.remove(&context);
    }

    /// Delivers the events of that number.
    pub(crate) fn subscribe(&mut self, id: u16, to: mpsc::Sender<Vec<u8>>) {
        self.events.insert(id, to);
    }

    /// The connection has ended: everybody who waits is told.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.waiting.clear();
        self.events.clear();
    }

    /// Delivers a message. What nobody waits for (its deadline has passed) is dropped.
    pub(crate) fn deliver(&mut self, message: &[u8]) {
        let Some(id) = message.first_chunk::<2>().map(|id| u16::from_be_bytes(*id)) else {
            return;
        };
        // Events have no context: the number decides first.
        if let Some(to) = self.events.get(&id) {
            // A subscriber that is a thousand events behind loses the newest; one that is gone, all.
            if let Err(mpsc::error::TrySendError::Closed(_)) = to.try_send(message[2..].to_vec()) {
                self.events.remove(&id);
            }
            return;
        }
        let Some(context) = message.get(2..6).and_then(|context| context.try_into().ok()) else {
            return;
        };
        let context = u32::from_be_bytes(context);
        let Some(waiter) = self.waiting.get_mut(&context) else {
            return;
        };
        let fields = &message[6..];
        if waiter.details == Some(id) {
            waiter.bytes += fields.len();
            if waiter.bytes <= MOST_BYTES {
                waiter.collected.push(fields.to_vec());
                return;
            }
        }
        if let Some(waiter) = self.waiting.remove(&context) {
            waiter.finish(id, fields);
        }
    }
}

impl Waiter {
    fn finish(mut self, id: u16, fields: &[u8]) {
        let answer = if self.bytes > MOST_BYTES {
            Err(Error::TooLong { length: self.bytes })
        } else if id != self.last {
            Err(Error::Unexpected { name: self.name, id })
        } else {
            // The end of a dump is a ping's reply, which says nothing.
            if self.details.is_none() {
                self.collected.push(fields.to_vec());
            }
            Ok(self.collected)
        };
        // Whoever waited may have given up.
        let _ = self.answer.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(last: u16, details: Option<u16>) -> (Waiter, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        (Waiter::new("request", last, details, sender), receiver)
    }

    fn message(id: u16, context: u32, fields: &[u8]) -> Vec<u8> {
        [&id.to_be_bytes()[..], &context.to_be_bytes()[..], fields].concat()
    }

    #[test]
    fn each_answer_goes_to_its_own_request() {
        let mut pending = Pending::default();
        let ((one, mut first), (two, mut second)) = (waiter(7, None), waiter(8, Some(9)));
        let (one, two) = (pending.note(one), pending.note(two));
        for (id, context, fields) in [(9, two, b"a"), (7, one, b"r"), (9, two, b"b"), (8, two, b"!")] {
            pending.deliver(&message(id, context, fields));
        }
        assert_eq!(first.try_recv().unwrap().unwrap(), [b"r"]);
        assert_eq!(second.try_recv().unwrap().unwrap(), [b"a", b"b"]);
    }

    #[test]
    fn an_answer_of_another_kind_is_an_error() {
        let mut pending = Pending::default();
        let (one, mut answer) = waiter(7, None);
        let context = pending.note(one);
        pending.deliver(&message(6, context, b""));
        assert!(matches!(answer.try_recv().unwrap(), Err(Error::Unexpected { id: 6, .. })));
    }

    #[test]
    fn an_event_is_told_by_its_number() {
        let mut pending = Pending::default();
        let (one, mut answer) = waiter(7, None);
        let context = pending.note(one);
        let (to, mut events) = mpsc::channel(1);
        pending.subscribe(5, to);
        // The client's index stands where a reply has its context.
        pending.deliver(&message(5, context, b"up"));
        assert!(answer.try_recv().is_err());
        assert_eq!(events.try_recv().unwrap()[4..], *b"up");
        pending.deliver(&message(5, 0, b"1"));
        pending.deliver(&message(5, 0, b"2"));
        assert_eq!(events.try_recv().unwrap()[4..], *b"1", "what is too much is dropped");
    }

    #[test]
    fn who_waits_is_told_of_the_end() {
        let mut pending = Pending::default();
        let (one, mut answer) = waiter(7, None);
        pending.note(one);
        pending.end();
        let (two, mut later) = waiter(7, None);
        pending.note(two);
        for answer in [&mut answer, &mut later] {
            assert_eq!(answer.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_message_can_come(messages in proptest::collection::vec(proptest::collection::vec(0u8..9, 0..12), 0..20)) {
            let mut pending = Pending::default();
            let (one, _answer) = waiter(1, Some(2));
            pending.note(one);
            messages.iter().for_each(|message| pending.deliver(message));
        }
    }
}
