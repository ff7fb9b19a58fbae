//! Takes records out of the ring buffer, whoever stalls behind: what there is no memory for is lost, and counted.

use std::collections::HashMap;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sensor_common::evidence::Record;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::write::Batch;
use crate::config::SensorNumber;
use crate::kernel::Ring;
use crate::sources::Feed;

/// Bytes of a batch, about.
const BATCH_BYTES: usize = 256 << 10;
/// How long a record lies in the ring buffer at most before it is taken: the kernel wakes the agent up for many at once.
const LOOK: Duration = Duration::from_millis(200);
/// After so long, all records are there that were begun before the agent was.
const BEGUN: Duration = Duration::from_secs(1);

/// Up to which numbers records have been taken, by sensor and CPU.
pub(super) type Numbers = HashMap<(SensorNumber, usize), u64>;

/// Hands records on in batches until it is told to stop, to be written and to who looks at their sources; `before` has the
/// numbers of the last ones that were handed over before.
pub(super) async fn take(
    mut ring: AsyncFd<Ring>,
    batches: SyncSender<Batch>,
    sources: Feed,
    before: Numbers,
    mut stop: watch::Receiver<bool>,
) {
    let start = Instant::now();
    let mut before = Some(before);
    let mut unsent = Numbers::new();
    let mut records = BytesMut::new();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopped = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => true,
            _ = ticks.tick() => false,
            ready = ring.readable_mut() => match ready {
                Ok(mut ready) => {
                    ready.clear_ready();
                    false
                }
                // The ticks are left.
                Err(_) => continue,
            },
        };
        loop {
            records.clear();
            let is_empty = fill(ring.get_mut(), &mut records);
            if is_empty && start.elapsed() >= BEGUN {
                for (place, number) in before.take().unwrap_or_default() {
                    let last = unsent.entry(place).or_default();
                    *last = number.max(*last);
                }
            }
            if records.is_empty() && unsent.is_empty() {
                break;
            }
            let taken = unsent.iter().map(|(&(sensor, cpu), &number)| (sensor, cpu, number)).collect();
            // What waits is as large as its records: a buffer that grows may be twice as large.
            let records = Bytes::copy_from_slice(&records);
            sources.offer(&records);
            match batches.try_send(Batch { records, taken }) {
                Ok(()) => unsent.clear(),
                Err(TrySendError::Full(batch)) => {
                    let numbers = batch.records().map(|(record, _)| {
                        ((SensorNumber(record.sensor), usize::from(record.cpu)), record.number)
                    });
                    unsent.extend(numbers);
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
            if is_empty {
                break;
            }
            yield_now().await;
        }
        if stopped {
            return;
        }
    }
}

/// Takes records until there is none left, or a batch is full; says whether there was none left.
fn fill(ring: &mut Ring, records: &mut BytesMut) -> bool {
    while records.len() < BATCH_BYTES {
        let taken = ring.next(|bytes| {
            // What is no record, no program of ours has made.
            if let Some((_, frame)) = Record::parse(bytes) {
                records.extend_from_slice(&bytes[..size_of::<Record>() + frame.len()]);
            }
        });
        if taken.is_none() {
            return true;
        }
    }
    false
}
