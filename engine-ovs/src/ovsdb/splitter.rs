//! Where one JSON value ends and the next begins: OVSDB's JSON-RPC has no frames (RFC 7047, section 4).
//!
//! Pure bytes. Remembers its place, so that a value which comes in many pieces is scanned once.

/// Larger than any reply to a request of ours; a server that sends more is broken.
const MAX_VALUE: usize = 64 << 20;

/// Collects bytes and gives out whole values.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    buffer: Vec<u8>,
    /// How far the buffer was scanned.
    at: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// A stream that cannot be one of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStream {
    /// Beyond any reply.
    #[error("a value of more than {MAX_VALUE} bytes")]
    TooLarge,
    /// Messages are objects.
    #[error("byte {0:#04x} where an object should begin")]
    NoObject(u8),
}

impl Splitter {
    /// Takes more bytes in.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole object, or `None` until more bytes come.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, BadStream> {
        if self.depth == 0 {
            let blank = self.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.buffer.drain(..blank);
            match self.buffer.first() {
                Some(b'{') | None => {}
                Some(other) => return Err(BadStream::NoObject(*other)),
            }
        }
        while let Some(&byte) = self.buffer.get(self.at) {
            self.at += 1;
            if self.step(byte) {
                let rest = self.buffer.split_off(self.at);
                self.at = 0;
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
        }
        if self.buffer.len() > MAX_VALUE {
            return Err(BadStream::TooLarge);
        }
        Ok(None)
    }

    /// Whether the object ends with this byte.
    fn step(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut values = Vec::new();
        for piece in pieces {
            splitter.push(piece);
            while let Some(value) = splitter.next().unwrap() {
                values.push(String::from_utf8(value).unwrap());
            }
        }
        values
    }

    #[test]
    fn values_are_found_between_others() {
        let text = r#"{"a":"}\"{","b":[{"c":"\\"}]}"#;
        assert_eq!(split(&[text.as_bytes()]), [text]);
        assert_eq!(split(&[format!("{text}{text}").as_bytes()]), [text, text]);
        assert_eq!(split(&[format!(" {text}\n {text}").as_bytes()]), [text, text]);
    }

    #[test]
    fn what_is_no_object_is_told() {
        let mut splitter = Splitter::default();
        splitter.push(b" ]");
        assert_eq!(splitter.next(), Err(BadStream::NoObject(b']')));
        let mut splitter = Splitter::default();
        splitter.push(b"{");
        splitter.push(&vec![b' '; MAX_VALUE]);
        assert_eq!(splitter.next(), Err(BadStream::TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn values_are_found_however_they_come(texts in proptest::collection::vec("\\PC{0,12}", 1..5), cuts in proptest::collection::vec(0usize..200, 0..8)) {
            let values: Vec<String> = texts.iter().map(|text| serde_json::json!({"k": [text, {"n": text}]}).to_string()).collect();
            let bytes = values.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|two| &bytes[two[0]..two[1]]).collect();
            proptest::prop_assert_eq!(split(&pieces), values);
        }

        #[test]
        fn no_bytes_make_it_panic(pieces in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..40), 0..6)) {
            let mut splitter = Splitter::default();
            for piece in pieces {
                splitter.push(&piece);
                while let Ok(Some(_)) = splitter.next() {}
            }
        }
    }
}
