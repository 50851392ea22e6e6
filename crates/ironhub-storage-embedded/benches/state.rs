//! Speed of the state store: durable swaps of twins by many at once, and reads.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
#![expect(clippy::indexing_slicing, reason = "as above")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ironhub_hub::ports::{Commit, Expect, Key, Rev, StateStore, Table};
use ironhub_storage_embedded::{DataDir, SqliteState, StateOptions};
use tokio::runtime::Runtime;

/// A twin of usual size.
const TWIN_BYTES: usize = 1500;
/// More twins than committers, so that reads do not find one page only.
const TWINS: usize = 10_000;
/// Swaps or reads that each task makes in one measured round.
const ROUND: usize = 20;

struct Bench {
    runtime: Runtime,
    store: Arc<SqliteState>,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(&directory.path().join("data")).unwrap();
        let store = Arc::new(SqliteState::open(&data, &StateOptions::default()).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let fill = Arc::clone(&store);
        runtime.block_on(async move {
            for first in (0..TWINS).step_by(500) {
                let commit = (first..first + 500).fold(Commit::new(), |commit, n| {
                    commit.put(Table::Twins, key(n), Expect::Absent, twin())
                });
                fill.commit(commit).await.unwrap();
            }
        });
        Self {
            runtime,
            store,
            _directory: directory,
        }
    }

    /// Runs tasks at once, each over twins of its own.
    fn run<T: Future<Output = ()> + Send + 'static>(&self, tasks: usize, work: fn(Arc<SqliteState>, usize) -> T) {
        self.runtime.block_on(async {
            let tasks: Vec<_> = (0..tasks)
                .map(|n| tokio::spawn(work(Arc::clone(&self.store), n)))
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}

fn key(n: usize) -> Key {
    Key::new(format!("device-{n:08}"))
}

/// Spreads what is used at once over the whole table, in whatever order it is laid out.
fn scattered(n: usize) -> Key {
    key(n.wrapping_mul(7919) % TWINS)
}

fn twin() -> Vec<u8> {
    vec![b'x'; TWIN_BYTES]
}

/// Load, compare and swap, as an update of a twin does, with the event that it causes left out.
async fn swap(store: Arc<SqliteState>, task: usize) {
    let key = scattered(task);
    let mut rev: Rev = store.get(Table::Twins, &key).await.unwrap().unwrap().1;
    for _ in 0..ROUND {
        let commit = Commit::new().put(Table::Twins, key.clone(), Expect::At(rev), twin());
        rev = store.commit(commit).await.unwrap()[0].unwrap();
    }
}

async fn get(store: Arc<SqliteState>, task: usize) {
    for n in 0..ROUND {
        black_box(store.get(Table::Twins, &scattered(task * ROUND + n)).await.unwrap());
    }
}

fn twins(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("twin_cas");
    group.sample_size(10);
    for tasks in [1, 64, 256] {
        group.throughput(Throughput::Elements((tasks * ROUND) as u64));
        group.bench_function(BenchmarkId::from_parameter(tasks), |b| {
            b.iter(|| bench.run(tasks, swap));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("twin_get");
    for tasks in [1, 64] {
        group.throughput(Throughput::Elements((tasks * ROUND) as u64));
        group.bench_function(BenchmarkId::from_parameter(tasks), |b| b.iter(|| bench.run(tasks, get)));
    }
    group.finish();
}

criterion_group!(benches, twins);
criterion_main!(benches);
