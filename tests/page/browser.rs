//! A real browser, Debian's Chromium without a window, where the agent is: in its namespace, with no other network. It is
//! spoken to by the protocol of its developers' tools, over pipes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor_harness::namespace::Namespace;
use sensor_harness::skip::{self, Missing};
use sensor_harness::workspace;
use serde_json::{Value, json};

/// What a reader would see of a page.
const MEASURE: &str = r##"(() => {
  const page = document.documentElement;
  const stray = [...document.querySelectorAll("body *")].filter((element) =>
    !element.closest(".scroll, svg, pre, .hidden, .skip") && element.getBoundingClientRect().right > page.clientWidth + 1);
  return {
    width: page.clientWidth, scroll: page.scrollWidth,
    stray: stray.map((element) => element.tagName + "." + element.className),
    curves: [...document.querySelectorAll(".spark, .curve")].map((svg) => svg.getBoundingClientRect().width),
    map: document.querySelectorAll(".map path[class]").length,
    rows: document.querySelectorAll("#ranking tbody tr").length,
    paper: getComputedStyle(document.body).backgroundColor,
    bold: document.querySelectorAll("h1 i, h3 i, td i, th b, .name b").length,
    text: document.body.innerText,
  };
})()"##;

/// Which page is shown, how.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub width: u32,
    pub scheme: &'static str,
    pub media: &'static str,
    pub script: bool,
}

/// A browser with a page open.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
    next: u64,
    session: Option<String>,
    /// What it has told by itself since it was last looked at.
    events: Vec<Value>,
}

/// Whether the browser is here, and axe-core.
pub fn installed() -> Result<(), Missing> {
    skip::root()?;
    let there =
        Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) || !axe_file().is_file() {
        return Err(Missing::new("no chromium or no axe-core: run `cargo xtask setup`"));
    }
    Ok(())
}

fn axe_file() -> std::path::PathBuf {
    workspace().join("target/tools/axe/package/axe.min.js")
}

impl Browser {
    pub fn start(namespace: &Namespace) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // Its pipes are descriptors 3 and 4.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
            --disable-dev-shm-usage --disable-background-networking --disable-component-update --disable-sync \
            --user-data-dir=\"$HOME/profile\" --remote-debugging-pipe about:blank 3<&0 4>&1 </dev/null >/dev/null";
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("HOME", folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(folder.path().join("log"))?);
        command.process_group(0);
        namespace.start_in(&mut command, Signal::SIGKILL);
        let mut child = command.spawn().context("cannot run Chromium")?;
        let to = child.stdin.take().context("its stdin is piped")?;
        let from = BufReader::new(child.stdout.take().context("its stdout is piped")?);
        let mut browser = Self { child, to, from, folder, next: 0, session: None, events: Vec::new() };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}))?;
        let attached = browser
            .call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}))?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// Opens a page, as it is shown so.
    pub fn open(&mut self, url: &str, look: Look) -> Result<()> {
        let Look { width, scheme, media, script } = look;
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &size)?;
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"media": media, "features": features}))?;
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": !script}))?;
        self.events.clear();
        self.call("Page.navigate", &json!({"url": url}))?;
        self.wait_for("Page.loadEventFired")
    }

    /// What a reader sees of it.
    pub fn measured(&mut self) -> Result<Value> {
        self.evaluated(MEASURE)
    }

    /// What axe-core finds that keeps people from reading it: rules, and where they are broken.
    pub fn violations(&mut self) -> Result<Vec<String>> {
        let axe = std::fs::read_to_string(axe_file())?;
        self.evaluated(&format!("{axe}; true"))?;
        let found = self.evaluated(
            "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.map((it) => \
             it.id + ': ' + it.nodes.map((node) => node.target.join(' ') + ' ' + (node.any[0] || {message: ''}).message).join(' | ')))",
        )?;
        Ok(found.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect())
    }

    /// What was said on the console since the page was opened, by it or about it.
    pub fn console(&self) -> Vec<String> {
        let is_said = |event: &&Value| {
            matches!(
                event["method"].as_str(),
                Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded")
            )
        };
        self.events.iter().filter(is_said).map(Value::to_string).collect()
    }

    /// Where it has asked for something since.
    pub fn asked_for(&self) -> BTreeSet<String> {
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.filter_map(|event| event["params"]["request"]["url"].as_str().map(str::to_owned)).collect()
    }

    /// A picture of the whole page, as PNG in base64, if somebody wants to look: `SENSOR_PICTURES` names a folder.
    pub fn picture(&mut self, name: &str) -> Result<()> {
        let Some(folder) = std::env::var_os("SENSOR_PICTURES") else { return Ok(()) };
        let taken = self.call("Page.captureScreenshot", &json!({"captureBeyondViewport": true}))?;
        let text = taken["data"].as_str().context("no picture")?;
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png.base64")), text)?;
        Ok(())
    }

    /// What an expression is worth in the page, once what it promises is there.
    pub fn evaluated(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut said = self.call("Runtime.evaluate", &asked)?;
        ensure!(said.get("exceptionDetails").is_none(), "{said}");
        Ok(said["result"]["value"].take())
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        write!(self.to, "{message}\0")?;
        self.to.flush()?;
        loop {
            let mut said = self.message()?;
            if said["id"] == id {
                ensure!(said.get("error").is_none(), "{method}: {said}");
                return Ok(said["result"].take());
            }
            self.events.push(said);
        }
    }

    fn wait_for(&mut self, event: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.events.iter().any(|said| said["method"] == event) {
            ensure!(Instant::now() < deadline, "no {event}");
            let said = self.message()?;
            self.events.push(said);
        }
        Ok(())
    }

    fn message(&mut self) -> Result<Value> {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes)?;
        if bytes.pop() != Some(0) {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            bail!("Chromium has gone: {log}");
        }
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With all that it has started; that fails only if they are gone already.
        let _gone = kill(Pid::from_raw(-self.child.id().cast_signed()), Signal::SIGKILL);
        drop(self.child.wait());
    }
}
