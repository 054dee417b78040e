//! A container that has a VPP of its own, whose half `container-app` makes from what the host published.

use userspace_tests::{App, Container, Flavour, Vpp};

use super::support::OnVpp;

/// See the module.
pub(crate) struct Inner {
    pub(crate) vpp: Vpp,
    pub(crate) app: App,
    pub(crate) container: Container,
}

impl Inner {
    /// A VPP for the container.
    pub(crate) fn start(it: &OnVpp, container: &Container, flavour: Flavour) -> Self {
        let vpp = Vpp::start_another(&container.netns, flavour);
        let app = App::new(container, &it.shared(container)).vpp(&vpp);
        Self { vpp, app, container: container.clone() }
    }
}
