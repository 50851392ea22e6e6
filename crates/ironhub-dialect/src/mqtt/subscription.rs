//! What a device may subscribe to.

use super::topic::DeviceTopics;

/// What a topic filter asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// Cloud-to-device messages.
    C2d,
    /// Answers to twin requests.
    TwinResponses,
    /// Notices of changed desired properties.
    Desired,
    /// Direct methods.
    Methods,
    /// Something legal that the hub never publishes to: inputs of a module, C2D of a module.
    Silent,
}

impl DeviceTopics {
    /// What this filter asks for; `None` for what is not the identity's to hear, which SUBACK answers with 0x80.
    ///
    /// Clients written by hand leave the `/#` out, or narrow it (`$iothub/methods/POST/reboot/#`).
    pub fn subscription(&self, filter: &str) -> Option<Subscription> {
        let beneath = |root: &str| {
            filter
                .strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if let Some(module) = self.module() {
            if beneath(module) {
                return Some(Subscription::Silent);
            }
        } else if beneath(&format!("{}/messages/devicebound", self.device()))
            || filter == format!("{}/messages/#", self.device())
        {
            return Some(Subscription::C2d);
        }
        let roots = [
            ("$iothub/twin/res", Subscription::TwinResponses),
            ("$iothub/twin/PATCH/properties/desired", Subscription::Desired),
            ("$iothub/methods/POST", Subscription::Methods),
        ];
        roots
            .into_iter()
            .find(|(root, _)| beneath(root))
            .map(|(_, subscription)| subscription)
    }
}

#[cfg(test)]
mod tests {
    use ironhub_model::IdentityId;

    use super::*;

    #[track_caller]
    fn check(id: &str, filter: &str, expected: Option<Subscription>) {
        let topics = DeviceTopics::new(&IdentityId::parse(id).unwrap());
        assert_eq!(topics.subscription(filter), expected, "{filter}");
    }

    #[test]
    fn filters_of_the_sdks_and_of_hand_written_clients() {
        use Subscription::{C2d, Desired, Methods, Silent, TwinResponses};
        check("d", "devices/d/messages/devicebound/#", Some(C2d));
        check("d", "devices/d/messages/devicebound", Some(C2d));
        check("d", "devices/d/messages/#", Some(C2d));
        check("d", "$iothub/twin/res/#", Some(TwinResponses));
        check("d", "$iothub/twin/res/200/#", Some(TwinResponses));
        check("d", "$iothub/twin/PATCH/properties/desired/#", Some(Desired));
        check("d", "$iothub/methods/POST/#", Some(Methods));
        check("d", "$iothub/methods/POST/reboot/#", Some(Methods));
        check("d/m", "devices/d/modules/m/inputs/#", Some(Silent));
        check("d/m", "devices/d/modules/m/messages/devicebound/#", Some(Silent));
        check("d/m", "devices/d/modules/m/#", Some(Silent));
        check("d/m", "$iothub/methods/POST/#", Some(Methods));
    }

    #[test]
    fn what_is_not_the_identitys_to_hear() {
        for filter in [
            "#",
            "+/d/messages/devicebound/#",
            "$iothub/#",
            "devices/#",
            "devices/e/messages/devicebound/#",
            "devices/+/messages/devicebound/#",
            "devices/d/messages/devicebound2",
            "devices/d/messages/events/#",
            "devices/d/modules/m/#",
            "$SYS/#",
        ] {
            check("d", filter, None);
        }
        check("d/m", "devices/d/messages/devicebound/#", None);
        check("d/m", "devices/d/modules/n/inputs/#", None);
    }
}
