//! Pods: their volume as the shared directory, and the copies of halves in their annotations, over an API of the tests' own and the fake
//! VPP. (What a real API server does beyond that is not shown here: admission, TLS, RBAC.)

mod faults;
mod gone;
mod parallel;
mod support;
mod volumes;
