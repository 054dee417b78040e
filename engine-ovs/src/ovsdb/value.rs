//! OVSDB's values as JSON (RFC 7047, section 5.1): atoms, sets, maps, references to rows.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde_json::{Map, Value, json};

use super::Error;

/// The identity of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(String);

impl FromStr for Uuid {
    type Err = Error;

    /// 8, 4, 4, 4 and 12 hex digits with `-` between.
    fn from_str(text: &str) -> Result<Self, Error> {
        let fits = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if fits { Ok(Self(text.to_owned())) } else { Err(Error::unexpected("a reference to a row", text)) }
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Uuid> for Value {
    fn from(uuid: &Uuid) -> Self {
        json!(["uuid", uuid.0])
    }
}

/// A set. One of one element is the same as that element.
pub fn set(elements: impl IntoIterator<Item = impl Into<Value>>) -> Value {
    let elements: Vec<Value> = elements.into_iter().map(Into::into).collect();
    json!(["set", elements])
}

/// The empty set: how an optional column is unset.
pub fn empty() -> Value {
    json!(["set", []])
}

/// A map from strings to strings.
pub fn map<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Value {
    let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| json!([key.as_ref(), value.as_ref()])).collect();
    json!(["map", pairs])
}

/// Some columns of a row, as a select gives them. What has not the asked-for type is an error, never a panic.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    table: String,
    columns: Map<String, Value>,
}

impl Row {
    pub(crate) fn new(table: &str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(columns) => Ok(Self { table: table.to_owned(), columns }),
            other => Err(Error::unexpected(format!("a select from {table}"), other)),
        }
    }

    /// A column of one string.
    ///
    /// # Errors
    /// When it is something else.
    pub fn string(&self, column: &str) -> Result<String, Error> {
        let value = self.value(column)?;
        value.as_str().map(str::to_owned).ok_or_else(|| self.unexpected(column, value))
    }

    /// A column of one truth value.
    ///
    /// # Errors
    /// When it is something else.
    pub fn boolean(&self, column: &str) -> Result<bool, Error> {
        let value = self.value(column)?;
        value.as_bool().ok_or_else(|| self.unexpected(column, value))
    }

    /// A column of one integer.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integer(&self, column: &str) -> Result<i64, Error> {
        let value = self.value(column)?;
        value.as_i64().ok_or_else(|| self.unexpected(column, value))
    }

    /// A column of at most one string.
    ///
    /// # Errors
    /// When it is something else.
    pub fn optional_string(&self, column: &str) -> Result<Option<String>, Error> {
        self.strings(column).map(|all| all.into_iter().next())
    }

    /// A column of at most one integer.
    ///
    /// # Errors
    /// When it is something else.
    pub fn optional_integer(&self, column: &str) -> Result<Option<i64>, Error> {
        self.integers(column).map(|all| all.into_iter().next())
    }

    /// A column of strings.
    ///
    /// # Errors
    /// When it is something else.
    pub fn strings(&self, column: &str) -> Result<Vec<String>, Error> {
        self.elements(column, |value| value.as_str().map(str::to_owned))
    }

    /// A column of integers.
    ///
    /// # Errors
    /// When it is something else.
    pub fn integers(&self, column: &str) -> Result<Vec<i64>, Error> {
        self.elements(column, Value::as_i64)
    }

    /// A column of references to rows.
    ///
    /// # Errors
    /// When it is something else.
    pub fn uuids(&self, column: &str) -> Result<Vec<Uuid>, Error> {
        self.elements(column, uuid)
    }

    /// The row's own identity, or a column of one reference.
    ///
    /// # Errors
    /// When it is something else.
    pub fn uuid(&self, column: &str) -> Result<Uuid, Error> {
        let value = self.value(column)?;
        uuid(value).ok_or_else(|| self.unexpected(column, value))
    }

    /// A column that maps strings to strings.
    ///
    /// # Errors
    /// When it is something else.
    pub fn map(&self, column: &str) -> Result<BTreeMap<String, String>, Error> {
        let value = self.value(column)?;
        let pair = |pair: &Value| {
            let (key, value) = (pair.get(0)?.as_str()?, pair.get(1)?.as_str()?);
            Some((key.to_owned(), value.to_owned()))
        };
        let pairs = tagged(value, "map").and_then(Value::as_array);
        let all = pairs.and_then(|pairs| pairs.iter().map(pair).collect());
        all.ok_or_else(|| self.unexpected(column, value))
    }

    fn elements<T>(&self, column: &str, read: fn(&Value) -> Option<T>) -> Result<Vec<T>, Error> {
        let value = self.value(column)?;
        let elements = match tagged(value, "set").and_then(Value::as_array) {
            Some(elements) => elements.as_slice(),
            None => std::slice::from_ref(value),
        };
        let all = elements.iter().map(read).collect::<Option<_>>();
        all.ok_or_else(|| self.unexpected(column, value))
    }

    fn value(&self, column: &str) -> Result<&Value, Error> {
        let missing = || Error::unexpected(format!("a select from {}", self.table), format!("no {column:?}"));
        self.columns.get(column).ok_or_else(missing)
    }

    fn unexpected(&self, column: &str, value: &Value) -> Error {
        // Of which kind, and not which: some columns hold secrets.
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a set, a map or a reference of another type",
            Value::Object(_) => "an object",
        };
        Error::unexpected(format!("a select of {column:?} from {}", self.table), kind)
    }
}

/// What stands behind the word in `["word", …]`.
fn tagged<'v>(value: &'v Value, word: &str) -> Option<&'v Value> {
    match value.as_array()?.as_slice() {
        [first, second] if first == word => Some(second),
        _ => None,
    }
}

fn uuid(value: &Value) -> Option<Uuid> {
    tagged(value, "uuid")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ovsdb-server 3.1 prints them: `ovsdb-client transact '["Open_vSwitch",{"op":"select",…}]'`.
    fn row() -> Row {
        let id = "0a1b2c3d-0a1b-4c3d-8a1b-0a1b2c3d4e5f";
        let value = json!({
            "name": "br0",
            "tag": ["set", []],
            "ofport": 5,
            "trunks": ["set", [10, 20]],
            "iface_types": ["set", ["dpdk", "system"]],
            "one": "system",
            "external_ids": ["map", [["a", "b"], ["c", "d"]]],
            "_uuid": ["uuid", id],
            "ports": ["set", [["uuid", id], ["uuid", id]]],
            "port": ["uuid", id],
            "up": true,
        });
        Row::new("Port", value).unwrap()
    }

    #[test]
    fn columns_are_read_by_type() {
        let row = row();
        assert_eq!(row.string("name").unwrap(), "br0");
        assert_eq!(row.optional_integer("tag").unwrap(), None);
        assert_eq!(row.optional_integer("ofport").unwrap(), Some(5));
        assert_eq!(row.integers("trunks").unwrap(), [10, 20]);
        assert_eq!(row.strings("iface_types").unwrap(), ["dpdk", "system"]);
        assert_eq!(row.strings("one").unwrap(), ["system"], "a set of one is its element");
        assert_eq!(row.map("external_ids").unwrap()["c"], "d");
        assert_eq!(row.uuids("ports").unwrap().len(), 2);
        assert_eq!(row.uuids("port").unwrap(), [row.uuid("_uuid").unwrap()]);
        assert!(row.boolean("up").unwrap());
    }

    #[test]
    fn another_type_is_an_error_with_the_columns_name() {
        let row = row();
        for error in [
            row.string("tag").unwrap_err(),
            row.integers("name").unwrap_err(),
            row.map("ports").unwrap_err(),
            row.uuid("name").unwrap_err(),
            row.string("absent").unwrap_err(),
        ] {
            assert!(error.to_string().contains("from Port"), "{error}");
        }
    }

    #[test]
    fn values_are_written_as_the_rfc_says() {
        assert_eq!(set([1, 2]).to_string(), r#"["set",[1,2]]"#);
        assert_eq!(empty().to_string(), r#"["set",[]]"#);
        assert_eq!(map([("a", "b")]).to_string(), r#"["map",[["a","b"]]]"#);
    }
}
