//! Numbers over the registry.

use ironhub_model::registry::DeviceStatistics;
use serde::Serialize;

use crate::https::error::print;

#[derive(Serialize)]
struct DevicesBody {
    #[serde(rename = "totalDeviceCount")]
    total: u64,
    #[serde(rename = "enabledDeviceCount")]
    enabled: u64,
    #[serde(rename = "disabledDeviceCount")]
    disabled: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceBody {
    connected_device_count: u64,
}

/// The answer of `GET /statistics/devices`.
pub fn device_statistics_json(statistics: DeviceStatistics) -> String {
    print(&DevicesBody {
        total: statistics.total,
        enabled: statistics.enabled,
        disabled: statistics.disabled,
    })
}

/// The answer of `GET /statistics/service`.
pub fn service_statistics_json(connected: u64) -> String {
    print(&ServiceBody {
        connected_device_count: connected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_service() {
        let statistics = DeviceStatistics {
            total: 3,
            enabled: 2,
            disabled: 1,
        };
        assert_eq!(
            device_statistics_json(statistics),
            r#"{"totalDeviceCount":3,"enabledDeviceCount":2,"disabledDeviceCount":1}"#
        );
        assert_eq!(service_statistics_json(7), r#"{"connectedDeviceCount":7}"#);
    }
}
