//! Readers over AMQP, cut at random, of a hub that is killed twice while devices send: every sequence number once and
//! without a gap, every acknowledged message, none twice that was not sent twice, and the first copies in order.

use std::path::Path;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::device::KEY;
use crate::dice::Dice;
use crate::events::{self, PARTITIONS};
use crate::hub_process::{Home, Hub};
use crate::reader::Reader;
use crate::service::Dead;
use crate::telemetry::{Shape, Telemetry};

const DEVICES: usize = 8;
/// The hub is killed at the end of each life.
const LIVES: u64 = 3;

struct Run {
    home: Home,
    telemetry: Vec<Telemetry>,
    readers: Vec<Reader>,
    /// Events that the readers have seen, all together.
    seen: watch::Sender<u64>,
    /// Events of each partition that belong to lives which have been compared.
    compared: [usize; PARTITIONS],
}

/// Goes on until so many events were seen; returns a line about it.
pub(crate) async fn run(directory: &Path, events: u64, mut dice: Dice) -> String {
    let shape = Shape {
        window: 64,
        body_bytes: 400,
        messages: u64::MAX / 2,
    };
    let devices: Vec<String> = (0..DEVICES).map(|number| format!("sensor-{number}")).collect();
    let device = |id: &String| format!("[[device]]\nid = \"{id}\"\nauthentication = {{ primary-key = \"{KEY}\" }}\n");
    let seen = watch::Sender::new(0);
    let reader = |partition| Reader::new(partition, dice.fork(), seen.clone());
    let readers = (0..).take(PARTITIONS).map(reader).collect();
    let mut run = Run {
        home: Home::new(directory, &devices.iter().map(device).collect::<String>()),
        telemetry: devices.into_iter().map(|id| Telemetry::new(id, shape)).collect(),
        readers,
        seen,
        compared: [0; PARTITIONS],
    };
    for life in 1..=LIVES {
        run.live(events * life / LIVES + dice.below(100)).await;
    }
    let process = run.home.start().await;
    run.compare(&process.hub).await.expect("the hub lives");
    process.kill();
    run.summary()
}

impl Run {
    /// One hub, from its start to its death.
    async fn live(&mut self, events: u64) {
        let process = self.home.start().await;
        self.compare(&process.hub).await.expect("the hub lives");
        let readers = self.readers.drain(..);
        let readers: Vec<_> = readers
            .map(|reader| tokio::spawn(reader.read_until_dead(process.hub.clone())))
            .collect();
        let telemetry = self.telemetry.drain(..);
        let telemetry: Vec<_> = telemetry
            .map(|telemetry| tokio::spawn(telemetry.load(process.hub.clone())))
            .collect();
        let enough = self.seen.subscribe().wait_for(|seen| *seen >= events).await.map(drop);
        enough.expect("the counter is there");
        process.kill();
        self.readers = all(readers).await;
        self.telemetry = all(telemetry).await;
    }

    /// Reads what the last life has left, and holds it against the ledgers of the devices.
    async fn compare(&mut self, hub: &Hub) -> Result<(), Dead> {
        let mut caller = hub.service.connect().await?;
        let mut own = Vec::new();
        for (reader, compared) in self.readers.iter_mut().zip(&mut self.compared) {
            let left = events::read(&mut caller, reader.partition(), &reader.next().to_string()).await?;
            reader.read_up_to(hub, reader.next() + left.len() as u64).await?;
            own.extend(reader.events.iter().skip(*compared).cloned());
            *compared = reader.events.len();
        }
        self.telemetry.iter_mut().for_each(|telemetry| telemetry.check(&own));
        Ok(())
    }

    fn summary(&self) -> String {
        let events: usize = self.compared.iter().sum();
        let cuts: u64 = self.readers.iter().map(|reader| reader.cuts).sum();
        let counts: Vec<(u64, u64)> = self.telemetry.iter().map(Telemetry::counts).collect();
        let acknowledged: u64 = counts.iter().map(|counts| counts.0).sum();
        let twice: u64 = counts.iter().map(|counts| counts.1).sum();
        format!(
            "{events} events seen once each over {cuts} cuts and {LIVES} kills: {acknowledged} acknowledged messages, \
             {twice} of them sent again and twice in the log"
        )
    }
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut back = Vec::with_capacity(tasks.len());
    for task in tasks {
        back.push(task.await.unwrap());
    }
    back
}
