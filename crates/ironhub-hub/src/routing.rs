//! Which events go to the built-in endpoint, and to which partition.

use ironhub_model::EventSource;

use crate::core::Core;
use crate::ports::Ports;

impl<P: Ports> Core<P> {
    /// Do the routes of this moment take events of this source to the built-in endpoint?
    pub(crate) fn is_routed(&self, source: EventSource) -> bool {
        self.settings.current().is_routed(source)
    }
}
