//! The live ranking: redrawn in place on a terminal, a line a second elsewhere.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use sensor_common::grouped::Grouped;
use sensor_harness::counts::Counts;

use crate::ranking::ranking;

/// Rows of the ranking.
const ROWS: usize = 10;

/// What is on the screen.
pub struct Screen {
    terminal: bool,
    /// Lines to go up before drawing again.
    drawn: usize,
    before: HashMap<String, u64>,
    before_time: Duration,
}

impl Screen {
    pub fn new() -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
            drawn: 0,
            before: HashMap::new(),
            before_time: Duration::ZERO,
        }
    }

    /// Shows the counts as they are at `time` since the start, and whether any more are to come.
    pub fn show(&mut self, time: Duration, counts: &Counts, finished: bool) -> Result<()> {
        let rows = ranking(counts);
        let text =
            if self.terminal { self.table(time, counts, finished, &rows) } else { line(time, counts, &rows) };
        let mut out = io::stdout().lock();
        if self.drawn > 0 {
            // Up to the first line drawn, and clear from there.
            write!(out, "\x1b[{}A\x1b[J", self.drawn)?;
        }
        out.write_all(text.as_bytes())?;
        out.flush()?;
        if self.terminal {
            self.drawn = text.lines().count();
        }
        self.before = rows.into_iter().collect();
        self.before_time = time;
        Ok(())
    }

    fn table(&self, time: Duration, counts: &Counts, finished: bool, rows: &[(String, u64)]) -> String {
        let seconds = time.saturating_sub(self.before_time).as_secs_f64().max(0.001);
        let total = counts.counted();
        let mut text = format!(
            "{:>4} s   {} packets{}: {} counted and dropped, {} let through\n\n",
            time.as_secs(),
            Grouped(counts.packets()),
            if finished { ", the last one sent" } else { "" },
            Grouped(total),
            Grouped(counts.packets() - total),
        );
        for (rank, (row, packets)) in rows.iter().take(ROWS).enumerate() {
            let new = packets.saturating_sub(self.before.get(row).copied().unwrap_or(0));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "  {:>3}  {row:<14} {:>12}  {:>8.0}/s  {:>5.1} %",
                format!("#{}", rank + 1),
                Grouped(*packets),
                float(new) / seconds,
                share(*packets, total),
            );
        }
        let rest: u64 = rows.iter().skip(ROWS).map(|(_, packets)| packets).sum();
        let _ = writeln!(
            text,
            "       {:<14} {:>12}  {:>10}  {:>5.1} %",
            format!("{} others", rows.len().saturating_sub(ROWS)),
            Grouped(rest),
            "",
            share(rest, total),
        );
        text
    }
}

/// The ranking on one line, as in a row of TSUBAME's Table 1.
fn line(time: Duration, counts: &Counts, rows: &[(String, u64)]) -> String {
    let total = counts.counted();
    let mut text = format!("{:>4} s {:>10} packets ", time.as_secs(), Grouped(counts.packets()));
    for (rank, (row, packets)) in rows.iter().take(ROWS).enumerate() {
        let _ = write!(text, " #{} {row} {:.1} % ", rank + 1, share(*packets, total));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * float(part) / float(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits or so")]
fn float(number: u64) -> f64 {
    number as f64
}

/// Writes a line. Unlike `println!` it gives an error when nobody reads, as behind `head`.
pub fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("cannot write to standard output")
}
