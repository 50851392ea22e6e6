//! Metrics in Prometheus's text form. One recorder per process: hubs of one process share it.

mod table;

use std::sync::OnceLock;

use ironhub_storage_embedded::log::{Log, LogStats};
use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

pub use table::{CHAPTERS, Chapter, Kind, Label, Metric};

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts recording. A program that has a recorder of its own keeps it.
pub(crate) fn install() {
    RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new().install_recorder().ok();
        CHAPTERS.iter().flat_map(|chapter| chapter.metrics).for_each(introduce);
        recorder
    });
}

/// Explains a metric, and shows its counters at 0 where their names are known: what is missing cannot rise, and the
/// first failure would alarm nobody.
fn introduce(metric: &Metric) {
    match metric.kind {
        Kind::Counter => describe_counter!(metric.name, metric.help),
        Kind::Gauge => return describe_gauge!(metric.name, metric.help),
    }
    match metric.labels {
        [] => counter!(metric.name).increment(0),
        [label] if label.others.is_none() => {
            for value in label.values() {
                counter!(metric.name, label.name => value).increment(0);
            }
        }
        _ => {}
    }
}

/// All metrics as text, those of the event log as they are now.
pub(crate) fn render(log: &Log) -> String {
    record(&log.stats());
    RECORDER
        .get()
        .and_then(Option::as_ref)
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

fn record(log: &LogStats) {
    counter!("ironhub_log_records_total").absolute(log.records);
    counter!("ironhub_log_batches_total").absolute(log.batches);
    counter!("ironhub_log_bytes_total").absolute(log.bytes);
    counter!("ironhub_log_syncs_total").absolute(log.syncs);
    let sync_us = u64::try_from(log.sync_time.as_micros()).unwrap_or(u64::MAX);
    counter!("ironhub_log_sync_microseconds_total").absolute(sync_us);
    counter!("ironhub_log_slow_syncs_total").absolute(log.slow_syncs);
    gauge!("ironhub_log_inbox_records").set(float(log.inbox_records));
    gauge!("ironhub_log_unsealed_segments").set(float(log.unsealed_segments));
    gauge!("ironhub_log_sealed_files").set(float(log.sealed_files));
    gauge!("ironhub_log_sealed_bytes").set(float(log.sealed_bytes));
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus's values are of this type")]
fn float(count: u64) -> f64 {
    count as f64
}
