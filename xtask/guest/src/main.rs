//! The first process of a virtual machine: makes the system that tests need, runs them, switches off.
//!
//! It is process 1, so whatever it cannot do it says and goes on; when it ends, the kernel panics, which the
//! host takes for the failure that it is.

mod features;
mod program;
mod report;
mod system;

use std::fs;
use std::io;

use nix::sys::reboot::{RebootMode, reboot};
use sensor_guest::{Line, path};

use report::Report;

fn main() {
    let mounted = system::mount_all();
    // Without a port to speak on, only the kernel's panic can tell.
    let report = Report::open().expect("the second serial port opens");
    report.say(&Line::Ready(system::release()));
    report.keep_saying_alive();
    for trouble in mounted.into_iter().chain(system::load_modules()).chain(system::loopback_up()) {
        report.say(&Line::Note(trouble));
    }
    for (name, there) in features::all() {
        report.say(&Line::Feature { name: name.to_owned(), there });
    }
    let verdict = run_all(&report);
    report.say(&verdict);
    report.drain();
    // It does not return; if the kernel refuses, this process ends, and the kernel panics.
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

fn run_all(report: &Report) -> Line {
    let programs = lines(path::PROGRAMS);
    let environment = lines(path::ENVIRONMENT);
    let mut failed = 0;
    for program in &programs {
        let (name, file) = program.split_once('\t').unwrap_or((program, program));
        report.say(&Line::Start(name.to_owned()));
        let trouble = program::run(file, &environment, report);
        failed += usize::from(trouble.is_some());
        report.say(&Line::End { name: name.to_owned(), trouble });
    }
    for skipped in lines(path::SKIPS) {
        report.say(&Line::Skip(skipped));
    }
    Line::Verdict { programs: programs.len(), failed }
}

/// The lines of a file that are not empty; none if there is no such file.
fn lines(path: &str) -> Vec<String> {
    let text: io::Result<String> = fs::read_to_string(path);
    text.unwrap_or_default().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
