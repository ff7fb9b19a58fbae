//! The agent is asked by its Unix socket: by who may, by hostile peers, and while it starts, hangs and dies.

mod peers;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::Launch;
use sensor_harness::built;
use sensor_harness::cli::{Said, sensor};
use sensor_harness::frame::{SENSOR_V4, frame};
use sensor_harness::mix::SENSOR;
use sensor_harness::namespace::Namespace;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::{MTU, Wire};
use serde_json::Value;
use tempfile::TempDir;

/// An agent with pins, and so with a socket, of its own.
struct Scene {
    wire: Wire,
    pins: Pins,
}

impl Scene {
    fn new() -> Result<Self> {
        Ok(Self { wire: Wire::new()?, pins: Pins::new()? })
    }

    fn near(&self) -> &Namespace {
        &self.wire.near.namespace
    }

    fn launch(&self) -> Launch {
        Launch::new(self.near()).interface("sensor0").pins(&self.pins)
    }

    fn sensor(&self, arguments: &[&str]) -> Result<Said> {
        let pins = self.pins.path().display().to_string();
        sensor(self.near(), &[arguments, &["--pins", &pins]].concat())
    }

    fn connect(&self) -> Result<UnixStream> {
        connect(&self.pins.socket())
    }
}

fn connect(path: &Path) -> Result<UnixStream> {
    let stream = UnixStream::connect(path).with_context(|| path.display().to_string())?;
    // Longer than the agent waits for anybody.
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    Ok(stream)
}

/// What is said on a connection until the end of an answer.
fn answer(stream: &mut UnixStream, request: &[u8]) -> Result<Vec<Value>> {
    // Who is not listened to may still read why.
    drop(stream.write_all(request));
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let is_last = line.get("end").is_some() || line.get("error").is_some();
        lines.push(line);
        if is_last {
            return Ok(lines);
        }
    }
    Ok(lines)
}

/// The line of a status that is about something.
fn about<'a>(lines: &'a [Value], what: &str) -> Result<&'a Value> {
    lines.iter().find_map(|line| line.get(what)).with_context(|| format!("nothing about {what}: {lines:?}"))
}

#[rstest]
#[case::all_is_well("", &[], 0, &["attached in native mode, since 20", "3 packets counted and dropped", "ready         yes"])]
#[case::no_evidence("", &[], 0, &["evidence      none is kept"])]
#[case::evidence(
    "[evidence]\npath = \"EVIDENCE\"\n",
    &[],
    0,
    &["evidence      all of 3 packets kept in /"]
)]
#[case::observed("observe = true\n", &[], 0, &["observes: drops nothing", "3 packets counted, "])]
#[case::an_interface_is_missing(
    "interfaces = [\"sensor0\", \"late0\"]\n",
    &[],
    1,
    &["late0         not attached: there is no interface late0", "ready         no: there is no interface late0"]
)]
#[case::detached("", &["detach", "--interface", "sensor0"], 1, &["not attached: sensor0 was detached by `sensor detach`"])]
fn status_says_what_is_so(
    #[case] config: &str,
    #[case] before: &[&str],
    #[case] code: i32,
    #[case] words: &[&str],
) -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let interfaces = if config.contains("interfaces") { "" } else { "interfaces = [\"sensor0\"]\n" };
    let folder = TempDir::new()?;
    let config = config.replace("EVIDENCE", &folder.path().display().to_string());
    let config = format!("{interfaces}{config}{SENSOR}");
    let agent = Launch::new(scene.near()).pins(&scene.pins).config(&config).spawn()?;
    until(|| Ok(agent.get("/metrics").is_ok_and(|page| page.status == 200)), || agent.stderr())?;
    let scan = frame().ipv4().tcp(23).syn().bytes();
    Sender::new(&scene.wire)?.send(&[scan.clone(), scan.clone(), scan])?;
    if !before.is_empty() {
        let said = scene.sensor(before)?;
        assert_eq!(said.code, 0, "{said:?}");
    }
    let said = scene.sensor(&["status"])?;
    assert_eq!(said.code, code, "{said:?}");
    for words in words {
        ensure!(said.stdout.contains(words), "{words:?} is not in: {}", said.stdout);
    }
    // What is wrong, with what to do, is the last line; and so says the agent itself.
    let ready = agent.get("/readyz")?;
    assert_eq!(ready.status == 200, code == 0, "{}", ready.body);
    if code != 0 {
        ensure!(
            said.stderr.lines().last() == Some(&format!("sensor: {}", ready.body.trim_end())),
            "{said:?}"
        );
    }
    let json = scene.sensor(&["status", "--json"])?;
    let lines: Vec<Value> = json.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!((json.code, lines.last()), (code, Some(&serde_json::json!({"end": true}))));
    let counts = agent.counts()?;
    if code == 0 {
        assert_eq!(about(&lines, "sensor")?["packets"], counts.packets());
    }
    Ok(())
}

/// Two agents that could otherwise both run: of other pins, in other namespaces.
#[test]
fn a_path_is_one_agents() -> Result<()> {
    needs_root!();
    let (one, other) = (Scene::new()?, Scene::new()?);
    let folder = TempDir::new()?;
    let path = folder.path().join("s.sock");
    let config = format!("{SENSOR}[socket]\npath = \"{}\"\n", path.display());
    let first = one.launch().config(&config).start()?;
    for scene in [&other, &one] {
        let pins = Pins::new()?;
        let launch = Launch::new(scene.near()).interface("sensor0").pins(&pins).config(&config);
        let (code, said) = launch.listen("127.0.0.1:19818".parse()?).fail()?;
        assert_eq!(code, 1, "{said}");
        let last = said.lines().last().unwrap_or_default();
        ensure!(last.contains("another agent") && last.contains(&path.display().to_string()), "{said}");
        ensure!(!other.wire.near.has_xdp()?, "the second one is attached");
    }
    let text = path.display().to_string();
    let said = sensor(one.near(), &["status", "--socket", &text])?;
    assert_eq!(said.code, 0, "{said:?} {}", first.stderr());
    let said = sensor(one.near(), &["reload", "--socket", &text])?;
    assert_eq!(said.code, 0, "{said:?}");
    // `sensor detach` finds it wherever it is.
    let said = one.sensor(&["detach", "--interface", "sensor0"])?;
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    ensure!(first.get("/readyz")?.body.contains("was detached by `sensor detach`"), "{}", first.stderr());
    Ok(())
}

#[test]
fn what_a_dead_agent_has_left_is_replaced() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let path = scene.pins.socket();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let mut agent = scene.launch().start()?;
        assert_eq!(scene.sensor(&["status"])?.code, 0);
        agent.stop(signal)?;
        assert_eq!(path.exists(), signal == Signal::SIGKILL);
        let said = scene.sensor(&["status"])?;
        assert_eq!(said.code, 1);
        ensure!(said.stderr.starts_with("sensor: no agent runs here with --pins"), "{}", said.stderr);
    }
    Ok(())
}

/// The agent counts, reloads on SIGHUP, and has its socket as soon as the path can be used.
#[test]
fn a_path_that_cannot_be_used_stops_nothing() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let folder = TempDir::new()?;
    let path = folder.path().join("s.sock");
    fs::write(&path, "mine")?;
    let config = format!("{SENSOR}[socket]\npath = \"{}\"\n", path.display());
    let file = folder.path().join("sensor.toml");
    fs::write(&file, &config)?;
    let checked =
        scene.sensor(&["check", "--interface", "sensor0", "--config", &file.display().to_string()])?;
    ensure!(checked.stdout.contains("Note: no command could ask the agent: cannot listen on"), "{checked:?}");
    ensure!(checked.stdout.ends_with("`sensor run` would go ahead.\n"), "{checked:?}");
    let of_page = config.replace("[socket]", "[page]");
    fs::write(&file, &of_page)?;
    let checked =
        scene.sensor(&["check", "--interface", "sensor0", "--config", &file.display().to_string()])?;
    ensure!(
        checked.stdout.contains("Note: nobody could see the page by its socket: cannot listen on"),
        "{checked:?}"
    );
    let agent = scene.launch().config(&config).start()?;
    let log = agent.stderr();
    let words = format!("cannot listen on {}: there is something else than a socket", path.display());
    ensure!(log.contains(&words) && log.contains("`path` in [socket]"), "{log}");
    assert_eq!(fs::read_to_string(&path)?, "mine");
    // Who cannot be told still leaves alone what a person detaches.
    let said = scene.sensor(&["detach", "--interface", "sensor0"])?;
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    until(|| Ok(agent.stderr().contains("it is taken for `sensor detach`")), || agent.stderr())?;
    ensure!(!scene.wire.near.has_xdp()?, "it is attached again");
    agent.signal(Signal::SIGHUP)?;
    until(|| Ok(agent.stderr().contains("reloaded: ")), || agent.stderr())?;
    ensure!(scene.wire.near.has_xdp()?, "a reload does not attach");
    let text = path.display().to_string();
    let status = || sensor(scene.near(), &["status", "--socket", &text]);
    assert_eq!(status()?.code, 1);
    fs::remove_file(&path)?;
    until(|| Ok(status()?.code == 0), || agent.stderr())?;
    // Somebody cleans up.
    fs::remove_file(&path)?;
    until(|| Ok(status()?.code == 0), || agent.stderr())
}

/// Whoever waits for an answer is told that none comes.
#[test]
fn an_agent_that_dies_is_said_to_have() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let mut agent = scene.launch().start()?;
    agent.signal(Signal::SIGSTOP)?;
    let mut command = Command::new(built::sensor()?);
    command.args(["status", "--pins"]).arg(scene.pins.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    scene.near().start_in(&mut command, Signal::SIGKILL);
    let asking = command.spawn()?;
    // It has asked once it waits, and it waits for good; earlier the agent is gone before it is asked.
    thread::sleep(Duration::from_millis(500));
    agent.stop(Signal::SIGKILL)?;
    let said = asking.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{stderr}");
    ensure!(stderr.contains("the agent ended before it had answered"), "{stderr}");
    Ok(())
}

/// A hung agent keeps nobody from getting the host back.
#[test]
fn detach_waits_for_no_agent_that_hangs() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let agent = scene.launch().start()?;
    agent.signal(Signal::SIGSTOP)?;
    let said = scene.sensor(&["detach", "--interface", "sensor0"])?;
    agent.signal(Signal::SIGCONT)?;
    assert_eq!(said.code, 0, "{said:?}");
    ensure!(said.stderr.contains("an agent may attach to sensor0 again"), "{said:?}");
    ensure!(said.stdout.contains("detached from sensor0"), "{said:?}");
    Ok(())
}

/// `sensor detach` tells the agents of its own network namespace alone: numbers of interfaces are its own.
#[test]
fn detach_tells_no_agent_of_another_namespace() -> Result<()> {
    needs_root!();
    let (one, other) = (Scene::new()?, Scene::new()?);
    let (_first, second) = (one.launch().start()?, other.launch().start()?);
    let said = one.sensor(&["detach", "--interface", "sensor0"])?;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(second.get("/readyz")?.status, 200, "{}", second.stderr());
    Ok(())
}

/// What `docs/socket.md` shows is asked, and answered as it shows: each line with the same keys, and values of the
/// same kinds.
#[test]
fn the_document_shows_what_is_said() -> Result<()> {
    needs_root!();
    let text = fs::read_to_string(sensor_harness::workspace().join("docs/socket.md"))?;
    let blocks = text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut examples = Vec::new();
    for block in blocks {
        let lines: Vec<Value> =
            block.lines().map(serde_json::from_str).collect::<Result<_, _>>().context(block.to_owned())?;
        examples.push(lines);
    }
    let asks = |lines: &[Value]| lines.len() == 1 && lines[0].get("ask").is_some();
    let mut shown = 0;
    let near = Namespace::new()?;
    let one = Wire::between(near.clone(), "eth0", Namespace::new()?, MTU)?;
    let (pins, folder) = (Pins::new()?, TempDir::new()?);
    let evidence = format!("[evidence]\npath = \"{}\"", folder.path().display());
    let ours = "[[constituency]]\nname = \"customer\"\nprefixes = [\"203.0.113.0/24\"]";
    let config = format!("interfaces = [\"eth0\", \"eth1\"]\n{SENSOR}\n{evidence}\n{ours}");
    let agent = Launch::new(&near).pins(&pins).config(&config).spawn()?;
    let socket = pins.socket();
    until(|| Ok(agent.get("/metrics").is_ok_and(|page| page.status == 200)), || agent.stderr())?;
    // A packet that the question for evidence finds.
    let mirai = frame().ipv4().tcp(23).syn().sequence(SENSOR_V4.into()).from([203, 0, 113, 9]);
    Sender::new(&one)?.send(&[mirai.padded(60).bytes()])?;
    until(|| Ok(fs::read_dir(folder.path())?.count() > 1), || agent.stderr())?;
    for pair in examples.windows(2).filter(|pair| asks(&pair[0]) && !asks(&pair[1])) {
        let request = format!("{}\n", pair[0][0]);
        let said = answer(&mut connect(&socket)?, request.as_bytes())?;
        let kinds = |lines: &[Value]| lines.iter().map(kind).collect::<Vec<_>>();
        assert_eq!(kinds(&said), kinds(&pair[1]), "{request}: {said:#?}");
        shown += 1;
    }
    ensure!(shown >= 5, "only {shown} examples were found");
    Ok(())
}

/// What a value is made of: keys, and what kind each has. What may be null, or is counted, is not compared.
fn kind(value: &Value) -> Value {
    match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), kind(value))).collect(),
        Value::Array(values) => values.iter().map(kind).collect(),
        Value::Bool(_) => "true or false".into(),
        Value::Number(_) => "a number".into(),
        Value::String(_) | Value::Null => "a text, or null".into(),
    }
}

/// Nothing of a socket is left where the agent was to leave nothing.
#[test]
fn the_file_goes_with_the_agent() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = TempDir::new()?;
    let path: PathBuf = folder.path().join("made").join("s.sock");
    let config = format!("[socket]\npath = \"{}\"\n", path.display());
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
    let mut stream = connect(&path)?;
    let mode = fs::metadata(folder.path().join("made"))?.mode() & 0o777;
    agent.stop(Signal::SIGTERM)?;
    let mut rest = String::new();
    stream.read_to_string(&mut rest)?;
    assert_eq!((mode, path.exists(), rest.as_str()), (0o755, false, ""));
    Ok(())
}
