//! Every alert of `fleet/rules` through a real Prometheus: what it is for really happens to agents, the alert fires for
//! them, and for nobody else. Only the times of the rules are shortened, see [`sensor_tests::hasty`].

mod host;
mod server;
mod traffic;
mod trouble;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, iter};

use anyhow::{Context as _, Result, ensure};
use sensor_harness::bpf::detach_link;
use sensor_harness::namespace::Namespace;
use sensor_harness::sender::Sender;
use sensor_harness::skip::Missing;
use sensor_harness::{needs, needs_root, prometheus, workspace};
use sensor_tests::hasty::HASTY_HOUR;

use self::host::{Host, Second};
use self::server::Server;
use self::traffic::{EndOf, SCANNERS, Traffic, address, attacked, constituents, crowd, mirai, rst, syn};
use self::trouble::Library;

/// An alert, and what makes it fire.
struct Row {
    alert: &'static str,
    /// What happens.
    cause: &'static str,
    /// Of what it must fire: instances, sensors, regions, ports.
    of: &'static [&'static str],
    /// Of what else it may fire, for what happens to those is a cause too.
    also: &'static [&'static str],
}

const fn row(alert: &'static str, cause: &'static str, of: &'static [&'static str]) -> Row {
    Row { alert, cause, of, also: &[] }
}

/// Every alert there is.
const TABLE: &[Row] = &[
    // The agent of `open` is away until the time for its confirmation is over; one that restarts is away for a moment.
    Row { also: &["open", "restarting"], ..row("SensorHostDown", "the agent is killed", &["down"]) },
    row("SensorDetached", "`sensor detach`; the interface is gone", &["detached", "gone"]),
    row(
        "SensorAnswersDropped",
        "others detach the egress program, and the kernel does not take it again",
        &["mute"],
    ),
    row(
        "SensorPassesEverything",
        "the agent is killed before it is confirmed, and started much later",
        &["open"],
    ),
    row(
        "SensorGenericMode",
        "an interface has no native XDP, and the host has no label that says so",
        &["generic"],
    ),
    row("SensorClockOff", "the host's clock goes ahead by an hour", &["ahead"]),
    row("SensorDrainsFail", "the kernel refuses to read a map", &["failing"]),
    row("SensorStoreFailing", "the folder of the store cannot be made", &["losing"]),
    row("SensorNoticeLogFailing", "the folder of the event log cannot be made", &["losing"]),
    row(
        "SensorRestarts",
        "the agent is killed and started again three times; others at most twice",
        &["restarting"],
    ),
    row("SensorMissing", "the host is taken out of the targets' file", &["of-forgotten"]),
    row("SensorSilent", "packets no longer come for one of the sensors of a host", &["silent"]),
    // One whose agent was never confirmed counted nothing for a while.
    Row {
        also: &["of-open", "silent"],
        ..row("SensorFell", "packets come much more seldom for two of the sensors", &["asia-1", "asia-2"])
    },
    row("RegionFell", "and these are all sensors of their region", &["asia"]),
    row("SensorEvidenceLost", "the folder of evidence cannot be made", &["of-losing"]),
    // What is lost is not kept either.
    Row {
        also: &["of-losing"],
        ..row("SensorEvidenceThin", "more packets come than the budget pays for", &["of-thin"])
    },
    row(
        "SensorUpstreamFilter",
        "three known scanners are shut out of a sensor; a fourth stops everywhere",
        &["overseas-4"],
    ),
    row("SensorPortFiltered", "a port is shut on the same sensor", &["overseas-4 23"]),
    row("SensorListStale", "the file of countries is not there", &["losing"]),
    row("SensorRollupsMissing", "Prometheus is reloaded without rollup.yml", &[""]),
    row("PortSurgesOnOneSensor", "many packets to a port of one sensor", &["japan-1 1001"]),
    row("PortSurgesInOneRegion", "many packets to a port of all sensors of a region", &["japan 1002"]),
    // One that was new is so no more once its first day is in the baselines, should all of this take as long as that.
    Row {
        also: &[" 1004"],
        ..row("PortSurgesEverywhere", "many packets to a port of every sensor", &[" 1003"])
    },
    row("NewPort", "many packets to a port that had none before", &[" 1004"]),
    row("ToolSurges", "many SYNs with Mirai's mark", &["mirai"]),
    row("BackscatterSurges", "many segments with RST", &["rst"]),
    row("ConstituencySends", "SYNs from an address of a constituency", &["japan-1"]),
    row("ConstituencyAttacked", "segments with RST from an address of a constituency", &["busy"]),
    row("SensorNoticesOver", "SYNs from more of its addresses than wait for the store", &["busy"]),
];

/// Hosts of one sensor, which is called after them: what happens to them stands in the table. Nothing ever happens to
/// `labelled`, whose second interface has no native XDP and a label that says so, nor to `busy`.
const HOSTS: [&str; 13] = [
    "labelled",
    "down",
    "detached",
    "gone",
    "mute",
    "open",
    "generic",
    "ahead",
    "failing",
    "restarting",
    "forgotten",
    "losing",
    "thin",
];

/// Those that are in trouble from the start, and not scraped before.
const TROUBLED: [&str; 3] = ["generic", "losing", "thin"];

/// Sensors of the host `busy`, with their regions.
const SENSORS: [(&str, &str); 11] = [
    ("japan-1", "japan"),
    ("japan-2", "japan"),
    ("japan-3", "japan"),
    ("japan-4", "japan"),
    ("overseas-1", "overseas"),
    ("overseas-2", "overseas"),
    ("overseas-3", "overseas"),
    ("overseas-4", "overseas"),
    ("asia-1", "asia"),
    ("asia-2", "asia"),
    ("silent", "japan"),
];
/// All but the last.
const BUSY: usize = 10;
/// All that packets come to as ever, to the end.
const STEADY: usize = 8;
/// What an upstream filter shuts known scanners and a port out of, from the silence on: among the steady.
const FILTERED: usize = 7;
/// Of how many rounds of packets the two of Asia get one, once they have fallen.
const SELDOM: u32 = 4;

/// Ports that get packets all the time: the last three surge, on one sensor, in one region, and everywhere.
const PORTS: [u16; 4] = [23, 1_001, 1_002, 1_003];
/// A port that nobody sent anything to.
const NEW: u16 = 1_004;

/// How long an agent waits to be confirmed, and how long nobody comes: longer than the range of
/// `SensorPassesEverything`, which is ten seconds here.
const CONFIRM: &str = "10s";
const AWAY: Duration = Duration::from_secs(12);

#[test]
fn every_alert_has_a_row() -> Result<()> {
    let mut alerts = Vec::new();
    for file in fs::read_dir(workspace().join("fleet/rules"))? {
        let path = file?.path();
        if path.is_file() {
            let rules = fs::read_to_string(path)?;
            let lines = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
            alerts.extend(lines.map(str::to_owned));
        }
    }
    alerts.sort();
    let mut rows: Vec<_> = TABLE.iter().map(|row| row.alert.to_owned()).collect();
    rows.sort();
    assert_eq!(rows, alerts, "each alert is in TABLE once: what makes it fire, and of whom");
    Ok(())
}

#[test]
fn every_alert_fires_for_what_it_is_for_and_for_nothing_else() -> Result<()> {
    needs!(prometheus::installed());
    needs_root!();
    let library = needs!(Library::new()?);
    let network = Namespace::new()?;
    let evidence = tempfile::tempdir()?;
    let busy = config(&SENSORS) + &known_scanners(evidence.path())?;
    let busy = Host::start((0, "busy"), &network, &busy, None, "env")?;
    let hosts = (1..).zip(HOSTS).map(|host| start(host, &network, &library, evidence.path()));
    let mut fleet = Fleet { busy, hosts: hosts.collect::<Result<_>>()?, library };
    // A filter of clsact, which there was before, is not attached by the call that the library can refuse.
    let missing = || Missing::new("before Linux 6.6 the egress program has no link");
    let egress = needs!(fleet.host("mute")?.egress_link()?.ok_or_else(missing));
    let traffic = Traffic::to(&fleet);
    thread::scope(|scope| {
        let traffic_ends = scope.spawn(|| traffic.send());
        let ends = EndOf(&traffic.stop);
        let done = everything(&network, &mut fleet, &traffic, egress);
        drop(ends);
        traffic_ends.join().expect("it does not panic")?;
        done
    })
}

/// All of it, one after the other: what takes long to show goes on meanwhile.
fn everything(network: &Namespace, fleet: &mut Fleet, traffic: &Traffic, egress: u32) -> Result<()> {
    let server = Server::start(network, fleet.without(&TROUBLED))?;
    let sensors = SENSORS.len() + HOSTS.len() - TROUBLED.len();
    server.wait_for(&format!("count(last_over_time(sensor:region:last1h[10s])) >= {sensors}"))?;
    only(&server, |_| false)?;
    get_into_trouble(&server, fleet, egress)?;
    // What falls has had its baseline.
    server.wait_for("count(last_over_time(sensor:total:median28d[20s]) >= 100) >= 10")?;
    traffic.silence.store(true, Ordering::SeqCst);
    let of_hosts = |row: &Row| !of_ports(row) && !of_notices(row) && !of_rollups(row);
    wait(&server, fleet, of_hosts)?;
    surge(&server, &fleet.busy, || wait(&server, fleet, of_ports))?;
    wait(&server, fleet, of_notices)?;
    // Three of these hours are nine seconds: a machine that stalls for so long rolls none of them up.
    only(&server, |_| true)?;
    server.take_rules("rollup.yml")?;
    wait(&server, fleet, of_rollups)?;
    only(&server, |_| true)
}

fn of_ports(row: &Row) -> bool {
    row.alert.contains("Port") || row.alert.ends_with("Surges") || row.alert == "ConstituencySends"
}

/// What shows once notices are written: if the surge went on until then, ports that were new would be so no more.
fn of_notices(row: &Row) -> bool {
    ["ConstituencyAttacked", "SensorNoticesOver"].contains(&row.alert)
}

fn of_rollups(row: &Row) -> bool {
    row.alert == "SensorRollupsMissing"
}

/// Waits until all of these alerts fire of all that they must fire of.
fn wait(server: &Server, fleet: &Fleet, which: fn(&Row) -> bool) -> Result<()> {
    for row in TABLE.iter().filter(|row| which(row)) {
        for of in row.of {
            let logs =
                || fleet.hosts.iter().filter(|host| host.name == *of).map(Host::log).collect::<String>();
            server.fires(row.alert, of).with_context(|| format!("cause: {}; {}", row.cause, logs()))?;
        }
    }
    Ok(())
}

/// Nothing has fired but these alerts, and of nothing but what they must or may fire of.
fn only(server: &Server, which: fn(&Row) -> bool) -> Result<()> {
    let mut may = BTreeSet::new();
    for row in TABLE.iter().filter(|row| which(row)) {
        may.extend(row.of.iter().chain(row.also).map(|of| (row.alert.to_owned(), (*of).to_owned())));
    }
    let fired = server.fired()?;
    let wrong: Vec<_> = fired.difference(&may).collect();
    ensure!(wrong.is_empty(), "these should not have fired: {wrong:?}");
    let errors = server.errors()?;
    ensure!(errors.is_empty(), "rules failed: {errors:?}");
    Ok(())
}

/// Everything of the table that happens to hosts.
fn get_into_trouble(server: &Server, fleet: &mut Fleet, egress: u32) -> Result<()> {
    fleet.library.begin("ahead", "clock")?;
    fleet.library.begin("failing", "maps")?;
    fleet.library.begin("mute", "egress")?;
    detach_link(egress)?;
    fleet.host("down")?.kill()?;
    fleet.host("detached")?.detach()?;
    fleet.host("gone")?.take_away()?;
    let open = fleet.host("open")?;
    open.kill()?;
    open.start_again(&["--confirm-within", CONFIRM])?;
    open.kill()?;
    let away = Instant::now();
    // One is forgotten, and some are new.
    server.scrape(fleet.without(&["forgotten"]))?;
    let restarting = fleet.host("restarting")?;
    for restarts in 1..=3 {
        // Times of a start are in whole seconds.
        thread::sleep(Duration::from_secs(1));
        restarting.kill()?;
        restarting.start_again(&[])?;
        let starts = r#"changes(process_start_time_seconds{instance="restarting"}[5m])"#;
        server.wait_for(&format!("{starts} >= {restarts}"))?;
    }
    thread::sleep(AWAY.saturating_sub(away.elapsed()));
    fleet.host("open")?.start_again(&[])
}

/// All hosts.
struct Fleet {
    busy: Host,
    hosts: Vec<Host>,
    library: Library,
}

impl Fleet {
    fn host(&mut self, name: &str) -> Result<&mut Host> {
        self.hosts
            .iter_mut()
            .find(|host| host.name == name)
            .with_context(|| format!("no host is called {name}"))
    }

    /// All but these.
    fn without(&self, names: &[&str]) -> impl Iterator<Item = &Host> {
        iter::once(&self.busy).chain(self.hosts.iter().filter(|host| !names.contains(&host.name)))
    }
}

fn start(
    (number, name): (u8, &'static str),
    network: &Namespace,
    library: &Library,
    evidence: &Path,
) -> Result<Host> {
    let second = match name {
        "labelled" | "generic" => Some(Second::Slow),
        "detached" | "gone" => Some(Second::Veth),
        _ => None,
    };
    let by = match name {
        "ahead" | "failing" | "mute" => library.preloaded(name)?,
        _ => "env".to_owned(),
    };
    let sensor = format!("of-{name}");
    let evidence = match name {
        // Nobody makes a folder there, or a file.
        "losing" => "[evidence]\npath = \"/proc/evidence\"\n[store]\npath = \"/proc/store\"\n\
                     [sources]\ncountries = \"/proc/countries.mmdb\"\n[notices]\nlog = \"/proc/log/notices\"\n"
            .to_owned(),
        "thin" => {
            let folder = evidence.display();
            format!("[evidence]\npath = \"{folder}\"\nbudget = 1\n[store]\npath = \"{folder}/store\"\n")
        }
        _ => String::new(),
    };
    let config = config(&[(&sensor, "overseas")]) + &evidence;
    Host::start((number, name), network, &config, second, &by)
}

fn config(sensors: &[(&str, &str)]) -> String {
    let ports: Vec<_> = PORTS.iter().chain([&NEW]).map(|port| format!("{port}/tcp")).collect();
    let of = |(at, (name, region)): (usize, &(&str, &str))| {
        format!("[[sensor]]\nname = {name:?}\nregion = {region:?}\nprefixes = [\"{}/32\"]\n", address(at))
    };
    let sensors: String = sensors.iter().enumerate().map(of).collect();
    let constituency = "[[constituency]]\nname = \"ours\"\nprefixes = [\"192.0.2.0/24\", \"10.0.0.0/8\"]\n";
    format!("drain_interval = \"1s\"\n{sensors}{constituency}[export]\nports = {ports:?}\n")
}

/// Settings of a host that tells known scanners, and victims soon, and keeps the whole crowd as evidence.
fn known_scanners(folder: &Path) -> Result<String> {
    let list = folder.join("known-scanners.csv");
    let lines = SCANNERS.iter().map(|(name, address)| format!("{address}/32,{name}\n"));
    fs::write(&list, lines.collect::<String>())?;
    let (folder, list) = (folder.join("busy"), list.display());
    let folder = folder.display();
    Ok(format!(
        "[evidence]\npath = \"{folder}\"\nbudget = 200000\n[store]\npath = \"{folder}/store\"\n\
         [sources]\nknown_scanners = \"{list}\"\nvictim_time = \"1s\"\n"
    ))
}

/// A port surges on one sensor, another in one region, a third everywhere, made by Mirai and by backscatter; and one is new.
/// It goes on day after day, until `seen` says so.
fn surge(server: &Server, busy: &Host, seen: impl FnOnce() -> Result<()>) -> Result<()> {
    server.wait_for(&format!("last_over_time(fleet:surge:judged[4s]) >= {BUSY}"))?;
    server.wait_for(&format!(
        "count(last_over_time(sensor:packets:median28d{{port=\"1003\"}}[20s]) > 0) >= {BUSY}"
    ))?;
    let of = |made: fn(usize, u16) -> Vec<u8>, port: u16, sensors: &[usize]| {
        sensors.iter().map(|sensor| made(*sensor, port)).collect::<Vec<_>>()
    };
    let all: Vec<usize> = (0..BUSY).collect();
    let frames = [
        of(syn, 1_001, &[0]),
        of(constituents, 1_001, &[0]),
        of(attacked, 1_001, &[0]),
        of(syn, 1_002, &[0, 1, 2, 3]),
        of(mirai, 1_003, &all),
        of(rst, 1_003, &all),
        of(syn, NEW, &[0, 4]),
    ];
    let burst: Vec<_> = iter::repeat_n(frames.concat(), 300).flatten().collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let surging = scope.spawn(|| {
            let sender = Sender::new(&busy.wire)?;
            sender.send(&crowd(0, 1_001))?;
            while !stop.load(Ordering::SeqCst) {
                sender.send(&burst)?;
                thread::sleep(Duration::from_millis(HASTY_HOUR));
            }
            anyhow::Ok(())
        });
        let ends = EndOf(&stop);
        let done = seen();
        drop(ends);
        surging.join().expect("it does not panic")?;
        done
    })
}
