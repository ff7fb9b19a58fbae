//! Work on all processors.

use std::panic::resume_unwind;
use std::{num, thread};

/// What `of` makes of each, in order.
pub(super) fn each<T: Sync, R: Send>(items: &[T], of: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, num::NonZero::get).min(items.len());
    if threads <= 1 {
        return items.iter().map(of).collect();
    }
    thread::scope(|scope| {
        let of = &of;
        let spawned: Vec<_> = items
            .chunks(items.len().div_ceil(threads))
            .map(|items| scope.spawn(move || items.iter().map(of).collect::<Vec<R>>()))
            .collect();
        spawned
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}
