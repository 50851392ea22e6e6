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
    /// The filter that asks for it, as the SDKs write it: the other direction of [`DeviceTopics::subscription`].
    /// `None` for what this identity cannot have, such as cloud-to-device messages of a module.
    pub fn filter(&self, subscription: Subscription) -> Option<String> {
        match subscription {
            Subscription::C2d => (self.module().is_none()).then(|| format!("{}/messages/devicebound/#", self.device())),
            Subscription::TwinResponses => Some("$iothub/twin/res/#".to_owned()),
            Subscription::Desired => Some("$iothub/twin/PATCH/properties/desired/#".to_owned()),
            Subscription::Methods => Some("$iothub/methods/POST/#".to_owned()),
            Subscription::Silent => None,
        }
    }

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
    fn filters_are_read_back() {
        use Subscription::{C2d, Desired, Methods, Silent, TwinResponses};
        let device = DeviceTopics::new(&IdentityId::parse("d").unwrap());
        for subscription in [C2d, TwinResponses, Desired, Methods] {
            let filter = device.filter(subscription).unwrap();
            assert_eq!(device.subscription(&filter), Some(subscription), "{filter}");
        }
        let module = DeviceTopics::new(&IdentityId::parse("d/m").unwrap());
        assert_eq!((module.filter(C2d), device.filter(Silent)), (None, None));
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
