//! Durable telemetry in a closed loop: each device keeps a window of messages in flight.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use ironhub_mqtt::packet::{Delivery, Packet, PacketId, PublishRef, encode_publish};
use ironhub_mqtt::{DecodeLimits, decode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_rustls::client::TlsStream;

use crate::connection::Connector;
use crate::hub_process::{HubProcess, device_id};
use crate::{Ingest, Result};

const WARM_UP: Duration = Duration::from_secs(2);
const READ_BYTES: usize = 16 * 1024;

/// When to count, and when to stop.
#[derive(Default)]
struct Phase {
    is_counting: AtomicBool,
    is_over: AtomicBool,
}

/// A device in the loop.
struct Loop {
    stream: TlsStream<TcpStream>,
    packets: Vec<BytesMut>,
    /// When the packet with this identifier was sent, the first one at 0.
    sent_at: Vec<Instant>,
    latencies_us: Vec<u64>,
}

#[expect(clippy::print_stdout, reason = "a measurement prints its figures")]
pub(crate) async fn measure(directory: &Path, options: &Ingest) -> Result<()> {
    let hub = HubProcess::start(directory, options.connections).await?;
    let connector = Connector::new(&hub)?;
    let phase = Arc::new(Phase::default());
    let mut tasks = Vec::with_capacity(options.connections);
    for number in 0..options.connections {
        let device = Loop::new(connector.connect(number).await?, number, options)?;
        tasks.push(tokio::spawn(device.run(Arc::clone(&phase))));
    }
    sleep(WARM_UP).await;
    println!("hub: process {}", hub.id());
    let (cpu_before, began) = (hub.cpu_us()?, Instant::now());
    phase.is_counting.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(options.seconds)).await;
    phase.is_counting.store(false, Ordering::Relaxed);
    let (cpu_us, seconds) = (hub.cpu_us()? - cpu_before, began.elapsed().as_secs_f64());
    phase.is_over.store(true, Ordering::Relaxed);
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await??);
    }
    latencies_us.sort_unstable();
    let messages = latencies_us.len();
    let figure = float(messages);
    println!(
        "{messages} messages of {} B from {} devices with {} in flight each: {:.0}/s",
        options.body_bytes,
        options.connections,
        options.in_flight,
        figure / seconds
    );
    let at = |share: usize| latencies_us.get((messages * share / 1000).min(messages.saturating_sub(1)));
    let ms = |share| float(at(share).copied().unwrap_or_default().try_into().unwrap_or(usize::MAX)) / 1000.0;
    println!(
        "PUBACK after {:.1} ms (p50), {:.1} ms (p99), {:.1} ms (p99.9)",
        ms(500),
        ms(990),
        ms(999)
    );
    println!(
        "server CPU: {:.1} us a message, {:.2} cores",
        cpu_us / figure,
        cpu_us / seconds / 1e6
    );
    Ok(())
}

/// Fills the log for so many seconds.
pub(crate) async fn fill(connector: &Connector, options: &Ingest) -> Result<()> {
    let phase = Arc::new(Phase::default());
    let mut tasks = Vec::with_capacity(options.connections);
    for number in 0..options.connections {
        let device = Loop::new(connector.connect(number).await?, number, options)?;
        tasks.push(tokio::spawn(device.run(Arc::clone(&phase))));
    }
    sleep(Duration::from_secs(options.seconds)).await;
    phase.is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    Ok(())
}

impl Loop {
    fn new(stream: TlsStream<TcpStream>, number: usize, options: &Ingest) -> Result<Self> {
        let topic = format!(
            "devices/{}/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8",
            device_id(number)
        );
        let packets = (1..=options.in_flight).map(|value| {
            let payload = payload(number * usize::from(u16::MAX) + usize::from(value), options.body_bytes);
            let packet_id = PacketId::new(value).ok_or("a packet identifier is not 0")?;
            let delivery = Delivery::AtLeastOnce { packet_id, dup: false };
            let mut packet = BytesMut::new();
            encode_publish(
                &mut packet,
                &PublishRef {
                    topic: &topic,
                    payload: &payload,
                    delivery,
                    retain: false,
                },
            )?;
            Ok(packet)
        });
        let packets = packets.collect::<Result<Vec<_>>>()?;
        let sent_at = vec![Instant::now(); packets.len()];
        Ok(Self {
            stream,
            packets,
            sent_at,
            latencies_us: Vec::new(),
        })
    }

    /// Sends a message for each one acknowledged; returns the latencies, in microseconds, of those that count.
    async fn run(mut self, phase: Arc<Phase>) -> Result<Vec<u64>> {
        let (mut input, mut output) = (BytesMut::with_capacity(READ_BYTES), BytesMut::new());
        for packet in &self.packets {
            output.extend_from_slice(packet);
        }
        self.sent_at.fill(Instant::now());
        while !phase.is_over.load(Ordering::Relaxed) {
            while output.has_remaining() {
                self.stream.write_buf(&mut output).await?;
            }
            self.stream.flush().await?;
            input.reserve(READ_BYTES);
            if self.stream.read_buf(&mut input).await? == 0 {
                return Err("the hub has closed a connection".into());
            }
            let (now, counts) = (Instant::now(), phase.is_counting.load(Ordering::Relaxed));
            while let Some(packet) = decode(&mut input, &DecodeLimits::CONNECTED)? {
                let Packet::PubAck(packet_id) = packet else {
                    return Err(format!("got {packet:?}").into());
                };
                self.again(packet_id, (now, counts), &mut output)?;
            }
        }
        Ok(self.latencies_us)
    }

    fn again(&mut self, packet_id: PacketId, (now, counts): (Instant, bool), output: &mut BytesMut) -> Result<()> {
        let index = usize::from(packet_id.value()) - 1;
        let slots = self.sent_at.get_mut(index).zip(self.packets.get(index));
        let (sent_at, packet) = slots.ok_or("PUBACK for nothing")?;
        if counts {
            self.latencies_us
                .push(u64::try_from(now.duration_since(*sent_at).as_micros())?);
        }
        *sent_at = now;
        output.extend_from_slice(packet);
        Ok(())
    }
}

/// Text that no compressor makes much of: sixteen letters, each as likely as the other.
pub(crate) fn payload(seed: usize, bytes: usize) -> Vec<u8> {
    let mut state = seed as u64;
    let letter = |_| {
        // The generator of Knuth's MMIX; its high bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        b'a' + (state >> 60).to_le_bytes()[0]
    };
    (0..bytes).map(letter).collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(count: usize) -> f64 {
    count as f64
}
