//! Disks that are full, and disks that fail: the real program on a real file system.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ironhub_mqtt::packet::{Packet, PacketId};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::device::{Device, KEY};
use crate::events::EventBook;
use crate::hub_process::{Home, Hub};
use crate::service::{Caller, Dead};

const DEVICE: &str = "sensor";
const TOPIC: &str = "devices/sensor/messages/events/";
/// Ten times what a hub takes to find out that its disk is full, or not full any more.
const CHANGE_MAX: Duration = Duration::from_secs(30);
/// What the program exits with when its disk has failed: `EX_IOERR` of sysexits.h.
const EXIT_DISK_FAILED: i32 = 74;

/// A file system of a few megabytes, mounted where only those processes see it that are run within. Gone when dropped.
struct SmallDisk {
    holder: Child,
    data: PathBuf,
}

impl SmallDisk {
    const OPTIONS: &str = "size=12m,mode=700";

    /// `None` where this process may not mount; says why.
    fn mount(data: &Path) -> Option<Self> {
        fs::create_dir(data).unwrap();
        // Lives until its input ends, and with it the mount.
        let script = "mount -t tmpfs -o \"$1\" tmpfs \"$0\" && echo mounted && exec cat";
        let holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", script])
            .arg(data)
            .arg(Self::OPTIONS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut holder = match holder {
            Ok(holder) => holder,
            Err(error) => {
                eprintln!("skipped: no program to mount with: unshare: {error}");
                return None;
            }
        };
        let mut said = String::new();
        let output = holder.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        if said != "mounted\n" {
            let output = holder.wait_with_output().unwrap();
            eprintln!("skipped: cannot mount: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        let data = data.to_owned();
        Some(Self { holder, data })
    }

    /// What runs a program that sees this file system.
    fn command(&self) -> [OsString; 2] {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.holder.id());
        ["nsenter".into(), namespace.into()]
    }

    /// Takes all the room there is.
    fn fill(&self) {
        // A hub refuses a directory with files that others can read.
        let mut private = OpenOptions::new();
        private.write(true).create(true).mode(0o600);
        let mut file = private.open(self.filler()).unwrap();
        let error = loop {
            if let Err(error) = file.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    /// Gives it back.
    fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// The file that takes the room, as this process sees it.
    fn filler(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.data.strip_prefix("/").unwrap()).join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn seed() -> String {
    format!("[[device]]\nid = \"{DEVICE}\"\nauthentication = {{ primary-key = \"{KEY}\" }}\n")
}

fn body(number: usize) -> String {
    format!("{number} {}", "x".repeat(4000))
}

/// Messages on their way.
fn send(device: &mut Device, numbers: std::ops::Range<usize>) -> Vec<PacketId> {
    let publish = |number| device.queue_publish(TOPIC, body(number).as_bytes());
    numbers.map(publish).collect()
}

async fn expect_acknowledged(device: &mut Device, packet_ids: Vec<PacketId>) {
    for packet_id in packet_ids {
        assert_eq!(device.next().await, Ok(Packet::PubAck(packet_id)));
    }
}

/// The answer of `/health`.
async fn health(hub: &Hub) -> (u16, Value) {
    let mut socket = TcpStream::connect(("127.0.0.1", hub.health_port)).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// Waits until `/health` answers with this status, and reasons that contain these texts.
async fn until_health(hub: &Hub, status: u16, parts: &[&str]) {
    let mut last = (0, Value::Null);
    let waiting = async {
        let mut looks = interval(Duration::from_millis(20));
        loop {
            looks.tick().await;
            last = health(hub).await;
            let reasons = last.1["reasons"].to_string();
            if last.0 == status && parts.iter().all(|part| reasons.contains(part)) {
                return;
            }
        }
    };
    let outcome = timeout(CHANGE_MAX, waiting).await;
    assert!(outcome.is_ok(), "not {status} for {parts:?}, but {last:?}");
}

async fn tag(caller: &mut Caller, value: u32) -> Result<u16, Dead> {
    let patch = json!({ "tags": { "value": value, "ballast": "x".repeat(4000) } });
    let answer = caller.call("PATCH /twins/sensor", patch.to_string()).await?;
    Ok(answer.status.as_u16())
}

async fn tag_now(caller: &mut Caller) -> Value {
    let twin = caller.call("GET /twins/sensor", "").await.unwrap();
    twin.expect(200)["tags"]["value"].take()
}

/// The bodies of the device's messages, each of which must be the one that was sent.
async fn messages(caller: &mut Caller) -> usize {
    let events = EventBook::default().read_new(caller).await.unwrap();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.body, body(number), "message {number}");
    }
    events.len()
}

fn count(log: &str, part: &str) -> usize {
    log.lines().filter(|line| line.contains(part)).count()
}

/// What does not fit waits, says so, and gets through when there is room again.
pub(crate) async fn check_full() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&Home::data(directory.path())) else {
        return;
    };
    let mut home = Home::new(directory.path(), &seed());
    home.run_within(disk.command());
    let process = home.start().await;
    let hub = &process.hub;
    let mut device = Device::connect(hub, DEVICE).await.unwrap();
    let mut caller = hub.service.connect().await.unwrap();
    let early = send(&mut device, 0..5);
    device.flush().await.unwrap();
    expect_acknowledged(&mut device, early).await;
    assert_eq!(tag(&mut caller, 1).await, Ok(200));
    until_health(hub, 200, &[]).await;

    disk.fill();
    // More than the log's file has been given room for: 256 KiB at a time.
    let late = send(&mut device, 5..125);
    device.flush().await.unwrap();
    let mut other = hub.service.connect().await.unwrap();
    let patching = tokio::spawn(async move { tag(&mut other, 2).await });
    let reasons = ["no space for the event log", "the state cannot be written"];
    until_health(hub, 503, &reasons).await;
    assert_eq!(tag_now(&mut caller).await, 1, "reads go on");

    disk.clear();
    until_health(hub, 200, &[]).await;
    expect_acknowledged(&mut device, late).await;
    let patched = patching.await.unwrap();
    // It may have been told to come again; it was begun nevertheless, and so it is done.
    assert!([Ok(200), Ok(503)].contains(&patched), "{patched:?}");
    assert_eq!(tag_now(&mut caller).await, 2);
    let log = process.kill();
    assert_eq!(count(&log, " ERROR "), 0, "{log}");
    assert_eq!(count(&log, "no space for the event log, retrying"), 1, "{log}");
    assert_eq!(count(&log, "the state cannot be written, retrying"), 1, "{log}");

    let process = home.start().await;
    let mut caller = process.hub.service.connect().await.unwrap();
    assert_eq!(messages(&mut caller).await, 125);
    assert_eq!(tag_now(&mut caller).await, 2);
    process.kill();

    disk.fill();
    let (status, log) = home.start_in_vain().await;
    assert_eq!(
        (status.code(), count(&log, "error: there is no space to open the state")),
        (Some(1), 1),
        "{log}"
    );
}

/// A broken disk for hubs, which breaks on request.
struct FailingDisk {
    library: PathBuf,
    switch: PathBuf,
}

impl FailingDisk {
    fn build(directory: &Path) -> Self {
        let source = directory.join("failing_disk.c");
        fs::write(&source, include_str!("failing_disk.c")).unwrap();
        let library = directory.join("failing_disk.so");
        let compiler = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .status();
        assert!(compiler.expect("a C compiler builds SQLite too").success());
        Self {
            library,
            switch: directory.join("failing"),
        }
    }

    fn variables(&self, call: &str, file: &str) -> [(&'static str, OsString); 4] {
        [
            ("LD_PRELOAD", self.library.clone().into()),
            ("FAILING_CALL", call.into()),
            ("FAILING_FILE", file.into()),
            ("FAILING_WHEN", self.switch.clone().into()),
        ]
    }

    fn fail(&self) {
        File::create(&self.switch).unwrap();
    }
}

/// Nothing more is acknowledged, one line says why, the process ends at once, and the next finds what was acknowledged.
pub(crate) async fn check_failing(call: &str, file: &str) {
    let directory = tempfile::tempdir().unwrap();
    let disk = FailingDisk::build(directory.path());
    let mut home = Home::new(directory.path(), &seed());
    home.set_variables(disk.variables(call, file));
    let process = home.start().await;
    let hub = &process.hub;
    let mut device = Device::connect(hub, DEVICE).await.unwrap();
    let mut caller = hub.service.connect().await.unwrap();
    let packet_ids = send(&mut device, 0..20);
    device.flush().await.unwrap();
    expect_acknowledged(&mut device, packet_ids).await;
    assert_eq!(tag(&mut caller, 1).await, Ok(200));

    disk.fail();
    if file.contains("log") {
        send(&mut device, 20..21);
        device.flush().await.unwrap();
        assert_eq!(device.next().await, Err(Dead), "no PUBACK");
    } else {
        assert_eq!(tag(&mut caller, 2).await, Err(Dead), "no answer");
    }
    let (status, log) = process.end().await;
    assert_eq!(status.code(), Some(EXIT_DISK_FAILED), "{call} of {file}: {log}");
    assert_eq!(count(&log, " ERROR "), 1, "{log}");
    assert_eq!(count(&log, "disk failed: nothing was acknowledged since"), 1, "{log}");

    home.set_variables([]);
    let process = home.start().await;
    let mut caller = process.hub.service.connect().await.unwrap();
    let found = messages(&mut caller).await;
    assert!((20..=21).contains(&found), "{call} of {file}: {found} messages");
    let value = tag_now(&mut caller).await;
    assert!(value == 1 || value == 2, "{call} of {file}: {value}");
    process.kill();
}
