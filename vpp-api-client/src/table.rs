//! Which number each message has in this run of VPP.

use crate::{
    DecodeError, Error, Message,
    codec::{Cursor, Wire},
};

/// Bytes of an entry: the number, then the name in 64 bytes.
const ENTRY: usize = 66;

/// The table that VPP sends to a client that connects: about a thousand names. Kept as it came, since a client looks few of them up.
#[derive(Debug, Clone, Default)]
pub struct Table {
    entries: Vec<u8>,
}

impl Table {
    /// Takes the table from the end of a `sockclnt_create_reply`: a count of 16 bits, then as many entries.
    ///
    /// # Errors
    /// When fewer entries follow than the count says.
    pub fn take(from: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let count = u16::take(from)?;
        let entries = from.bytes(usize::from(count) * ENTRY)?.to_vec();
        Ok(Self { entries })
    }

    /// All names with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u16)> {
        self.entries.chunks_exact(ENTRY).map(|entry| {
            let (id, name) = entry.split_at(2);
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            (&name[..end], u16::from_be_bytes([id[0], id[1]]))
        })
    }

    /// The number of a message.
    ///
    /// # Errors
    /// [`Error::NotLoaded`] or [`Error::OtherLayout`].
    pub fn id<M: Message>(&self) -> Result<u16, Error> {
        let ours = M::NAME;
        if let Some(id) = self.find(ours) {
            return Ok(id);
        }
        // The checksum and the underscore before it.
        let name = ours.get(..ours.len().saturating_sub(9)).unwrap_or(ours);
        let same_name = |full: &&[u8]| full.len() == ours.len() && full.starts_with(name.as_bytes());
        match self.iter().map(|(full, _)| full).find(same_name) {
            Some(theirs) => {
                Err(Error::OtherLayout { ours, theirs: String::from_utf8_lossy(theirs).into_owned() })
            }
            None => Err(Error::NotLoaded { name, of: M::OF }),
        }
    }

    fn find(&self, name: &str) -> Option<u16> {
        // Only the bytes of the name are compared, and the NUL behind them: most entries differ in their first.
        let entry = self.entries.chunks_exact(ENTRY).find(|entry| {
            let rest = entry.get(2..).and_then(|full| full.strip_prefix(name.as_bytes()));
            rest.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == 0))
        })?;
        Some(u16::from_be_bytes([entry[0], entry[1]]))
    }
}

#[cfg(feature = "fake")]
impl Table {
    /// A table of these names.
    pub(crate) fn of<'a>(names: impl Iterator<Item = (&'a str, u16)>) -> Self {
        let mut entries = Vec::new();
        for (name, id) in names {
            entries.extend(id.to_be_bytes());
            let mut field = [0; 64];
            let length = name.len().min(63);
            field[..length].copy_from_slice(&name.as_bytes()[..length]);
            entries.extend(field);
        }
        Self { entries }
    }

    /// As it stands in a `sockclnt_create_reply`.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        u16::try_from(self.entries.len() / ENTRY).unwrap_or(u16::MAX).put(out);
        out.extend_from_slice(&self.entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::memif::MemifDelete;

    fn table(names: &[&str]) -> Table {
        let mut bytes = u16::try_from(names.len()).unwrap().to_be_bytes().to_vec();
        for (index, name) in names.iter().enumerate() {
            bytes.extend(u16::try_from(index + 100).unwrap().to_be_bytes());
            let mut field = [0; 64];
            field[..name.len()].copy_from_slice(name.as_bytes());
            bytes.extend(field);
        }
        Table::take(&mut Cursor::new(&bytes)).unwrap()
    }

    #[test]
    fn a_message_is_found_by_its_layout() {
        let table = table(&["memif_delete_reply_e8d4e804", "memif_delete_f9e6675e"]);
        assert_eq!(table.id::<MemifDelete>().unwrap(), 101);
    }

    #[test]
    fn a_missing_plugin_is_told_from_another_layout() {
        let error = table(&["memif_delete_reply_e8d4e804"]).id::<MemifDelete>().unwrap_err().to_string();
        assert!(error.contains("no message memif_delete: is the memif plugin loaded"), "{error}");
        let error = table(&["memif_delete_00000000"]).id::<MemifDelete>().unwrap_err().to_string();
        assert!(
            error.contains("memif_delete_00000000") && error.contains("memif_delete_f9e6675e"),
            "{error}"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_table_or_an_error(bytes in proptest::collection::vec(0u8.., 0..300)) {
            if let Ok(table) = Table::take(&mut Cursor::new(&bytes)) {
                proptest::prop_assert_eq!(table.iter().count(), usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
                proptest::prop_assert!(table.id::<MemifDelete>().is_err());
            }
        }
    }

    #[test]
    fn a_table_that_is_cut_is_an_error() {
        assert!(Table::take(&mut Cursor::new(&[0, 2, 0, 1])).is_err());
    }
}
