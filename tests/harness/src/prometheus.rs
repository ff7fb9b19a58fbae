//! Debian's Prometheus: the server, and `promtool`.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::http;
use crate::namespace::Namespace;
use crate::pace::until;
use crate::skip::{self, Missing};
use crate::workspace;

/// `promtool`: what `PROMTOOL` names, or what `cargo xtask setup` brought, or the system's.
///
/// # Errors
/// If it isn't here.
pub fn promtool() -> Result<PathBuf, Missing> {
    program("PROMTOOL", "promtool")
}

/// The server: what `PROMETHEUS` names, or what `cargo xtask setup` brought, or the system's.
///
/// # Errors
/// If it isn't here.
pub fn server() -> Result<PathBuf, Missing> {
    program("PROMETHEUS", "prometheus")
}

/// Whether a test can run the server and `promtool` in namespaces.
///
/// # Errors
/// If one of them isn't here, or without root.
pub fn installed() -> Result<(), Missing> {
    server()?;
    promtool()?;
    skip::root()
}

fn program(variable: &str, name: &str) -> Result<PathBuf, Missing> {
    brought(variable, "prometheus", name)
}

/// What an environment variable names, or what `cargo xtask setup` unpacked of a package, or the system's.
pub(crate) fn brought(variable: &str, package: &str, name: &str) -> Result<PathBuf, Missing> {
    let unpacked = workspace().join("target/tools").join(package).join("usr");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        [unpacked.join("bin"), unpacked.join("sbin")].into_iter().chain(std::env::split_paths(&path));
    let named = std::env::var_os(variable).map(PathBuf::from);
    let mut candidates = named.into_iter().chain(folders.map(|folder| folder.join(name)));
    let found = candidates.find(|path| path.is_file());
    found.ok_or_else(|| Missing::new(format!("{name} is not here: `cargo xtask setup` brings it")))
}

/// Runs `promtool` and gives what it says.
///
/// # Errors
/// If it isn't there, or fails; the error has what it said.
pub fn run_promtool<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<String> {
    let output = Command::new(promtool()?).args(arguments).output().context("cannot run promtool")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(output.status.success(), "promtool: {said}");
    Ok(said)
}

/// A running server with a folder of its own; dropping it kills it and removes the folder.
#[derive(Debug)]
pub struct Prometheus {
    daemon: Daemon,
    namespace: Namespace,
    /// Where it answers.
    pub listen: SocketAddr,
    flags: Vec<String>,
    folder: TempDir,
}

impl Prometheus {
    /// Starts a server with this configuration (YAML) in a namespace, and waits until it is ready. Further flags
    /// come after those for its address, its folder and a retention of ten years.
    ///
    /// # Errors
    /// If it isn't there or does not start; the error has its log.
    pub fn start(namespace: &Namespace, listen: SocketAddr, config: &str, flags: &[&str]) -> Result<Self> {
        Self::with_folder(namespace, listen, config, flags, tempfile::tempdir()?)
    }

    /// As [`Prometheus::start`], in a folder whose `data` may already have blocks, as `promtool` makes them.
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub fn with_folder(
        namespace: &Namespace,
        listen: SocketAddr,
        config: &str,
        flags: &[&str],
        folder: TempDir,
    ) -> Result<Self> {
        std::fs::write(folder.path().join("prometheus.yml"), config)?;
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let daemon = spawn(namespace, listen, &flags, folder.path())?;
        let server = Self { daemon, namespace: namespace.clone(), listen, flags, folder };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Kills it. Its folder stays, for [`Prometheus::start_again`].
    ///
    /// # Errors
    /// If it is gone already.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon.kill()
    }

    /// Has it read its configuration and rules again, some time soon.
    ///
    /// # Errors
    /// If it is gone.
    pub fn reload(&self) -> Result<()> {
        self.daemon.signal(Signal::SIGHUP)
    }

    /// Starts it again in its folder, after [`Prometheus::kill`].
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.start_again_with(&[])
    }

    /// As [`Prometheus::start_again`], with more flags.
    ///
    /// # Errors
    /// As [`Prometheus::start`].
    pub fn start_again_with(&mut self, flags: &[&str]) -> Result<()> {
        self.flags.extend(flags.iter().map(ToString::to_string));
        self.daemon = spawn(&self.namespace, self.listen, &self.flags, self.folder.path())?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&self) -> Result<()> {
        until(
            || Ok(http::get(&self.namespace, self.listen, "/-/ready").is_ok_and(|it| it.status == 200)),
            || format!("prometheus is not ready: {}", self.log()),
        )
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its folder, with `prometheus.yml` and `data`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its address for clients in the same namespace.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The answer to an instant query, evaluated at a time in Unix seconds or now: its `data.result`.
    ///
    /// # Errors
    /// If it refuses the query, with its reason.
    pub fn query(&self, expression: &str, time: Option<f64>) -> Result<Vec<serde_json::Value>> {
        let time = time.map(|time| format!("&time={time}")).unwrap_or_default();
        self.api(&format!("/api/v1/query?query={}{time}", encode(expression)))
    }

    /// The answer to a range query with times and step in seconds: its `data.result`.
    ///
    /// # Errors
    /// If it refuses the query, with its reason.
    pub fn query_range(
        &self,
        expression: &str,
        (start, end): (f64, f64),
        step: f64,
    ) -> Result<Vec<serde_json::Value>> {
        let expression = encode(expression);
        self.api(&format!("/api/v1/query_range?query={expression}&start={start}&end={end}&step={step}"))
    }

    fn api(&self, path: &str) -> Result<Vec<serde_json::Value>> {
        api(&self.namespace, self.listen, path)
    }
}

/// What a server answers that has this API: its `data.result`.
pub(crate) fn api(namespace: &Namespace, listen: SocketAddr, path: &str) -> Result<Vec<serde_json::Value>> {
    let response = http::get(namespace, listen, path)?;
    let mut answer: serde_json::Value =
        serde_json::from_str(&response.body).with_context(|| format!("{path}: {}", response.body))?;
    ensure!(response.status == 200, "{path}: {}", answer["error"]);
    match answer["data"]["result"].take() {
        serde_json::Value::Array(rows) => Ok(rows),
        other => Ok(vec![other]),
    }
}

/// Runs the server in its folder; its log there goes on.
fn spawn(namespace: &Namespace, listen: SocketAddr, flags: &[String], folder: &Path) -> Result<Daemon> {
    let mut command = Command::new(server()?);
    command
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--web.listen-address={listen}"))
        .args(flags)
        .current_dir(folder);
    if !flags.iter().any(|flag| flag == "--enable-feature=agent") {
        command
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg("--storage.tsdb.retention.time=10y");
    }
    Daemon::start(namespace, command, &folder.join("log"))
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
#[must_use]
pub fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
