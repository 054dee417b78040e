//! From a message's name to what is done with it.

use std::collections::HashMap;

use super::model::{Model, Outcome};
use crate::{
    DecodeError, Dump, Message, Reply, Request,
    codec::{Cursor, Wire},
};

/// A message that goes back, without its number and context.
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    pub(crate) fields: Vec<u8>,
}

impl Answer {
    pub(crate) fn of<M: Message>(message: &M) -> Self {
        let mut fields = Vec::new();
        message.put(&mut fields);
        Self { name: M::NAME, fields }
    }

    /// A reply that says nothing but that number. All replies begin with it.
    pub(crate) fn refusal<R: Reply + Default>(retval: i32) -> Self {
        let mut answer = Self::of(&R::default());
        let mut bytes = Vec::new();
        retval.put(&mut bytes);
        answer.fields.splice(..bytes.len().min(answer.fields.len()), bytes);
        answer
    }
}

/// What a message does to the model and is answered with. A message that is too short does nothing.
type Act = Box<dyn Fn(&mut Model, &mut Cursor<'_>) -> Result<Vec<Answer>, DecodeError> + Send + Sync>;

struct Handler {
    act: Act,
    /// A dump cannot be refused.
    refuse: Option<fn(i32) -> Answer>,
}

/// What is done with each message.
#[derive(Default)]
pub(crate) struct Handlers {
    by_name: HashMap<&'static str, Handler>,
}

impl Handlers {
    pub(crate) fn all() -> Self {
        let mut handlers = Self::default();
        super::address::register(&mut handlers);
        super::bridge::register(&mut handlers);
        super::host_interface::register(&mut handlers);
        super::interface::register(&mut handlers);
        super::memif::register(&mut handlers);
        super::policer::register(&mut handlers);
        super::route::register(&mut handlers);
        super::tap::register(&mut handlers);
        super::vhost_user::register(&mut handlers);
        super::vpe::register(&mut handlers);
        handlers
    }

    pub(crate) fn request<R>(&mut self, act: impl Fn(&mut Model, &R) -> R::Reply + Send + Sync + 'static)
    where
        R: Request<Reply: Default>,
    {
        let act: Act = Box::new(move |model, from| Ok(vec![Answer::of(&act(model, &R::take(from)?))]));
        let refuse: Option<fn(i32) -> Answer> = Some(Answer::refusal::<R::Reply>);
        self.by_name.insert(R::NAME, Handler { act, refuse });
    }

    /// A request whose reply says only whether it was done.
    pub(crate) fn done<R>(&mut self, act: impl Fn(&mut Model, &R) -> Outcome + Send + Sync + 'static)
    where
        R: Request<Reply: Default>,
    {
        let refusal: fn(i32) -> Answer = Answer::refusal::<R::Reply>;
        let act: Act = Box::new(move |model, from| {
            let outcome = act(model, &R::take(from)?);
            Ok(vec![refusal(outcome.err().unwrap_or_default())])
        });
        self.by_name.insert(R::NAME, Handler { act, refuse: Some(refusal) });
    }

    pub(crate) fn dump<D: Dump>(
        &mut self,
        act: impl Fn(&mut Model, &D) -> Vec<D::Details> + Send + Sync + 'static,
    ) {
        let act: Act = Box::new(move |model, from| {
            let all = act(model, &D::take(from)?);
            Ok(all.iter().map(Answer::of).collect())
        });
        self.by_name.insert(D::NAME, Handler { act, refuse: None });
    }

    pub(crate) fn act(&self, name: &str, model: &mut Model, fields: &[u8]) -> Vec<Answer> {
        let Some(handler) = self.by_name.get(name) else { return Vec::new() };
        (handler.act)(model, &mut Cursor::new(fields)).unwrap_or_default()
    }

    pub(crate) fn refuse(&self, name: &str, retval: i32) -> Option<Answer> {
        let refuse = self.by_name.get(name)?.refuse?;
        Some(refuse(retval))
    }
}
