//! What the engine does to a real kernel. Each test has a host and a container namespace of its own; needs root.

// A test's helper may panic as a test does.
#![allow(clippy::unwrap_used)]

mod support;

mod announcing;
mod assigning;
mod bridges;
mod conformance;
mod finding;
mod kinds;
mod observing;
