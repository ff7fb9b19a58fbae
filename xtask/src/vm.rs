//! `cargo xtask vm`: the integration tests inside virtual machines, on the kernels that sensors really run on.
//!
//! Each machine gets a first file system of our own with the tests, the agent and a few modules, and nothing
//! else. All kernels run before the summary; what a machine said is kept in `target/vm/<kernel>/`.

mod archive;
mod board;
mod boot;
mod cpio;
mod crossed;
mod image;
mod kernel;
mod modules;
mod qemu;
mod table;
mod tools;
mod watch;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::architecture::Architecture;
use crate::cargo::{self, Build, Executable, Target};
use crate::test::outcome::Outcome;
use crate::{build, setup, shell, test};
use boot::Example;
use image::Payload;
use kernel::Kernel;
use qemu::{Accelerator, Machine};
use table::Row;
use tools::Tools;
use watch::{Judged, News, Watch};

/// The kernel that `cargo xtask test` runs on, beside the host's.
pub const USUAL: &str = "6.1";

/// Programs of tests that `cargo xtask test` runs on it: those that ask most of a kernel, and those that a host may lack
/// something for. `cargo xtask vm` runs all that run inside, which takes an emulated machine the better part of an hour.
const USUAL_PROGRAMS: [&str; 11] = [
    "counts",
    "doctor",
    "evidence",
    "exact",
    "fingerprint",
    "lifecycle",
    "packets",
    "stacked",
    "take_over",
    "unprivileged",
    "virtio",
];

/// Processors of a machine: packets arrive on several.
const CPUS: usize = 2;

/// Programs of tests that do not run inside, and why.
const OUTSIDE: &[(&str, &str)] = &[
    ("alerts", "it needs Prometheus"),
    ("bad_input", "no kernel has a part in reading a configuration"),
    ("bench", "figures of emulated processors mean nothing"),
    ("dashboards", "it needs Prometheus"),
    ("demo", "it needs the demo"),
    ("docs", "no kernel has a part in it"),
    ("fleet", "it needs Prometheus"),
    ("fleet_rules", "it needs Prometheus"),
    ("fleet_sources", "it needs Python, ssh and its server"),
    ("hostile_http", "no kernel has a part in HTTP"),
    ("notices", "it needs IntelMQ and Prometheus"),
    ("output", "no kernel has a part in what is printed"),
    ("package", "it needs dpkg, lintian and shells"),
    ("page", "it needs Chromium, nginx and ssh"),
    ("parser", "no kernel has a part in it"),
    ("remote", "it needs ssh and its server"),
    ("remote_write", "it needs Prometheus"),
    ("report", "it needs Prometheus"),
    ("report_hostile", "no kernel has a part in it"),
    ("report_moves", "it needs Prometheus"),
    ("report_page", "it needs Chromium"),
    ("report_proxy", "it needs Prometheus and nginx"),
    ("report_sources", "it needs Prometheus"),
    ("sensor_harness", "no kernel has a part in the harness's own tests"),
    ("sensor_tests", "no kernel has a part in the tests' own library"),
    ("service", "no kernel has a part in what a service manager hears"),
    ("setup", "it needs ssh and its server"),
    ("shipped", "it needs the agent as it is shipped"),
    ("simulation", "it needs Prometheus"),
    ("socket", "no kernel has a part in its protocol"),
    ("surge_rules", "no kernel has a part in it"),
    ("top", "it needs tmux"),
    ("world", "it needs ssh, curl, dig and their servers"),
];

/// What `cargo xtask vm` takes.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask vm\n  cargo xtask vm 5.10 newest\n  cargo xtask vm 6.1 --test lifecycle\n  \
                  cargo xtask vm --arch arm64 6.1 --test counts lifecycle\n  \
                  cargo xtask vm --boot\n  \
                  cargo xtask vm --boot --with ansible cloud-init\n  \
                  cargo xtask vm --kernel /boot/vmlinuz-6.1.0-50-amd64 --modules /lib/modules/6.1.0-50-amd64"
)]
pub struct Vm {
    /// Kernels to run on: 5.10, 6.1, 6.12, newest [default: all of them]
    kernels: Vec<String>,
    /// Processors of the machines; those that this host has not are emulated
    #[arg(long = "arch", value_name = "PROCESSOR", value_enum, default_value_t = Architecture::Amd64)]
    architecture: Architecture,
    /// Run on this kernel instead: the image that boots
    #[arg(long, value_name = "FILE", requires = "modules", conflicts_with = "kernels")]
    kernel: Option<PathBuf>,
    /// The folder with that kernel's modules
    #[arg(long, value_name = "DIR", requires = "kernel")]
    modules: Option<PathBuf>,
    /// Boot a whole Debian with systemd instead: install the package there, attach, reboot, upgrade, remove
    #[arg(long, conflicts_with_all = ["kernels", "architecture", "kernel", "tests"])]
    boot: bool,
    /// There, let examples of `packaging/examples` set the machine up instead, for each a machine of its own
    #[arg(long, value_name = "EXAMPLE", value_enum, value_delimiter = ',', num_args = 1.., requires = "boot")]
    with: Vec<Example>,
    /// Run only these programs of tests, as `counts`
    #[arg(long = "test", value_name = "NAME", num_args = 1..)]
    tests: Vec<String>,
}

/// Runs the tests on every kernel asked for, prints the table, and tells whether all passed.
///
/// # Errors
/// When what building needs is missing, or the tests do not compile.
pub fn run(vm: &Vm) -> Result<bool> {
    if vm.boot {
        let booted = if vm.with.is_empty() { boot::run() } else { boot::with(&vm.with) };
        return booted.map(|()| true);
    }
    setup::for_building()?;
    let mut payload = match vm.architecture {
        Architecture::Amd64 => payload(&test::build_some(&vm.tests)?, build::agent()?)?,
        Architecture::Arm64 => crossed::payload(vm.architecture, &vm.tests)?,
    };
    if !vm.tests.is_empty() {
        if let Some(unknown) =
            vm.tests.iter().find(|name| payload.programs.iter().all(|(known, _)| known != *name))
        {
            bail!("no program of tests is called {unknown}, or it does not run inside");
        }
        payload.programs.retain(|(name, _)| vm.tests.contains(name));
    }
    let given = match (&vm.kernel, &vm.modules) {
        (Some(image), Some(modules)) => Some(Kernel::given(image, modules, vm.architecture)?),
        _ => None,
    };
    let names = if vm.kernels.is_empty() { kernel::names() } else { vm.kernels.clone() };
    let wanted = match given {
        Some(kernel) => vec![(kernel.name.clone(), Ok(kernel))],
        None => names.iter().map(|name| labelled(name, vm.architecture)).collect(),
    };
    let rows: Vec<Row> = matrix(wanted, &payload);
    println!("\n{}", table::Table(&rows));
    Ok(rows.iter().all(|row| row.outcome().failed.is_empty()))
}

/// Leaves these programs of tests, and no others.
///
/// # Errors
/// One of them does not run inside.
fn choose(payload: &mut Payload, programs: &[impl AsRef<str>]) -> Result<()> {
    let chosen = |name: &str| programs.iter().any(|chosen| chosen.as_ref() == name);
    let known = |name: &str| payload.programs.iter().any(|(known, _)| known == name);
    if let Some(unknown) = programs.iter().map(AsRef::as_ref).find(|name| !known(name)) {
        bail!("no program of tests that runs inside is called {unknown:?}: `counts` and `packets` are some");
    }
    payload.programs.retain(|(name, _)| chosen(name));
    Ok(())
}

/// A kernel, with what it is called.
fn labelled(name: &str, architecture: Architecture) -> (String, Result<Kernel>) {
    (kernel::label(name, architecture), Kernel::named(name, architecture))
}

/// Runs [`USUAL_PROGRAMS`] on the usual kernel with this agent, as a part of all tests.
pub fn usual(built: &[Executable], agent: PathBuf) -> Outcome {
    let kernel = || vec![labelled(USUAL, Architecture::Amd64)];
    let rows = payload(built, agent).and_then(|mut payload| {
        choose(&mut payload, &USUAL_PROGRAMS)?;
        Ok(matrix(kernel(), &payload))
    });
    match rows {
        Ok(rows) => {
            println!("\n{}", table::Table(&rows));
            let mut total = Outcome::default();
            for row in rows {
                total.add(row.into_outcome());
            }
            total
        }
        Err(error) => Outcome::broken(&format!("kernel {USUAL}"), &format!("{error:#}")),
    }
}

/// Builds the first process and gathers what goes into machines with processors as this host's. The agent is the one that
/// is shipped.
fn payload(built: &[Executable], agent: PathBuf) -> Result<Payload> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the machines are x86-64 and run what was built for this host: use an x86-64 host");
    }
    setup::for_machines()?;
    let init = Build::statically(&Target::here()?, &["--package", "sensor-guest", "--bin", "guest-init"])?
        .finish()?;
    let init = cargo::program("guest-init", &init)?.to_path_buf();
    let cable = cargo::program("vm-cable", built)?.to_path_buf();
    for (name, why) in OUTSIDE {
        println!("vm: not inside: {name}: {why}");
    }
    Ok(Payload {
        architecture: Architecture::Amd64,
        init,
        agent,
        cable,
        programs: programs(built),
        strip: "strip".to_owned(),
        tools: Tools::Here,
        cpus: CPUS,
    })
}

/// Those of what was built that are programs of tests and run inside, by name.
fn programs(built: &[Executable]) -> Vec<(String, PathBuf)> {
    let folder = shell::workspace().join(test::INTEGRATION);
    let inside = |built: &&Executable| {
        built.test
            && built.package.starts_with(&folder)
            && OUTSIDE.iter().all(|(name, _)| *name != built.target)
    };
    let mut programs: Vec<(String, PathBuf)> =
        built.iter().filter(inside).map(|built| (built.target.clone(), built.path.clone())).collect();
    programs.sort();
    programs
}

/// Runs on each kernel, whatever becomes of the others.
fn matrix(kernels: Vec<(String, Result<Kernel>)>, payload: &Payload) -> Vec<Row> {
    let mut accelerator = None;
    let mut rows = Vec::new();
    for (name, kernel) in kernels {
        let start = Instant::now();
        let judged = kernel.and_then(|kernel| on(&kernel, payload, &mut accelerator));
        let judged = judged.unwrap_or_else(|error| Judged {
            outcome: Outcome { failed: vec![format!("{error:#}")], ..Outcome::default() },
            ..Judged::default()
        });
        for note in &judged.notes {
            println!("vm: {name}: {note}");
        }
        rows.push(Row { name, judged, accelerator, took: start.elapsed() });
    }
    rows
}

/// Runs on one kernel. The first one tries out whether KVM works here.
fn on(kernel: &Kernel, payload: &Payload, accelerator: &mut Option<Accelerator>) -> Result<Judged> {
    let folder = shell::workspace().join("target/vm").join(&kernel.name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let initramfs = folder.join("initramfs.cpio");
    let built_in = image::write(payload, &kernel.modules, &initramfs)?;
    let machine = Machine {
        architecture: payload.architecture,
        kernel: &kernel.image,
        initramfs: &initramfs,
        cable: &payload.cable,
        cpus: payload.cpus,
        folder: &folder,
    };
    let accelerator = *accelerator.get_or_insert_with(|| machine.accelerator());
    println!("\nvm: {}, {}", kernel.name, accelerator.name());
    let start = Instant::now();
    let mut watch = Watch::new(payload.programs.iter().map(|(name, _)| name.clone()));
    let ended = machine.run(accelerator, &mut watch, |news| tell(news, start.elapsed()))?;
    // A hundred megabytes that the next run makes anew.
    let _ = fs::remove_file(&initramfs);
    let console = fs::read(machine.console()).unwrap_or_default();
    let mut judged = watch.judge(&ended, &String::from_utf8_lossy(&console));
    if !built_in.is_empty() {
        judged.notes.push(format!("taken to be built in: {}", built_in.join(", ")));
    }
    Ok(judged)
}

fn tell(news: &News, after: Duration) {
    let seconds = after.as_secs();
    match news {
        News::Ready(release) => println!("vm: {seconds:4} s: Linux {release} is up"),
        News::Ended(name, passed, failed) => {
            println!("vm: {seconds:4} s: {name}: {passed} passed, {failed} failed");
        }
    }
}
