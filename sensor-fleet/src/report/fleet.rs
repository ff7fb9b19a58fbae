//! Reading a fleet's sensors, several at once, in the order of their names.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::{Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};

use super::history::{Counts, Observer, Reader};
use super::known::Known;

/// Queries at once: Prometheus itself runs twenty at most.
const AT_ONCE: usize = 4;

/// Reads what each sensor counted and what is known of its sources, and hands it on in their order; shows how far it is, if somebody is looking.
///
/// # Errors
/// The first that a sensor's queries give.
pub fn read(
    reader: &Reader,
    observers: &[Observer],
    mut hand_on: impl FnMut(&Observer, Counts, Known),
) -> Result<()> {
    let progress = ProgressBar::new(observers.len() as u64).with_style(
        ProgressStyle::with_template("reading {pos} of {len} sensors, {eta} to go {wide_bar}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::sync_channel(AT_ONCE);
    let read: Result<usize> = thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(observer) = observers.get(at) else { break };
                    // Nobody listens any more once a sensor has failed.
                    if sender.send((at, of_sensor(reader, &observer.name))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (at, read) in receiver {
            waiting.insert(at, read?);
            while let Some((counts, known)) = waiting.remove(&due) {
                hand_on(&observers[due], counts, known);
                due += 1;
                progress.inc(1);
            }
        }
        Ok(due)
    });
    progress.finish_and_clear();
    match read? {
        all if all == observers.len() => Ok(()),
        some => Err(anyhow!("only {some} of {} sensors were read", observers.len())),
    }
}

fn of_sensor(reader: &Reader, sensor: &str) -> Result<(Counts, Known)> {
    Ok((reader.counts(sensor)?, reader.known(sensor)?))
}
