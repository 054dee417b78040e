//! The container's end: finds the halves that the host published, and makes them with the container's engine.
//!
//! Nothing of it is written yet. Reading the published halves is in [`userspace_core::remote::dir::DirView`] already.

pub use userspace_core::remote::RemoteView;
