//! A transaction and its reply (RFC 7047, sections 4.1.3 and 5.2).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Error, Row, Uuid, error::Refused};

/// Operations that are carried out all, in their order, or not at all.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    operations: Vec<Value>,
}

/// The place of an operation in its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step(usize);

/// How an inserted row is known.
#[derive(Debug, Clone)]
pub enum Id<'a> {
    /// By a name (letters, digits, `_`) within the transaction; the server gives the identity.
    Named(&'a str),
    /// By an identity that the client has chosen (from Open vSwitch 2.16 on).
    Chosen(&'a Uuid),
}

/// What a wait waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The rows are those.
    Equal,
    /// They are others.
    NotEqual,
}

/// The rows whose column is `value`.
pub fn equal(column: &str, value: impl Into<Value>) -> Value {
    json!([column, "==", value.into()])
}

/// The rows whose column holds `value` among others.
pub fn includes(column: &str, value: impl Into<Value>) -> Value {
    json!([column, "includes", value.into()])
}

impl Transaction {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads columns of the rows that meet all conditions.
    pub fn select(&mut self, table: &str, conditions: &[Value], columns: &[&str]) -> Step {
        self.push(json!({"op": "select", "table": table, "where": conditions, "columns": columns}))
    }

    /// Makes a row. In other operations it is referred to by [`Self::reference`].
    pub fn insert(&mut self, table: &str, id: Id<'_>, row: Map<String, Value>) -> Step {
        let mut operation = json!({"op": "insert", "table": table, "row": row});
        match id {
            Id::Named(name) => operation["uuid-name"] = json!(name),
            Id::Chosen(uuid) => operation["uuid"] = json!(uuid.to_string()),
        }
        self.push(operation)
    }

    /// A reference to a row that this transaction makes.
    pub fn reference(id: &Id<'_>) -> Value {
        match id {
            Id::Named(name) => json!(["named-uuid", name]),
            Id::Chosen(uuid) => Value::from(*uuid),
        }
    }

    /// Replaces columns.
    pub fn update(&mut self, table: &str, conditions: &[Value], row: Map<String, Value>) -> Step {
        self.push(json!({"op": "update", "table": table, "where": conditions, "row": row}))
    }

    /// Changes a column without reading it first: `mutator` is `insert`, `delete` or `+=`.
    pub fn mutate(
        &mut self,
        table: &str,
        conditions: &[Value],
        (column, mutator, value): (&str, &str, Value),
    ) -> Step {
        let mutations = json!([[column, mutator, value]]);
        self.push(json!({"op": "mutate", "table": table, "where": conditions, "mutations": mutations}))
    }

    /// Removes rows.
    pub fn delete(&mut self, table: &str, conditions: &[Value]) -> Step {
        self.push(json!({"op": "delete", "table": table, "where": conditions}))
    }

    /// Goes on when the columns of the rows that meet the conditions are `rows`, or are others; fails when they are not in time. With
    /// a limit of zero it is a condition of the transaction.
    pub fn wait(
        &mut self,
        table: &str,
        conditions: &[Value],
        columns: &[&str],
        (until, rows): (Until, Value),
        limit: Duration,
    ) -> Step {
        let until = match until {
            Until::Equal => "==",
            Until::NotEqual => "!=",
        };
        self.push(
            json!({"op": "wait", "table": table, "where": conditions, "columns": columns, "until": until,
            "rows": rows, "timeout": u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)}),
        )
    }

    fn push(&mut self, operation: Value) -> Step {
        self.operations.push(operation);
        Step(self.operations.len() - 1)
    }

    pub(super) fn params(&self, database: &str) -> Value {
        let mut params = vec![json!(database)];
        params.extend(self.operations.iter().cloned());
        Value::Array(params)
    }

    /// Each operation as `insert Port`, for messages: its values may be secret.
    pub(super) fn names(&self) -> Vec<String> {
        let text = |operation: &Value, key: &str| operation[key].as_str().unwrap_or_default().to_owned();
        self.operations.iter().map(|one| format!("{} {}", text(one, "op"), text(one, "table"))).collect()
    }
}

/// The answers to all operations of a transaction that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    names: Vec<String>,
    results: Vec<Value>,
}

impl Reply {
    /// Checks every element. A failed operation leaves an error in its place and null behind it; a failed commit one more element
    /// than there were operations.
    pub(super) fn new(names: Vec<String>, result: Value) -> Result<Self, Error> {
        let Value::Array(results) = result else {
            return Err(Error::unexpected("a transaction", result));
        };
        for (step, result) in results.iter().enumerate() {
            if let Some(error) = result.get("error").and_then(Value::as_str) {
                let details = result.get("details").and_then(Value::as_str).unwrap_or_default();
                let operation = names.get(step).cloned();
                return Err(Error::Refused(Refused {
                    step: operation.is_some().then_some(step),
                    operation: operation.unwrap_or_else(|| "to commit".to_owned()),
                    error: error.to_owned(),
                    details: details.to_owned(),
                }));
            }
        }
        if results.len() < names.len() || results.iter().any(|result| !result.is_object()) {
            return Err(Error::unexpected(format!("{} operations", names.len()), Value::Array(results)));
        }
        Ok(Self { names, results })
    }

    /// The rows of a select.
    ///
    /// # Errors
    /// When the step was no select.
    pub fn rows(&self, step: Step) -> Result<Vec<Row>, Error> {
        let (name, result) = self.at(step)?;
        let table = name.split(' ').next_back().unwrap_or_default();
        match result.get("rows").and_then(Value::as_array) {
            Some(rows) => rows.iter().map(|row| Row::new(table, row.clone())).collect(),
            None => Err(Error::unexpected(name, result)),
        }
    }

    /// The one row of a select by name, if there is one.
    ///
    /// # Errors
    /// When the step was no select.
    pub fn row(&self, step: Step) -> Result<Option<Row>, Error> {
        self.rows(step).map(|rows| rows.into_iter().next())
    }

    /// How many rows an update, a mutate or a delete met.
    ///
    /// # Errors
    /// When the step was something else.
    pub fn count(&self, step: Step) -> Result<u64, Error> {
        let (name, result) = self.at(step)?;
        result.get("count").and_then(Value::as_u64).ok_or_else(|| Error::unexpected(name, result))
    }

    /// The identity of an inserted row.
    ///
    /// # Errors
    /// When the step was no insert.
    pub fn uuid(&self, step: Step) -> Result<Uuid, Error> {
        let (name, result) = self.at(step)?;
        let text = result.pointer("/uuid/1").and_then(Value::as_str);
        text.ok_or_else(|| Error::unexpected(name, result))?.parse()
    }

    fn at(&self, Step(at): Step) -> Result<(&str, &Value), Error> {
        match (self.names.get(at), self.results.get(at)) {
            (Some(name), Some(result)) => Ok((name, result)),
            _ => Err(Error::unexpected("a transaction", format!("no operation {at}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    fn refused(names_of: &[&str], result: Value) -> Refused {
        match Reply::new(names(names_of), result) {
            Err(Error::Refused(refused)) => refused,
            other => panic!("{other:?}"),
        }
    }

    // The replies are ovsdb-server 3.1's.
    #[test]
    fn every_element_is_checked() {
        let wait = json!([{"error": "timed out", "details": "\"wait\" timed out"}, null, null]);
        let found = refused(&["wait Bridge", "insert Port", "mutate Bridge"], wait);
        assert_eq!((found.step, found.operation.as_str()), (Some(0), "wait Bridge"));
        assert!(Error::Refused(found).is_wait_timed_out());

        let details = "Transaction causes multiple rows in \"Port\" table to have identical values (p) for index on column \"name\".";
        let commit = json!([{"uuid": ["uuid", "0a1b2c3d-0a1b-4c3d-8a1b-0a1b2c3d4e5f"]},
            {"error": "constraint violation", "details": details}]);
        let found = refused(&["insert Port"], commit);
        assert_eq!((found.step, found.operation.as_str()), (None, "to commit"));
        assert!(found.to_string().contains("identical values"), "{found}");
        assert!(Error::Refused(found).is_constraint_violation());
    }

    #[test]
    fn results_have_their_types() {
        let id = "0a1b2c3d-0a1b-4c3d-8a1b-0a1b2c3d4e5f";
        let result = json!([{"rows": [{"name": "p"}]}, {"uuid": ["uuid", id]}, {"count": 1}, {}]);
        let reply =
            Reply::new(names(&["select Port", "insert Port", "mutate Bridge", "wait Bridge"]), result)
                .unwrap();
        assert_eq!(reply.row(Step(0)).unwrap().unwrap().string("name").unwrap(), "p");
        assert_eq!(reply.uuid(Step(1)).unwrap().to_string(), id);
        assert_eq!(reply.count(Step(2)).unwrap(), 1);
        assert!(
            reply.rows(Step(1)).is_err() && reply.count(Step(3)).is_err() && reply.rows(Step(9)).is_err()
        );
        for broken in [json!({}), json!([]), json!([null, null, null, null])] {
            let names = names(&["select Port", "insert Port", "mutate Bridge", "wait Bridge"]);
            assert!(matches!(Reply::new(names, broken), Err(Error::Unexpected { .. })));
        }
    }

    #[test]
    fn operations_are_written_as_the_rfc_says() {
        let mut transaction = Transaction::new();
        let row: Map<String, Value> = [("name".to_owned(), json!("p"))].into_iter().collect();
        transaction.insert("Port", Id::Named("port"), row);
        transaction.mutate(
            "Bridge",
            &[equal("name", "br0")],
            ("ports", "insert", Transaction::reference(&Id::Named("port"))),
        );
        transaction.wait("Bridge", &[], &["name"], (Until::Equal, json!([])), Duration::ZERO);
        let expected = json!(["db",
            {"op": "insert", "table": "Port", "row": {"name": "p"}, "uuid-name": "port"},
            {"op": "mutate", "table": "Bridge", "where": [["name", "==", "br0"]],
                "mutations": [["ports", "insert", ["named-uuid", "port"]]]},
            {"op": "wait", "table": "Bridge", "where": [], "columns": ["name"], "until": "==", "rows": [], "timeout": 0}]);
        assert_eq!(transaction.params("db"), expected);
    }
}
