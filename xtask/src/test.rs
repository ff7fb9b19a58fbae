//! `cargo xtask test`: builds every test once, runs each program of tests, and counts.
//!
//! The integration tests make namespaces and load XDP programs: they run as root, through `sudo` where need
//! be. A failing or hanging program does not keep the others from running, and nothing is skipped in silence.

pub mod outcome;
mod program;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::cargo::{self, Executable};
use crate::setup::{self, Tools};
use crate::shell;
use crate::vm;
use outcome::Outcome;

/// The folder of the packages whose tests need root.
pub const INTEGRATION: &str = "tests";

/// Programs that tests run, and the variables that name them.
const PROGRAMS: [(&str, &str); 6] = [
    ("SENSOR_BIN", "sensor"),
    ("SENSOR_FLEET_BIN", "sensor-fleet"),
    ("SENSOR_MANUAL", "sensor-manual"),
    ("XTASK", "xtask"),
    ("SENSOR_DEMO", "sensor-demo"),
    ("SENSOR_BENCH", "sensor-bench"),
];

/// Integration tests at once. Each loads counters for every CPU; a machine with many CPUs would run out of
/// memory long before it ran out of CPUs.
const AT_ONCE: usize = 4;

/// What `cargo xtask test` takes.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask test\n  cargo xtask test selection\n  cargo xtask test --test report"
)]
pub struct Test {
    /// Run only the tests whose names contain this
    filter: Option<String>,
    /// Run only these programs of tests, as `report`
    #[arg(long = "test", value_name = "NAME")]
    programs: Vec<String>,
    /// Leave out the virtual machine, which otherwise runs the integration tests on another kernel, and which
    /// is left out too when only some tests are to run
    #[arg(long)]
    no_vm: bool,
}

impl Test {
    /// Whether all tests are to run, and not only some of them.
    const fn is_whole(&self) -> bool {
        self.filter.is_none() && self.programs.is_empty()
    }

    fn has(&self, program: &Executable) -> bool {
        self.programs.is_empty() || self.programs.contains(&program.target)
    }
}

/// Runs the tests and tells whether all passed.
///
/// # Errors
/// When setup fails, the tests do not compile, or the filter leaves none.
pub fn run(test: &Test) -> Result<bool> {
    let tools = setup::for_testing()?;
    let built = build_some(&test.programs)?;
    let skips = Skips::start()?;
    let mut environment = Environment::new(&built, &tools, &skips.file)?;
    // What is shipped takes minutes to build: whoever runs a few tests does without.
    let released = if test.is_whole() { Some(build::agent()?) } else { None };
    if let Some(agent) = &released {
        environment.add("SENSOR_RELEASED", agent);
    }

    let mut programs: Vec<&Executable> = built.iter().filter(|built| built.test && test.has(built)).collect();
    if let Some(name) = test.programs.iter().find(|name| programs.iter().all(|built| built.target != **name))
    {
        bail!("no program of tests is called {name:?}: tests/*.rs and tests/*/main.rs are some");
    }
    programs.sort_by_key(|built| name(built));
    let machine = released.filter(|_| !test.no_vm);
    let mut total = thread::scope(|scope| {
        // An emulated machine takes one processor for as long as the host's tests take the other, which mostly wait.
        let machine = machine.map(|agent| scope.spawn(|| vm::usual(&built, agent)));
        let mut total = here(&programs, test, &environment);
        if let Some(machine) = machine {
            println!("\nintegration tests on Linux {}", vm::USUAL);
            total.add(machine.join().unwrap_or_else(|_| Outcome::broken("vm", "it panicked")));
        }
        total
    });
    if let Some(filter) = &test.filter
        && total == Outcome::default()
    {
        bail!("no test's name contains {filter:?}: give a part of one, or nothing to run them all");
    }
    total.skip(skips.read());
    println!("\n{total}");
    Ok(total.failed.is_empty())
}

/// Runs these programs of tests on this host, one after the other, and the examples in the documentation.
fn here(programs: &[&Executable], test: &Test, environment: &Environment) -> Outcome {
    let mut total = Outcome::default();
    for built in programs {
        let name = name(built);
        println!("\n{name}");
        let start = Instant::now();
        total.add(match command(built, environment) {
            Ok(command) => program::run(command, &name, test.filter.as_deref()),
            Err(error) => Outcome::broken(&name, &format!("{error:#}")),
        });
        println!("{name}: {} s", start.elapsed().as_secs());
    }
    if test.programs.is_empty() {
        println!("\ndocumentation examples");
        total.add(documentation(test.filter.as_deref()));
    }
    total
}

/// Builds these programs of tests, or all if none is named, and the programs that tests run. Of some programs of integration
/// tests only these are built: to link all of them takes minutes.
///
/// # Errors
/// When they do not compile.
pub fn build_some(programs: &[String]) -> Result<Vec<Executable>> {
    let folder = shell::workspace().join(INTEGRATION);
    let is_integration = |name: &String| {
        folder.join(name).join("main.rs").exists() || folder.join(name).with_extension("rs").exists()
    };
    if programs.is_empty() || !programs.iter().all(is_integration) {
        return build();
    }
    let mut arguments = vec!["--workspace", "--exclude", "sensor-ebpf", "--lib", "--bins"];
    arguments.extend(programs.iter().flat_map(|name| ["--test", name]));
    cargo::build(&arguments)
}

/// Builds every test, and the programs that tests run.
///
/// # Errors
/// When they do not compile.
pub fn build() -> Result<Vec<Executable>> {
    cargo::build(&["--workspace", "--exclude", "sensor-ebpf", "--lib", "--bins", "--tests"])
}

/// The examples in the documentation, which cargo itself must build and run.
fn documentation(filter: Option<&str>) -> Outcome {
    let mut cargo = cargo::command();
    cargo.args([
        "test",
        "--quiet",
        "--doc",
        "--locked",
        "--workspace",
        "--exclude",
        "sensor-ebpf",
        "--no-fail-fast",
        "--",
    ]);
    program::run(cargo, "documentation examples", filter)
}

/// What every program of tests finds in its environment.
struct Environment(Vec<(&'static str, String)>);

impl Environment {
    fn new(built: &[Executable], tools: &Tools, skips: &Path) -> Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(AT_ONCE);
        let mut environment = Self(vec![("RUST_TEST_THREADS", threads.to_string())]);
        for (variable, program) in PROGRAMS {
            environment.add(variable, cargo::program(program, built)?);
        }
        for (variable, path) in [
            ("PROMTOOL", &*tools.promtool),
            ("PROMETHEUS", &tools.prometheus),
            ("VICTORIA_METRICS", &tools.victoria_metrics),
            ("SSHD", &tools.sshd),
            ("NGINX", &tools.nginx),
            ("SENSOR_SKIPS", skips),
        ] {
            environment.add(variable, path);
        }
        // An ordinary user's PATH may lack the folders of ip and tc.
        let paths = env::var("PATH").unwrap_or_default();
        environment.0.push(("PATH", format!("{paths}:/usr/sbin:/sbin")));
        let settings = [
            "RUST_BACKTRACE",
            "RUST_LOG",
            "PROPTEST_CASES",
            "SENSOR_EXACT_PACKETS",
            "SENSOR_TESTS_FULL",
            "SENSOR_PICTURES",
            "CI",
        ];
        for name in settings {
            environment.0.extend(env::var(name).ok().map(|value| (name, value)));
        }
        Ok(environment)
    }

    fn add(&mut self, variable: &'static str, path: &Path) {
        self.0.push((variable, path.display().to_string()));
    }
}

/// How to run a program of tests, as cargo would: in its package's folder.
fn command(built: &Executable, environment: &Environment) -> Result<Command> {
    let integration = built.package.starts_with(shell::workspace().join(INTEGRATION));
    let mut command = if integration && !shell::is_root() {
        println!("needs root: running through sudo");
        // sudo clears the environment, so it is handed over as arguments.
        let mut command = shell::as_root("env")?;
        command.args(environment.0.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(&built.path);
        command
    } else {
        let mut command = Command::new(&built.path);
        command.envs(environment.0.iter().map(|(name, value)| (name, value)));
        command
    };
    command.current_dir(&built.package).env("CARGO_MANIFEST_DIR", &built.package);
    Ok(command)
}

/// A program's name for people: its package's folder and its target.
fn name(built: &Executable) -> String {
    let package = built.package.file_name().map_or_else(Default::default, |name| name.to_string_lossy());
    format!("{package}: {}", built.target)
}

/// The file in which tests that cannot run here say so: a line each, `name: reason`.
struct Skips {
    file: PathBuf,
}

impl Skips {
    fn start() -> Result<Self> {
        let file = shell::workspace().join("target/tools/skipped-tests");
        fs::write(&file, "").with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self { file })
    }

    fn read(&self) -> Vec<String> {
        let lines = fs::read_to_string(&self.file).unwrap_or_default();
        lines.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    }
}
