//! For tests: an in-memory vswitch with a fuse, samples of the documents, and the suite that every engine must pass.

pub mod conformance;
pub mod fake;
pub mod halves;
pub mod plans;
