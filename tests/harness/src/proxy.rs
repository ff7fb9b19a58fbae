//! A Prometheus as it stands in most houses: behind Debian's nginx, which asks for TLS and a token.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::namespace::Namespace;
use crate::pace::until;
use crate::prometheus::brought;
use crate::skip::Missing;

/// The token that it wants.
pub const TOKEN: &str = "dG9rZW4-of_the~report";

/// What signs a certificate, and what it is for.
const AUTHORITY: &str = "-x509 -subj /CN=The-house -addext keyUsage=critical,keyCertSign";
const CERTIFICATE: &str = "-x509 -CA authority.pem -CAkey authority.key -subj /CN=prometheus \
                           -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost";

/// nginx: what `NGINX` names, or what `cargo xtask setup` unpacked, or the system's.
///
/// # Errors
/// If it isn't here.
pub fn nginx() -> Result<PathBuf, Missing> {
    brought("NGINX", "nginx", "nginx")
}

/// A running nginx with a certificate for `localhost`, in a folder of its own; dropping it kills it and removes the
/// folder.
#[derive(Debug)]
pub struct Proxy {
    _daemon: Daemon,
    folder: TempDir,
}

impl Proxy {
    /// Starts it in a namespace, in front of what serves at `behind`: all of that is below `/prometheus/`.
    ///
    /// # Errors
    /// If it isn't there or does not start; the error has its log.
    pub fn start(namespace: &Namespace, listen: SocketAddr, behind: SocketAddr) -> Result<Self> {
        Self::serving(namespace, listen, &server(listen, behind), &[])
    }

    /// Starts it in a namespace with this `server` block, which listens there and has the certificate `server.pem`; these files,
    /// by name, are beside that.
    ///
    /// # Errors
    /// As [`Proxy::start`].
    pub fn serving(
        namespace: &Namespace,
        listen: SocketAddr,
        server: &str,
        files: &[(&str, &str)],
    ) -> Result<Self> {
        let program = nginx()?;
        let folder = tempfile::tempdir()?;
        certificate(folder.path(), "authority", AUTHORITY)?;
        certificate(folder.path(), "server", CERTIFICATE)?;
        std::fs::write(folder.path().join("nginx.conf"), config(server))?;
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text)?;
        }
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "log"]);
        let daemon = Daemon::start(namespace, command, &folder.path().join("said"))?;
        let proxy = Self { _daemon: daemon, folder };
        until(
            || Ok(namespace.run(|| TcpStream::connect(listen))?.is_ok()),
            || format!("nginx does not listen: {}", proxy.log()),
        )?;
        Ok(proxy)
    }

    /// What it has said and logged.
    #[must_use]
    pub fn log(&self) -> String {
        ["said", "log"].map(|name| std::fs::read_to_string(self.path(name)).unwrap_or_default()).concat()
    }

    /// A file in its folder: `authority.pem`, the certificate of who signed its own, is one.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn config(server: &str) -> String {
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {kind};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid pid;\nevents {{}}\nhttp {{\n  access_log off;\n{folders}{server}}}\n"
    )
}

/// In front of what serves at `behind`, below `/prometheus/`, for who has the token.
fn server(listen: SocketAddr, behind: SocketAddr) -> String {
    format!(
        "  server {{
    listen {listen} ssl;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    location /prometheus/ {{
      if ($http_authorization != \"Bearer {TOKEN}\") {{ return 401; }}
      proxy_pass http://{behind}/;
    }}
  }}\n"
    )
}

/// Makes `NAME.pem` and `NAME.key` in a folder.
fn certificate(folder: &Path, name: &str, what: &str) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split_whitespace());
    command.args(what.split_whitespace());
    command.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
    let output = command.current_dir(folder).output().context("cannot run openssl")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
