//! How long queries over many devices take: `cargo bench -p ironhub-hub --bench query -- 100000`.
//!
//! Devices have twins of about 1.2 KB. Each figure is the fastest of three runs; CPU is that of the whole process for each
//! device that the query looks at.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::path::Path;
use std::sync::Arc;

use ironhub_hub::ports::{Clock, Ports};
use ironhub_hub::{Hub, HubConfig, Parts};
use ironhub_model::identity::Capabilities;
use ironhub_model::registry::{AuthenticationSpec, BulkItem, ImportMode};
use ironhub_model::{HubSettings, IdentityId};
use ironhub_storage_embedded::disk::MemoryDisk;
use ironhub_storage_embedded::{DataDir, LocalBus, Log, LogOptions, SqliteState, StateOptions};
use ironhub_testkit::FakeClock;
use serde_json::json;
use tokio::time::Instant;

const DEVICES_DEFAULT: usize = 100_000;
const RUNS: usize = 3;
/// Linux counts in these.
const TICK_US: u64 = 10_000;
const QUERIES: [(&str, &str); 5] = [
    ("all, by pages of 1000", "SELECT * FROM devices"),
    ("a tag that none has", "SELECT * FROM devices WHERE tags.plant = 'none'"),
    (
        "a tag of one in a hundred",
        "SELECT deviceId FROM devices WHERE tags.line = 7",
    ),
    (
        "a count by tag",
        "SELECT tags.plant, COUNT() AS devices FROM devices GROUP BY tags.plant",
    ),
    (
        "who is connected",
        "SELECT deviceId FROM devices WHERE connectionState = 'Connected'",
    ),
];

struct BenchPorts;

impl Ports for BenchPorts {
    type State = SqliteState;
    type Log = Log;
    type Bus = LocalBus;
    type Clock = FakeClock;
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok());
    let count = count.unwrap_or(DEVICES_DEFAULT);
    let directory = tempfile::tempdir().unwrap();
    let hub = hub(directory.path()).await;
    let began = Instant::now();
    register(&hub, count).await;
    println!("{count} devices registered in {:.1} s", began.elapsed().as_secs_f64());
    for (what, text) in QUERIES {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let (began, cpu_before) = (Instant::now(), cpu_ticks());
            let rows = run(&hub, text).await;
            runs.push((began.elapsed(), cpu_ticks() - cpu_before, rows));
        }
        let (took, ticks, rows) = runs.into_iter().min().unwrap();
        let cpu_us = ticks * TICK_US / u64::try_from(count).unwrap();
        println!(
            "{what}: {rows} rows in {:.3} s, CPU {cpu_us} us a device",
            took.as_secs_f64()
        );
    }
}

/// User and system time of this process (proc(5): fields 14 and 15 of `stat`).
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, behind_name) = stat.rsplit_once(") ").unwrap();
    let fields = behind_name.split(' ').skip(11).take(2);
    fields.map(|field| field.parse::<u64>().unwrap()).sum()
}

async fn hub(directory: &Path) -> Hub<BenchPorts> {
    let clock = FakeClock::default();
    let data = DataDir::open(&directory.join("data")).unwrap();
    let stamps = clock.clone();
    let options = LogOptions::new(4, Arc::new(move || stamps.now()), Box::new(|_| ()));
    let parts = Parts {
        state: SqliteState::open(&data, &StateOptions::default()).unwrap(),
        log: Log::open(Arc::new(MemoryDisk::default()), Path::new("log"), options.in_memory()).unwrap(),
        bus: LocalBus::new(),
        clock,
    };
    let settings = HubSettings::with_policies(Vec::new());
    let mut config = HubConfig::new("hub", vec!["localhost".into()], settings);
    config.identities_max = u64::MAX;
    Hub::start(config, parts).await.unwrap()
}

async fn register(hub: &Hub<BenchPorts>, count: usize) {
    for first in (0..count).step_by(100) {
        let items = (first..count.min(first + 100)).map(item).collect();
        let result = hub.registry.bulk(items).await.unwrap();
        assert!(result.errors.is_empty(), "{:?}", result.errors);
    }
}

fn item(number: usize) -> BulkItem {
    let tags = json!({ "plant": format!("plant-{}", number % 10), "line": number % 100, "note": "x".repeat(200) });
    let desired = json!({
        "interval": 30,
        "firmware": { "version": "1.2.3", "url": "https://example.test/firmware/1.2.3" },
        "limits": { "low": number % 17, "high": 90 },
        "note": "x".repeat(300),
    });
    BulkItem {
        id: IdentityId::parse(&format!("device-{number:07}")).unwrap(),
        mode: ImportMode::Create,
        etag: None,
        twin_etag: None,
        status: None,
        status_reason: None,
        authentication: AuthenticationSpec::default(),
        capabilities: Capabilities::default(),
        device_scope: None,
        parent_scopes: Vec::new(),
        managed_by: None,
        tags: Some(tags),
        desired: Some(desired),
    }
}

/// All pages of a query.
async fn run(hub: &Hub<BenchPorts>, text: &str) -> usize {
    let (mut rows, mut continuation) = (0, None);
    loop {
        let page = hub.query.run(text, 1000, continuation.as_deref()).await.unwrap();
        rows += page.rows.len();
        continuation = page.continuation;
        if continuation.is_none() {
            return rows;
        }
    }
}
