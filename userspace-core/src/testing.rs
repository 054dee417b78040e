//! For tests: an in-memory vswitch with a fuse, samples of the documents, and the suites that every engine and every store must pass.

pub mod conformance;
pub mod fake;
pub mod halves;
pub mod plans;
pub mod stores;
