//! Reads JSON into serde types as Go's `encoding/json` does, so that a configuration written for a Go plugin means the same here.
//!
//! * Keys are matched without case.
//! * `null` and the empty string leave a field unset.
//! * Unknown keys are passed over, except below a [`Strict`]: there they are errors that name the nearest known key.
//!
//! The known keys are those that serde's derive hands over: no list is kept twice.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_json::{Error, Map, Value};

const STRICT: &str = "Strict";

/// A value in which an unknown key is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transparent))]
#[serde(rename = "Strict")]
pub struct Strict<T>(pub T);

/// A value that does not have the form of its key.
#[derive(Debug, thiserror::Error)]
pub struct InvalidValue {
    /// The key's path: `host.memif.role`.
    pub key: String,
    source: Error,
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.key)
    }
}

/// Reads `value` as a `T`.
///
/// # Errors
/// Names the path of the key that does not fit, and the value.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, InvalidValue> {
    let reader = Reader { value, strict: false };
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let key = error.path().to_string();
        // The text of an error has the value in it.
        let is_secret = key.ends_with("secret");
        let source = if is_secret { Error::custom("is not a string") } else { error.into_inner() };
        InvalidValue { key, source }
    })
}

struct Reader {
    value: Value,
    strict: bool,
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Array(items) => visitor.visit_seq(Items { items: items.into_iter(), strict: self.strict }),
            Value::Object(map) => {
                visitor.visit_map(Entries { entries: map.into_iter(), value: None, strict: self.strict })
            }
            scalar => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(Reader { strict: self.strict || name == STRICT, ..self })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let value = match self.value {
            Value::Object(map) => Value::Object(canonical(map, fields, self.strict)?),
            // Serde would fill the fields in their order.
            Value::Array(_) => return Err(Error::custom("invalid type: sequence, expected an object")),
            other => other,
        };
        Reader { value, ..self }.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Reader {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The object with its keys as `fields` spells them, without what leaves a field unset.
fn canonical(
    map: Map<String, Value>,
    fields: &[&'static str],
    strict: bool,
) -> Result<Map<String, Value>, Error> {
    let mut known = Map::new();
    for (key, value) in map {
        let field = fields.iter().find(|field| field.eq_ignore_ascii_case(&key));
        match field {
            Some(_) if value.is_null() || value == "" => {}
            Some(field) => {
                known.insert((*field).to_owned(), value);
            }
            None if strict => return Err(Error::custom(unknown_key(&key, fields))),
            None => {}
        }
    }
    Ok(known)
}

fn unknown_key(key: &str, fields: &[&'static str]) -> String {
    let lower = key.to_ascii_lowercase();
    let similarity = |field: &str| strsim::jaro_winkler(&lower, &field.to_ascii_lowercase());
    let nearest = fields.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest {
        Some(nearest) if similarity(nearest) > 0.7 => {
            format!("unknown key {key:?}, did you mean {nearest:?}?")
        }
        _ => format!("unknown key {key:?}, the keys here are: {}", fields.join(", ")),
    }
}

struct Items {
    items: std::vec::IntoIter<Value>,
    strict: bool,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let strict = self.strict;
        let next = self.items.next();
        next.map(|value| seed.deserialize(Reader { value, strict })).transpose()
    }
}

struct Entries {
    entries: serde_json::map::IntoIter,
    value: Option<Value>,
    strict: bool,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.value.take().unwrap_or(Value::Null);
        let strict = self.strict;
        seed.deserialize(Reader { value, strict })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::chain;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Outer {
        log_file: Option<String>,
        host: Strict<Inner>,
        list: Vec<Inner>,
        raw: Option<Value>,
    }

    #[derive(Debug, Default, Clone, PartialEq, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Inner {
        mtu: Option<u16>,
        rx_queues: Option<u8>,
    }

    fn check(input: Value, expected: Result<Outer, &str>) {
        match (from_value::<Outer>(input), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert_eq!(chain(&found), expected),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn keys_are_matched_without_case() {
        let host = Strict(Inner { mtu: Some(9), rx_queues: Some(2) });
        check(
            json!({"LogFile": "x", "HOST": {"MTU": 9, "rxqueues": 2}}),
            Ok(Outer { log_file: Some("x".to_owned()), host, ..Outer::default() }),
        );
    }

    #[test]
    fn null_and_empty_leave_a_field_unset() {
        let input = json!({"logFile": "", "host": null, "list": null, "raw": null});
        check(input, Ok(Outer::default()));
    }

    #[test]
    fn unknown_keys_are_errors_in_strict_values_only() {
        check(
            json!({"foo": 1, "list": [{"foo": 2}]}),
            Ok(Outer { list: vec![Inner::default()], ..Outer::default() }),
        );
        check(
            json!({"host": {"rxQueue": 1}}),
            Err("\"host\": unknown key \"rxQueue\", did you mean \"rxQueues\"?"),
        );
        check(
            json!({"host": {"zzz": 1}}),
            Err("\"host\": unknown key \"zzz\", the keys here are: mtu, rxQueues"),
        );
    }

    #[test]
    fn a_wrong_type_names_its_key() {
        check(
            json!({"host": {"mtu": "big"}}),
            Err("\"host.mtu\": invalid type: string \"big\", expected u16"),
        );
        check(json!({"host": 7}), Err("\"host\": invalid type: integer `7`, expected struct Inner"));
    }

    #[test]
    fn raw_values_keep_their_keys() {
        let raw = json!({"SubNet": "", "a": null});
        check(json!({"raw": raw}), Ok(Outer { raw: Some(raw.clone()), ..Outer::default() }));
    }
}
