//! The program in the container: the real binary beside a VPP or an Open vSwitch of the container's own. What needs packets needs the
//! real VPP.

mod commands;
mod cross;
mod documents;
pub(crate) mod eal;
mod health;
mod life;
mod orders;
mod support;
