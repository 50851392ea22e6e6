//! The topic filters of a connection.

use ironhub_dialect::mqtt::subscription::Subscription;
use ironhub_dialect::mqtt::topic::DeviceTopics;
use ironhub_hub::{Features, StoredFilter};
use ironhub_model::limits::SUBSCRIPTIONS_PER_SESSION_MAX;
use ironhub_mqtt::packet::{QoS, SubAckCode, Subscribe};

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    filters: Vec<StoredFilter>,
    c2d_qos: u8,
}

impl Subscriptions {
    /// What was stored in an earlier connection.
    pub(super) fn restored(filters: Vec<StoredFilter>, topics: &DeviceTopics) -> Self {
        let mut restored = Self { filters, c2d_qos: 0 };
        restored.learn_c2d_qos(topics);
        restored
    }

    /// The filters after a SUBSCRIBE, and the codes of its SUBACK. Nothing has changed until [`Subscriptions::replace`].
    ///
    /// A foreign filter, and one beyond the limit, gets 0x80, which the SDKs pass over.
    pub(super) fn with(&self, subscribe: &Subscribe, topics: &DeviceTopics) -> (Vec<StoredFilter>, Vec<SubAckCode>) {
        let mut filters = self.filters.clone();
        let codes = subscribe.subscriptions.iter().map(|wanted| {
            if topics.subscription(&wanted.filter).is_none() {
                return SubAckCode::Failure;
            }
            let code = SubAckCode::grant(wanted.qos);
            let qos = wanted.qos.min(QoS::AtLeastOnce).value();
            if let Some(stored) = filters.iter_mut().find(|stored| stored.filter == wanted.filter) {
                stored.qos = qos;
            } else if filters.len() < SUBSCRIPTIONS_PER_SESSION_MAX {
                filters.push(StoredFilter {
                    filter: wanted.filter.clone(),
                    qos,
                });
            } else {
                return SubAckCode::Failure;
            }
            code
        });
        let codes = codes.collect();
        (filters, codes)
    }

    /// The filters after an UNSUBSCRIBE; they are compared letter by letter [MQTT-3.10.4-1].
    pub(super) fn without(&self, filters: &[String]) -> Vec<StoredFilter> {
        let kept = self.filters.iter().filter(|stored| !filters.contains(&stored.filter));
        kept.cloned().collect()
    }

    /// Takes filters that the hub has stored.
    pub(super) fn replace(&mut self, filters: Vec<StoredFilter>, topics: &DeviceTopics) {
        self.filters = filters;
        self.learn_c2d_qos(topics);
    }

    /// The quality of service that C2D messages are sent with.
    pub(super) fn c2d_qos(&self) -> QoS {
        if self.c2d_qos == 0 {
            QoS::AtMostOnce
        } else {
            QoS::AtLeastOnce
        }
    }

    fn learn_c2d_qos(&mut self, topics: &DeviceTopics) {
        let c2d = self
            .filters
            .iter()
            .filter(|stored| topics.subscription(&stored.filter) == Some(Subscription::C2d));
        self.c2d_qos = c2d.map(|stored| stored.qos).max().unwrap_or(0);
    }
}

/// What filters mean to the hub.
pub(super) fn features(filters: &[StoredFilter], topics: &DeviceTopics) -> Features {
    let mut features = Features::default();
    for stored in filters {
        match topics.subscription(&stored.filter) {
            Some(Subscription::C2d) => features.c2d = true,
            Some(Subscription::Desired) => features.desired = true,
            Some(Subscription::Methods) => features.methods = true,
            // Twin answers are sent to whoever asks: Python asks after a reconnect without being subscribed.
            Some(Subscription::TwinResponses | Subscription::Silent) | None => {}
        }
    }
    features
}

#[cfg(test)]
mod tests {
    use ironhub_model::IdentityId;
    use ironhub_mqtt::packet::{PacketId, Subscription as Wanted};

    use super::*;

    fn topics() -> DeviceTopics {
        DeviceTopics::new(&IdentityId::parse("d").unwrap())
    }

    fn subscribe(filters: &[(&str, QoS)]) -> Subscribe {
        let wanted = filters.iter().map(|(filter, qos)| Wanted {
            filter: (*filter).to_owned(),
            qos: *qos,
        });
        Subscribe {
            packet_id: PacketId::MIN,
            subscriptions: wanted.collect(),
        }
    }

    const C2D: &str = "devices/d/messages/devicebound/#";

    #[test]
    fn granted_refused_and_replaced() {
        let mut subscriptions = Subscriptions::default();
        let wanted = [
            (C2D, QoS::ExactlyOnce),
            ("devices/x/#", QoS::AtMostOnce),
            (C2D, QoS::AtMostOnce),
        ];
        let (filters, codes) = subscriptions.with(&subscribe(&wanted), &topics());
        let granted = [QoS::AtLeastOnce, QoS::AtMostOnce].map(SubAckCode::Granted);
        assert_eq!(codes, [granted[0], SubAckCode::Failure, granted[1]]);
        subscriptions.replace(filters, &topics());
        assert_eq!(subscriptions.filters.len(), 1);
        assert_eq!(subscriptions.c2d_qos(), QoS::AtMostOnce);
        let (filters, _) = subscriptions.with(&subscribe(&[(C2D, QoS::AtLeastOnce)]), &topics());
        assert!(features(&filters, &topics()).c2d);
        subscriptions.replace(filters, &topics());
        assert_eq!(subscriptions.c2d_qos(), QoS::AtLeastOnce);
        assert_eq!(subscriptions.without(&["devices/d/#".into()]).len(), 1);
        assert!(subscriptions.without(&[C2D.into()]).is_empty());
    }

    #[test]
    fn filters_are_bounded() {
        let names: Vec<String> = (0..20).map(|n| format!("$iothub/methods/POST/m{n}/#")).collect();
        let wanted: Vec<_> = names.iter().map(|name| (name.as_str(), QoS::AtMostOnce)).collect();
        let (filters, codes) = Subscriptions::default().with(&subscribe(&wanted), &topics());
        assert_eq!(filters.len(), SUBSCRIPTIONS_PER_SESSION_MAX);
        let refused = codes.iter().filter(|code| **code == SubAckCode::Failure).count();
        assert_eq!(refused, 20 - SUBSCRIPTIONS_PER_SESSION_MAX);
    }
}
