//! Frames: how messages are told apart on the socket. Pure bytes; incomplete is a value.
//!
//! ```text
//!  0        8             12          16
//!  +--------+-------------+-----------+----------------------+
//!  | queue  | data_len BE | gc_mark   | data_len bytes       |
//!  +--------+-------------+-----------+----------------------+
//! ```
//! Queue and mark are VPP's own: sent as 0, not read (`msgbuf_t` of vlibapi/api_common.h).

use crate::Error;

/// Bytes before a message.
pub const HEADER: usize = 16;

/// The longest message that is read. VPP's longest known reply, `get_api_json`, has about 3.5 MB.
pub const MAX_LENGTH: usize = 16 << 20;

/// Appends a frame around what `write` appends.
pub fn put(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    write(out);
    // Messages of ours are far from 4 GiB.
    let length = u32::try_from(out.len() - start - HEADER).unwrap_or(u32::MAX);
    out[start + 8..start + 12].copy_from_slice(&length.to_be_bytes());
}

/// Takes messages out of a stream of bytes that comes in pieces.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: Vec<u8>,
    start: usize,
}

impl Splitter {
    /// Adds what came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Where more is read to, with room for `count` bytes: what is appended is as if it was pushed.
    pub(crate) fn room(&mut self, count: usize) -> &mut Vec<u8> {
        self.push(&[]);
        self.buffer.reserve(count);
        &mut self.buffer
    }

    /// The next message, when all of it has come.
    ///
    /// # Errors
    /// [`Error::TooLong`] for a frame of more than [`MAX_LENGTH`] bytes; the stream is then of no more use.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, Error> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let Some(length) = rest.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes)
        else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_LENGTH {
            return Err(Error::TooLong { length });
        }
        let end = self.start + HEADER + length;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let message = &self.buffer[self.start + HEADER..end];
        self.start = end;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, |out| out.extend_from_slice(message));
        out
    }

    #[test]
    fn a_frame_tells_its_length() {
        assert_eq!(frame(b"abc")[..HEADER], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
    }

    #[test]
    fn an_absurd_length_is_an_error() {
        let mut splitter = Splitter::default();
        splitter.push(&[0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(splitter.next_message(), Err(Error::TooLong { length: 0xffff_ffff })));
    }

    proptest::proptest! {
        #[test]
        fn pieces_of_any_size_make_the_same_messages(
            messages in proptest::collection::vec(proptest::collection::vec(0u8.., 0..40), 0..6),
            piece in 1usize..50,
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            for bytes in stream.chunks(piece) {
                splitter.push(bytes);
                while let Some(message) = splitter.next_message().unwrap() {
                    found.push(message.to_vec());
                }
            }
            proptest::prop_assert_eq!(found, messages);
        }

        #[test]
        fn any_bytes_are_messages_or_an_error(bytes in proptest::collection::vec(0u8.., 0..200)) {
            let mut splitter = Splitter::default();
            splitter.push(&bytes);
            while let Ok(Some(_)) = splitter.next_message() {}
        }
    }
}
