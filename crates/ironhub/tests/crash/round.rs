//! A run: start, compare, load, kill, and over again.

use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::c2d::{C2d, Way};
use crate::device::KEY;
use crate::dice::Dice;
use crate::events::{Event, EventBook};
use crate::hub_process::{Home, Hub, HubProcess};
use crate::registry::Registry;
use crate::service::{Caller, Dead};
use crate::subscription::Subscriber;
use crate::telemetry::{Shape, Telemetry};
use crate::twin::Twin;

const SMALL: Shape = Shape {
    window: 64,
    body_bytes: 400,
    messages: 1000,
};
/// Fills journal segments, so that hubs also die while they seal and with sealed files.
const LARGE: Shape = Shape {
    window: 16,
    body_bytes: 180_000,
    messages: 150,
};
/// On average half of the largest body each: nearly a segment.
const FILL_MESSAGES: u64 = 80;
const LIFE_MAX_US: u64 = 900_000;
const END_OF_LOADS_MAX: Duration = Duration::from_secs(30);
/// One hub in so many dies right after SUBACK.
const SUBACK_ROUNDS: u64 = 4;
/// Events of twins and of the registry reach the log after the answer: a restarted hub has so long to catch up.
const CATCH_UP_MAX: Duration = Duration::from_secs(30);
const CATCH_UP_PAUSE: Duration = Duration::from_millis(5);
/// Journals on disk: the active one, and one that is being sealed (`UNSEALED_SEGMENTS_MAX` of the storage crate).
const JOURNALS_MAX: usize = 2;

/// Everything that outlives a hub.
pub(crate) struct Run {
    home: Home,
    dice: Dice,
    telemetry: Vec<Telemetry>,
    twins: Vec<Twin>,
    registries: Vec<Registry>,
    queues: Vec<C2d>,
    subscriber: Option<Subscriber>,
    subscribers: Vec<Subscriber>,
    book: EventBook,
    subscriber_events: Vec<Event>,
    start_ms: Vec<u128>,
}

impl Run {
    pub(crate) fn new(directory: &Path, dice: Dice) -> Self {
        let mut telemetry: Vec<_> = (0..4)
            .map(|number| Telemetry::new(format!("sensor-{number}"), SMALL))
            .collect();
        telemetry.push(Telemetry::new("camera", LARGE));
        let twins: Vec<_> = (0..2).map(|number| Twin::new(format!("twin-{number}"))).collect();
        let queues = vec![C2d::new("queue-mqtt", Way::Mqtt), C2d::new("queue-https", Way::Https)];
        let devices = telemetry.iter().map(Telemetry::device);
        let devices = devices
            .chain(twins.iter().map(Twin::device))
            .chain(queues.iter().map(C2d::device));
        Self {
            home: Home::new(directory, &seed(devices)),
            dice,
            telemetry,
            twins,
            registries: vec![Registry::new("red"), Registry::new("blue")],
            queues,
            subscriber: None,
            subscribers: Vec::new(),
            book: EventBook::default(),
            subscriber_events: Vec::new(),
            start_ms: Vec::new(),
        }
    }

    /// Starts the hub, compares, loads it, kills it. Returns a line about it.
    pub(crate) async fn round(&mut self, round: u32) -> String {
        let stillborn = (self.dice.below(4) == 0).then(|| self.home.stillborn(&mut self.dice));
        let process = self.start().await;
        self.compare(&process.hub).await.expect("the hub lives");
        if round == 1 {
            self.fill(&process.hub).await.expect("the hub lives");
        }
        let (loads, lived) = self.load(&process.hub, round).await.expect("the hub lives");
        let log = process.kill();
        assert!(!log.contains(" ERROR "), "{log}");
        let back = timeout(END_OF_LOADS_MAX, self.take_back(loads)).await;
        back.expect("a load outlives its hub");
        let (journals, sealed) = (self.home.log_files("journal-"), self.home.log_files("p"));
        assert!(journals <= JOURNALS_MAX, "{journals} journals");
        let started = self.start_ms.last().copied().unwrap_or_default();
        let earlier = stillborn.map(|lifetime| format!(", after one that died in {lifetime:?}"));
        let (earlier, events) = (earlier.unwrap_or_default(), self.book.len());
        format!("start {started} ms{earlier}; {events} events; killed after {lived:?} with {journals} + {sealed} files")
    }

    /// Receives what still waits, stops the hub in good order, and compares all that ever was once more.
    pub(crate) async fn finish(&mut self) -> String {
        let process = self.start().await;
        self.compare(&process.hub).await.expect("the hub lives");
        self.drain(&process.hub).await.expect("the hub lives");
        assert!(process.stop().await.success());
        let process = self.start().await;
        self.compare(&process.hub).await.expect("the hub lives");
        let mut caller = process.hub.service.connect().await.expect("the hub lives");
        self.book.compare(&mut caller).await.expect("the hub lives");
        for subscriber in &self.subscribers {
            subscriber.check_events(&self.subscriber_events);
        }
        process.kill();
        self.summary()
    }

    async fn start(&mut self) -> HubProcess {
        let process = self.home.start().await;
        self.start_ms.push(process.hub.started_in.as_millis());
        process
    }

    /// Holds what the hub says against the ledgers.
    async fn compare(&mut self, hub: &Hub) -> Result<(), Dead> {
        let mut caller = hub.service.connect().await?;
        let mut expected = 0;
        for twin in &mut self.twins {
            expected += twin.look(&mut caller).await?;
        }
        for registry in &mut self.registries {
            expected += registry.look(&mut caller).await?;
        }
        let catching_up = timeout(CATCH_UP_MAX, self.catch_up(&mut caller, expected)).await;
        let events = catching_up.unwrap_or_else(|_| panic!("{expected} events have not come"))?;
        self.telemetry.iter_mut().for_each(|telemetry| telemetry.check(&events));
        self.twins.iter_mut().for_each(|twin| twin.check(&events));
        self.registries.iter_mut().for_each(|registry| registry.check(&events));
        self.subscriber_events
            .extend(events.into_iter().filter(Subscriber::is_told_by));
        for queue in &mut self.queues {
            queue.check(&mut caller).await?;
        }
        if let Some(subscriber) = self.subscriber.take() {
            subscriber.check(hub, &mut caller).await?;
            self.subscribers.push(subscriber);
        }
        Ok(())
    }

    /// Reads new events until so many of twins and of the registry are among them.
    async fn catch_up(&mut self, caller: &mut Caller, expected: usize) -> Result<Vec<Event>, Dead> {
        let mut events = Vec::new();
        loop {
            events.extend(self.book.read_new(caller).await?);
            let twins = events
                .iter()
                .filter(|event| self.twins.iter().any(|twin| twin.is_told_by(event)));
            let registries = |event: &&Event| self.registries.iter().any(|registry| registry.is_told_by(event));
            if twins.count() + events.iter().filter(registries).count() >= expected {
                return Ok(events);
            }
            sleep(CATCH_UP_PAUSE).await;
        }
    }

    /// Brings the first journal segment near its end.
    async fn fill(&mut self, hub: &Hub) -> Result<(), Dead> {
        let camera = self.telemetry.last_mut().expect("the camera");
        camera.fill(hub, FILL_MESSAGES).await
    }

    /// Puts everything to work, and waits for the instant of death.
    async fn load(&mut self, hub: &Hub, round: u32) -> Result<(Loads, Duration), Dead> {
        let mut caller = hub.service.connect().await?;
        let subscriber = Subscriber::register(round, &mut caller).await?;
        let began = Instant::now();
        let (confirm, suback) = oneshot::channel();
        let dice = &mut self.dice;
        let telemetry = self
            .telemetry
            .drain(..)
            .map(|telemetry| tokio::spawn(telemetry.load(hub.clone())));
        let twins = self.twins.drain(..).map(|twin| tokio::spawn(twin.load(hub.clone())));
        let loads = Loads {
            telemetry: telemetry.collect(),
            twins: twins.collect(),
            registries: self
                .registries
                .drain(..)
                .map(|each| tokio::spawn(each.load(hub.clone(), dice.fork())))
                .collect(),
            queues: self
                .queues
                .drain(..)
                .map(|queue| tokio::spawn(queue.load(hub.clone(), dice.fork())))
                .collect(),
            subscriber: tokio::spawn(subscriber.load(hub.clone(), dice.fork(), confirm)),
        };
        if dice.below(SUBACK_ROUNDS) == 0 {
            suback.await.map_err(|_| Dead)?;
        } else {
            sleep(Duration::from_micros(dice.below(LIFE_MAX_US))).await;
        }
        Ok((loads, began.elapsed()))
    }

    /// Takes the ledgers back from the tasks, which have noticed that the hub is dead.
    async fn take_back(&mut self, loads: Loads) {
        self.telemetry = all(loads.telemetry).await;
        self.twins = all(loads.twins).await;
        self.registries = all(loads.registries).await;
        self.queues = all(loads.queues).await;
        self.subscriber = Some(loads.subscriber.await.unwrap());
    }

    async fn drain(&mut self, hub: &Hub) -> Result<(), Dead> {
        let mut caller = hub.service.connect().await?;
        for queue in &mut self.queues {
            queue.drain(hub, &mut caller).await?;
        }
        Ok(())
    }

    fn summary(&mut self) -> String {
        let (mut acknowledged, mut twice) = (0, 0);
        for telemetry in &self.telemetry {
            let counts = telemetry.counts();
            acknowledged += counts.0;
            twice += counts.1;
        }
        let twin_writes: u64 = self.twins.iter().map(Twin::acknowledged).sum();
        let registry_writes: u64 = self.registries.iter().map(|registry| registry.acknowledged).sum();
        let accepted: usize = self.queues.iter().map(C2d::accepted).sum();
        let confirmed = self
            .subscribers
            .iter()
            .filter(|subscriber| subscriber.is_confirmed())
            .count();
        self.start_ms.sort_unstable();
        let (median, longest) = (
            self.start_ms[self.start_ms.len() / 2],
            self.start_ms[self.start_ms.len() - 1],
        );
        format!(
            "kept: {acknowledged} messages ({twice} sent again and twice in the log), {twin_writes} twin writes, \
             {registry_writes} registry writes, {accepted} C2D messages, {confirmed} sessions; {} events in all; \
             starts took {median} ms in the median and {longest} ms at most",
            self.book.len()
        )
    }
}

/// The tasks of a round.
struct Loads {
    telemetry: Vec<JoinHandle<Telemetry>>,
    twins: Vec<JoinHandle<Twin>>,
    registries: Vec<JoinHandle<Registry>>,
    queues: Vec<JoinHandle<C2d>>,
    subscriber: JoinHandle<Subscriber>,
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut back = Vec::with_capacity(tasks.len());
    for task in tasks {
        back.push(task.await.unwrap());
    }
    back
}

/// A seed file: the devices that live as long as the run, and routes for the events that are checked.
fn seed<'a>(devices: impl Iterator<Item = &'a str>) -> String {
    let device = |id| format!("[[device]]\nid = \"{id}\"\nauthentication = {{ primary-key = \"{KEY}\" }}\n");
    let route = |source| format!("[[route]]\nname = \"{source}\"\nsource = \"{source}\"\n");
    let routes = ["TwinChangeEvents", "DeviceLifecycleEvents"].map(route);
    devices.map(device).chain(routes).collect()
}
