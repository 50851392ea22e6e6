//! Reading a request's body within its limits.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use ironhub_model::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_BODY_WAIT_MAX};
use tokio::time::timeout;

use super::refusal::Refusal;

/// The whole body, at most `bytes_max`, sent in time.
///
/// Of a body that is too long the rest is read and dropped where that is bearable: a client that is cut off while it
/// sends sees a broken connection instead of its answer. `is_asking` tells that it waits for permission to send.
pub(super) async fn read(mut body: Body, bytes_max: usize, is_asking: bool) -> Result<Bytes, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let is_bearable = announced <= REQUEST_BODY_BYTES_MAX && !is_asking;
    if announced > bytes_max && !is_bearable {
        return Err(Refusal::BodyTooLarge { bytes_max });
    }
    let reading = collect(&mut body, bytes_max);
    timeout(REQUEST_BODY_WAIT_MAX, reading)
        .await
        .unwrap_or(Err(Refusal::BodyTooSlow))
}

async fn collect(body: &mut Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let mut collected = BytesMut::new();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else {
            continue;
        };
        received += data.len();
        if received > REQUEST_BODY_BYTES_MAX {
            break;
        }
        if received <= bytes_max {
            collected.extend_from_slice(&data);
        } else {
            collected = BytesMut::new();
        }
    }
    if received > bytes_max {
        return Err(Refusal::BodyTooLarge { bytes_max });
    }
    Ok(collected.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn limits() {
        for (len, bytes_max, is_asking, expected) in [
            (0, 4, false, Some(0)),
            (4, 4, false, Some(4)),
            (4, 4, true, Some(4)),
            (5, 4, false, None),
            (5, 4, true, None),
            (
                REQUEST_BODY_BYTES_MAX,
                REQUEST_BODY_BYTES_MAX,
                false,
                Some(REQUEST_BODY_BYTES_MAX),
            ),
            (REQUEST_BODY_BYTES_MAX + 1, REQUEST_BODY_BYTES_MAX, false, None),
        ] {
            let read = read(Body::from(vec![0; len]), bytes_max, is_asking).await;
            match (read, expected) {
                (Ok(bytes), Some(expected)) => assert_eq!(bytes.len(), expected),
                (Err(Refusal::BodyTooLarge { bytes_max: told }), None) => assert_eq!(told, bytes_max),
                (other, _) => panic!("{len} of {bytes_max}: {other:?}"),
            }
        }
    }
}
