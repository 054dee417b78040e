//! What a message is, and how one is defined: as a table of fields beside its name and checksum, much as VPP's own `.api` files.

use crate::{DecodeError, codec::Cursor};

/// A message without the part that all have (its number, and of requests the client's and the context's).
pub trait Message: Sized + Send {
    /// Its name and the checksum of its layout: `memif_delete_f9e6675e`.
    const NAME: &'static str;
    /// What defines it: `memif plugin`, or `core` when VPP cannot be without.
    const OF: &'static str;

    /// Appends the fields.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes the fields. More bytes may follow: a later release may have added to the message's end.
    ///
    /// # Errors
    /// When the message is too short.
    fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError>;
}

/// A message that is answered by one.
pub trait Request: Message {
    /// The answer.
    type Reply: Reply;
}

/// An answer.
pub trait Reply: Message {
    /// 0, or the negative number of the error.
    fn retval(&self) -> i32;
}

/// A message that is answered by any number of them.
pub trait Dump: Message {
    /// Each of the answers.
    type Details: Message;
}

/// A message that comes unasked, once it has been asked for.
pub trait Event: Message {}

/// Defines messages, as a table: what a message is (`request`, `reply`, `dump`, `details` or `event`), its name here, its name and
/// checksum in VPP, what answers it, and its fields in their order on the wire. `of` names the part of VPP that has them. A reply's
/// first field is `retval: i32`. One use a module.
///
/// VPP has a thousand messages, and this crate the few that it was made with: define those that you need.
///
/// ```
/// /// The time of day in VPP.
/// mod time {
///     vpp_api_client::messages! {
///         of "core";
///
///         /// Asks for the time.
///         request ShowVpeSystemTime "show_vpe_system_time_51077d14" -> ShowVpeSystemTimeReply {}
///         /// Seconds since 1970.
///         reply ShowVpeSystemTimeReply "show_vpe_system_time_reply_7ffd8193" { retval: i32, vpe_system_time: f64 }
///     }
/// }
///
/// # async fn example(vpp: vpp_api_client::Client) -> Result<(), vpp_api_client::Error> {
/// let now = vpp.request(&time::ShowVpeSystemTime {}).await?.vpe_system_time;
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! messages {
    (of $of:literal; $(
        $(#[$doc:meta])* $kind:ident $name:ident $wire:literal $(-> $answer:ident)? {
            $($field:ident: $type:ty),* $(,)?
        }
    )*) => {$(
        $(#[$doc])*
        #[doc = ""]
        #[doc = concat!("`", $wire, "`; the fields are described in VPP's .api file of the ", $of, ".")]
        #[derive(Debug, Clone, Default, PartialEq)]
        #[allow(missing_docs)]
        pub struct $name {
            $(pub $field: $type,)*
        }

        impl $crate::Message for $name {
            const NAME: &'static str = $wire;
            const OF: &'static str = $of;

            fn put(&self, _out: &mut Vec<u8>) {
                $($crate::codec::Wire::put(&self.$field, _out);)*
            }

            fn take(_from: &mut $crate::codec::Cursor<'_>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: $crate::codec::Wire::take(_from)?,)* })
            }
        }

        $crate::messages!(@ $kind $name $($answer)?);
    )*

        /// Asks with each message of this file for the fields of `bytes`, for tests of the decoder.
        #[doc(hidden)]
        pub fn decode_all(bytes: &[u8]) {
            $(let _ = <$name as $crate::Message>::take(&mut $crate::codec::Cursor::new(bytes));)*
        }

        /// The names of the messages of this file.
        #[doc(hidden)]
        pub const NAMES: &[&str] = &[$($wire),*];

        /// The part of VPP that has them.
        #[doc(hidden)]
        pub const OF: &str = $of;
    };
    (@ request $name:ident $answer:ident) => {
        impl $crate::Request for $name {
            type Reply = $answer;
        }
    };
    (@ dump $name:ident $answer:ident) => {
        impl $crate::Dump for $name {
            type Details = $answer;
        }
    };
    (@ reply $name:ident) => {
        impl $crate::Reply for $name {
            fn retval(&self) -> i32 {
                self.retval
            }
        }
    };
    (@ details $name:ident) => {};
    (@ event $name:ident) => {
        impl $crate::Event for $name {}
    };
}
