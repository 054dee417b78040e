//! How values stand in a message: packed, big-endian, strings with a fixed or a told length.
//!
//! Reading never panics and allocates nothing that the message has no bytes for.

use std::{fmt, str::FromStr};

use crate::DecodeError;

/// A value of a message.
pub trait Wire: Sized {
    /// The fewest bytes that it takes, at least 1: what a told number of values is checked with.
    const LEAST: usize;

    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes it.
    ///
    /// # Errors
    /// [`DecodeError`] when the message ends before it does.
    fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError>;
}

/// A place in a message that is read.
#[derive(Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(DecodeError { at: self.at, wanted: count, left: self.left() })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            const LEAST: usize = size_of::<$number>();

            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
                from.array().map(Self::from_be_bytes)
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, i32, f64);

impl Wire for bool {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(u8::take(from)? != 0)
    }
}

impl<T: Wire + Copy + Default, const N: usize> Wire for [T; N] {
    const LEAST: usize = N * T::LEAST;

    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.put(out));
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut all = [T::default(); N];
        for item in &mut all {
            *item = T::take(from)?;
        }
        Ok(all)
    }
}

/// The number that tells how many values follow.
pub trait Count: Wire {
    /// As many as fit.
    fn of(length: usize) -> Self;
    /// The number.
    fn get(self) -> usize;
}

macro_rules! counts {
    ($($number:ty),*) => {$(
        impl Count for $number {
            fn of(length: usize) -> Self {
                Self::try_from(length).unwrap_or(Self::MAX)
            }

            fn get(self) -> usize {
                usize::try_from(self).unwrap_or(usize::MAX)
            }
        }
    )*};
}
counts!(u8, u16, u32);

/// Values behind their number, which is a `C`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<C, T> {
    /// The values; more than a `C` can tell are not sent.
    pub items: Vec<T>,
    count: std::marker::PhantomData<C>,
}

impl<C, T> Default for Counted<C, T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<C, T> From<Vec<T>> for Counted<C, T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, count: std::marker::PhantomData }
    }
}

impl<C: Count, T: Wire> Wire for Counted<C, T> {
    const LEAST: usize = C::LEAST;

    fn put(&self, out: &mut Vec<u8>) {
        let count = C::of(self.items.len());
        count.put(out);
        self.items.iter().take(count.get()).for_each(|item| item.put(out));
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let at = from.at;
        let count = C::take(from)?.get();
        let wanted = count.saturating_mul(T::LEAST);
        if wanted > from.left() {
            return Err(DecodeError { at, wanted, left: from.left() });
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(T::take(from)?);
        }
        Ok(Self::from(items))
    }
}

/// Text that is too long for its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text of {length} bytes, where at most {most} fit")]
pub struct TooLongText {
    /// Its bytes.
    pub length: usize,
    /// What fits.
    pub most: usize,
}

/// Text in a field of `N` bytes, of which the last is a NUL. VPP does not always zero what follows a NUL, nor is it always UTF-8.
#[derive(Clone, Copy)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    /// The bytes before the first NUL.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        &self.0[..end]
    }
}

impl<const N: usize> FromStr for Text<N> {
    type Err = TooLongText;

    fn from_str(text: &str) -> Result<Self, TooLongText> {
        let (length, most) = (text.len(), N.saturating_sub(1));
        if length > most {
            return Err(TooLongText { length, most });
        }
        let mut field = [0; N];
        field[..length].copy_from_slice(text.as_bytes());
        Ok(Self(field))
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> Eq for Text<N> {}

impl<const N: usize> PartialEq<str> for Text<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}

impl<const N: usize> Wire for Text<N> {
    const LEAST: usize = N;

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        from.array().map(Self)
    }
}

/// A [`Text`] that is never shown.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Hidden<const N: usize>(pub Text<N>);

impl<const N: usize> fmt::Debug for Hidden<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<const N: usize> Wire for Hidden<N> {
    const LEAST: usize = N;

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Text::take(from).map(Self)
    }
}

/// Text behind its length.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LongText(Vec<u8>);

impl LongText {
    /// The bytes before the first NUL.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        &self.0[..end]
    }
}

impl From<&str> for LongText {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Display for LongText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for LongText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}

impl Wire for LongText {
    const LEAST: usize = 4;

    fn put(&self, out: &mut Vec<u8>) {
        u32::of(self.0.len()).put(out);
        out.extend_from_slice(&self.0);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let length = u32::take(from)?.get();
        from.bytes(length).map(|bytes| Self(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &impl Wire) -> Vec<u8> {
        let mut out = Vec::new();
        value.put(&mut out);
        out
    }

    #[test]
    fn text_is_cut_at_its_nul_and_refused_when_too_long() {
        let mut from = Cursor::new(b"ab\0cd");
        let text = Text::<5>::take(&mut from).unwrap();
        assert_eq!(text.to_string(), "ab");
        assert_eq!(text, *"ab");
        assert_eq!("abcd".parse::<Text<4>>(), Err(TooLongText { length: 4, most: 3 }));
        assert_eq!(format!("{:?}", Hidden(text)), "…");
        assert_eq!(LongText::take(&mut Cursor::new(b"\0\0\0\x03a\0b")).unwrap().to_string(), "a");
        assert_eq!(Text::<2>::take(&mut Cursor::new(b"\xff\0")).unwrap().to_string(), "\u{fffd}");
    }

    #[test]
    fn a_told_number_is_held_against_what_is_left() {
        let mut from = Cursor::new(&[0xff, 0xff, 0xff, 0xff, 1, 2]);
        let error = Counted::<u32, u16>::take(&mut from).unwrap_err();
        assert_eq!((error.at, error.left), (0, 2));
        let mut from = Cursor::new(&[0xff, 0xff, 0xff, 0xff, 1, 2]);
        assert!(LongText::take(&mut from).is_err());
    }

    #[test]
    fn more_than_a_number_can_tell_is_not_sent() {
        let many: Counted<u8, u8> = vec![7; 300].into();
        assert_eq!(bytes(&many).len(), 256);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(numbers in proptest::collection::vec(0u16.., 0..20), text in "[a-z]{0,30}") {
            let list: Counted<u16, u16> = numbers.into();
            let long = LongText::from(text.as_str());
            let mut out = bytes(&list);
            long.put(&mut out);
            let mut from = Cursor::new(&out);
            proptest::prop_assert_eq!(Counted::take(&mut from).unwrap(), list);
            proptest::prop_assert_eq!(LongText::take(&mut from).unwrap(), long);
            proptest::prop_assert_eq!(from.left(), 0);
        }
    }
}
