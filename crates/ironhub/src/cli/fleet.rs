//! Many devices at once: registered, connected and removed side by side.

use std::future::Future;

use ironhub_client::{Device, Error, Match, ServiceClient};
use ironhub_model::DeviceId;
use ironhub_model::identity::InvalidId;
use tokio::task::JoinSet;

/// Requests to the registry that are under way at once: as many as a client keeps connections for.
const REQUESTS_MAX: usize = 16;
/// Devices that connect at once.
pub(crate) const CONNECTING_MAX: usize = 64;

/// `{prefix}1` to `{prefix}{count}`.
pub(crate) fn ids(prefix: &str, count: usize) -> Result<Vec<DeviceId>, InvalidId> {
    (1..=count)
        .map(|number| DeviceId::parse(&format!("{prefix}{number}")))
        .collect()
}

/// What names of devices can begin with.
pub(crate) fn parse_prefix(text: &str) -> Result<String, InvalidId> {
    ids(text, 1).map(|_| text.to_owned())
}

/// Registers these devices; one that is there is taken as it is. In the order of the IDs.
pub(crate) async fn create(service: &ServiceClient, ids: &[DeviceId]) -> Result<Vec<Device>, Error> {
    let create = |id: DeviceId| {
        let service = service.clone();
        async move {
            match service.create_device(&Device::new(id.clone())).await {
                Err(error) if error.code() == Some(DEVICE_ALREADY_EXISTS) => service.device(&id).await,
                created => created,
            }
        }
    };
    side_by_side(REQUESTS_MAX, ids.iter().cloned().map(create)).await
}

/// Looks these devices up, in the order of the IDs.
pub(crate) async fn find(service: &ServiceClient, ids: &[DeviceId]) -> Result<Vec<Device>, Error> {
    let find = |id: DeviceId| {
        let service = service.clone();
        async move { service.device(&id).await }
    };
    side_by_side(REQUESTS_MAX, ids.iter().cloned().map(find)).await
}

/// Removes these devices as far as they are there; returns how many could not be removed, and why one of them.
pub(crate) async fn remove(service: &ServiceClient, ids: &[DeviceId]) -> Option<(usize, Error)> {
    let remove = |id: DeviceId| {
        let service = service.clone();
        async move {
            match service.delete_device(&id, &Match::Any).await {
                Err(error) if error.code() == Some(DEVICE_NOT_FOUND) => Ok(None),
                outcome => Ok(outcome.err()),
            }
        }
    };
    let outcomes = side_by_side(REQUESTS_MAX, ids.iter().cloned().map(remove)).await;
    let left: Vec<Error> = match outcomes {
        Ok(outcomes) => outcomes.into_iter().flatten().collect(),
        Err(error) => vec![error],
    };
    let count = left.len();
    left.into_iter().next().map(|error| (count, error))
}

pub(crate) const DEVICE_NOT_FOUND: u32 = 404_001;
const DEVICE_ALREADY_EXISTS: u32 = 409_001;

/// Runs these, at most so many at once; their results in order. After a failure no further one begins; of several
/// failures the one that comes first in order is told.
pub(crate) async fn side_by_side<T, F>(most: usize, futures: impl IntoIterator<Item = F>) -> Result<Vec<T>, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let mut waiting = futures.into_iter().enumerate();
    let (mut running, mut done, mut failed) = (JoinSet::new(), Vec::new(), Vec::new());
    loop {
        while failed.is_empty()
            && running.len() < most
            && let Some((place, future)) = waiting.next()
        {
            running.spawn(async move { (place, future.await) });
        }
        match running.join_next().await {
            None => break,
            Some(Ok((place, Ok(value)))) => done.push((place, value)),
            Some(Ok((place, Err(error)))) => failed.push((place, error)),
            Some(Err(panicked)) => return Err(Error::Configuration(panicked.to_string())),
        }
    }
    if let Some((_, error)) = failed.into_iter().min_by_key(|(place, _)| *place) {
        return Err(error);
    }
    done.sort_unstable_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_come_in_order_and_a_failure_ends_the_rest() {
        let slow_first = (0..9_u32).map(|number| async move {
            for _ in number..9 {
                tokio::task::yield_now().await;
            }
            Ok(number)
        });
        assert_eq!(side_by_side(3, slow_first).await, Ok((0..9).collect()));
        let fails = (0..9_u32).map(|number| async move { if number == 4 { Err(Error::Closed) } else { Ok(number) } });
        assert_eq!(side_by_side(2, fails).await, Err(Error::Closed));
    }

    #[test]
    fn devices_are_numbered_from_one() {
        let ids = ids("sim-", 2).unwrap();
        assert_eq!(ids.iter().map(DeviceId::as_str).collect::<Vec<_>>(), ["sim-1", "sim-2"]);
        assert!(super::ids("no spaces ", 1).is_err());
    }
}
