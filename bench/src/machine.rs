//! Where and when a run was made.

use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use sensor_harness::sender::cpus;
use serde_json::{Value, json};

/// The machine.
#[derive(Clone, Debug)]
pub struct Machine {
    kernel: String,
    processor: String,
    /// What the kernel says of each of the processor's faults: some guards are paid for with every call or return.
    mitigations: BTreeMap<String, String>,
    cpus: usize,
    /// CPUs that there may ever be: the kernel has counters for each.
    possible_cpus: usize,
    /// Seconds since 1970.
    time: u64,
    build: &'static str,
}

impl Machine {
    /// This one, now.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn this() -> Result<Self> {
        Ok(Self {
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .context("the kernel does not tell its release")?
                .trim()
                .to_owned(),
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            mitigations: mitigations(),
            cpus: cpus()?.len(),
            possible_cpus: possible_cpus()?,
            time: SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is wrong")?.as_secs(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
        })
    }

    /// How many CPUs the kernel has counters for.
    pub const fn possible_cpus(&self) -> usize {
        self.possible_cpus
    }

    /// In a line.
    pub fn caption(&self) -> String {
        let Self { kernel, processor, cpus, build, .. } = self;
        let build = if *build == "release" { "" } else { ", debug build" };
        format!("{}, Linux {kernel}, {cpus} × {processor}{build}", self.date())
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let Self { kernel, processor, mitigations, cpus, possible_cpus, time, build } = self;
        json!({
            "date": self.date(), "time": time, "kernel": kernel, "processor": processor, "cpus": cpus,
            "mitigations": mitigations, "possible_cpus": possible_cpus, "build": build,
        })
    }

    fn date(&self) -> String {
        date(self.time / 86_400)
    }
}

/// Its name, and the numbers by which those are told apart that their makers, or a hypervisor, give one name.
fn processor(cpuinfo: &str) -> String {
    let field = |wanted: &str| {
        cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim_end() == wanted).then_some(value.trim())
        })
    };
    let name = field("model name").unwrap_or(std::env::consts::ARCH);
    let numbers: Vec<String> = ["cpu family", "model", "stepping", "CPU implementer", "CPU part"]
        .into_iter()
        .filter_map(|name| Some(format!("{} {}", name.trim_start_matches("cpu "), field(name)?)))
        .collect();
    if numbers.is_empty() { name.to_owned() } else { format!("{name} ({})", numbers.join(", ")) }
}

/// By fault, of those that the processor has; none where the kernel does not tell.
fn mitigations() -> BTreeMap<String, String> {
    let faults = fs::read_dir("/sys/devices/system/cpu/vulnerabilities").into_iter().flatten().flatten();
    let told = faults.filter_map(|fault| {
        let how = fs::read_to_string(fault.path()).ok()?.trim().to_owned();
        (how != "Not affected").then_some((fault.file_name().into_string().ok()?, how))
    });
    told.collect()
}

/// Of a list like `0-3` or `0-1,4`.
fn possible_cpus() -> Result<usize> {
    let listed = fs::read_to_string("/sys/devices/system/cpu/possible")
        .context("the kernel does not tell how many CPUs there may be")?;
    listed
        .trim()
        .split(',')
        .map(length)
        .sum::<Option<usize>>()
        .context("the kernel's list of CPUs is not one")
}

/// How many numbers there are from the first to the last.
fn length(range: &str) -> Option<usize> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    Some((last + 1).saturating_sub(first))
}

/// The day that is so many days after 1970-01-01 (Richards' algorithm for the Gregorian calendar).
fn date(days: u64) -> String {
    let day = days + 2_440_588;
    let f = day + 1_401 + (4 * day + 274_277) / 146_097 * 3 / 4 - 38;
    let e = 4 * f + 3;
    let h = 5 * (e % 1_461 / 4) + 2;
    let month = (h / 153 + 2) % 12 + 1;
    let year = e / 1_461 - 4_716 + (14 - month) / 12;
    format!("{year}-{month:02}-{:02}", h % 153 / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_counted() {
        assert_eq!(
            (length("0-3"), length("7"), length("4-5"), length("x")),
            (Some(4), Some(1), Some(2), None)
        );
    }

    #[test]
    fn processors_of_one_name_are_told_apart() {
        let table = [
            (
                "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nstepping\t: 1\n\nprocessor\t: 1\n",
                "AMD EPYC (family 25, model 1, stepping 1)",
            ),
            ("cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n", "AMD EPYC (family 25, model 17)"),
            (
                "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
                &*format!("{} (CPU implementer 0x41, CPU part 0xd0c)", std::env::consts::ARCH),
            ),
            ("", std::env::consts::ARCH),
        ];
        for (cpuinfo, name) in table {
            assert_eq!(processor(cpuinfo), name);
        }
    }

    #[test]
    fn days_are_dates() {
        let days =
            [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_819, "2027-01-01"), (20_818, "2026-12-31")];
        for (number, name) in days {
            assert_eq!(date(number), name);
        }
    }
}
