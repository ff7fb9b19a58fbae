//! Debian's VictoriaMetrics: another engine that takes remote write.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::http;
use crate::namespace::Namespace;
use crate::pace::until;
use crate::prometheus::{api, brought, encode};
use crate::skip::Missing;

/// The server: what `VICTORIA_METRICS` names, or what `cargo xtask setup` brought, or the system's.
///
/// # Errors
/// If it isn't here.
pub fn server() -> Result<PathBuf, Missing> {
    brought("VICTORIA_METRICS", "victoria-metrics", "victoria-metrics")
}

/// A running server with a folder of its own; dropping it kills it and removes the folder.
#[derive(Debug)]
pub struct VictoriaMetrics {
    _daemon: Daemon,
    namespace: Namespace,
    listen: SocketAddr,
    folder: TempDir,
}

impl VictoriaMetrics {
    /// Starts a server in a namespace, and waits until it answers.
    ///
    /// # Errors
    /// If it isn't there or does not start; the error has its log.
    pub fn start(namespace: &Namespace, listen: SocketAddr) -> Result<Self> {
        let program = server()?;
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command
            .arg(format!("-storageDataPath={}", folder.path().join("data").display()))
            .arg(format!("-httpListenAddr={listen}"))
            // A query sees what came just now.
            .arg("-search.latencyOffset=1ms");
        let daemon = Daemon::start(namespace, command, &folder.path().join("log"))?;
        let server = Self { _daemon: daemon, namespace: namespace.clone(), listen, folder };
        until(
            || Ok(http::get(namespace, listen, "/health").is_ok_and(|it| it.status == 200)),
            || format!("victoria-metrics does not answer: {}", server.log()),
        )?;
        Ok(server)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The answer to an instant query, evaluated now: its `data.result`.
    ///
    /// # Errors
    /// If it refuses the query, with its reason.
    pub fn query(&self, expression: &str) -> Result<Vec<serde_json::Value>> {
        // What it has answered once is answered from its cache otherwise.
        let path = format!("/api/v1/query?nocache=1&query={}", encode(expression));
        api(&self.namespace, self.listen, &path)
    }
}
