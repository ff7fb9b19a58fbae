//! `sensor doctor` on interfaces that can do much, little and nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::agent::{Launch, PublicCopy};
use sensor_harness::bpf::XdpAction;
use sensor_harness::cli::{self, Said, sensor};
use sensor_harness::foreign::Foreign;
use sensor_harness::pins::Pins;
use sensor_harness::skip::Missing;
use sensor_harness::wire::Wire;
use sensor_harness::{needs, needs_root, skip};
use serde_json::Value;

fn doctor(wire: &Wire, interface: &str) -> Result<(Said, Value)> {
    let said = sensor(&wire.near.namespace, &["doctor", "--interface", interface, "--json"])?;
    let report = serde_json::from_str(&said.stdout).with_context(|| format!("{said:?}"))?;
    Ok((said, report))
}

/// The finding of that name, about the first interface or else the host.
fn finding<'a>(report: &'a Value, check: &str) -> Result<&'a Value> {
    let all = [&report["interfaces"][0]["findings"], &report["host"]];
    let mut all = all.into_iter().filter_map(Value::as_array).flatten();
    all.find(|finding| finding["check"] == check).with_context(|| format!("no {check} in {report}"))
}

#[test]
fn the_report_has_the_same_findings_as_the_table() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let (said, report) = doctor(&wire, "sensor0")?;
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert_eq!(report["interfaces"][0]["name"], "sensor0");
    assert_eq!(finding(&report, "driver")?["found"], "veth");
    assert_eq!(finding(&report, "link")?["severity"], "ok");
    // An older kernel does not say; a newer one knows that veth has it.
    let native = finding(&report, "native_xdp")?;
    ensure!(
        native["found"] == "the driver has it" || native["found"] == "unknown until attached",
        "{native}"
    );

    let table = sensor(&wire.near.namespace, &["doctor", "--interface", "sensor0"])?.stdout;
    let mut lines = table.lines();
    for part in [&report["interfaces"][0]["findings"], &report["host"]] {
        let heading = lines.next().context("no heading")?;
        ensure!(["found", "severity", "remedy"].iter().all(|word| heading.contains(word)), "{table}");
        for finding in part.as_array().context("no findings")? {
            let line = lines.next().context("a line is missing")?;
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            // What is free goes up and down.
            let found = text("found").split_once(';').map_or(text("found"), |(_, fixed)| fixed.to_owned());
            for word in [text("check").replace('_', " "), found, text("severity"), text("remedy")] {
                ensure!(line.contains(&word), "{word:?} is not in {line:?}");
            }
            assert_eq!(finding["remedy"].is_null(), finding["severity"] == "ok", "{finding}");
        }
        assert_eq!(lines.next(), Some(""));
    }
    Ok(())
}

/// Where an agent is to write is looked at as its configuration says, and nothing is made there.
#[test]
fn where_an_agent_writes_is_looked_at() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let [there, memory, read_only] = ["there", "memory", "read-only"].map(|name| folder.path().join(name));
    [&there, &memory, &read_only].into_iter().try_for_each(fs::create_dir)?;
    mount(Some("disk"), &memory, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    mount(Some("disk"), &read_only, Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>)?;
    let file = folder.path().join("sensor.toml");
    let ask = |place: &Path, evidence: &str| -> Result<(Said, Value)> {
        let socket = place.join("below/s.sock");
        let text = format!("interfaces = [\"sensor0\"]\n[socket]\npath = \"{}\"\n", socket.display());
        fs::write(&file, text + evidence)?;
        let config = file.display().to_string();
        let said = sensor(&wire.near.namespace, &["doctor", "--config", &config, "--json"])?;
        let report = serde_json::from_str(&said.stdout).with_context(|| format!("{said:?}"))?;
        Ok((said, report))
    };
    let evidence = |place: &Path| {
        let place = place.display();
        format!("[evidence]\npath = \"{place}/evidence\"\n[store]\npath = \"{place}/store\"\n")
    };
    let looked = (|| -> Result<()> {
        let (said, report) = ask(&there, &evidence(&there))?;
        assert_eq!((said.code, &report["interfaces"][0]["name"]), (0, &"sensor0".into()), "{said:?}");
        for (check, found) in [
            ("socket", "below/s.sock can be used"),
            ("evidence_folder", "evidence can be made"),
            ("store_folder", "store can be made"),
        ] {
            let finding = finding(&report, check)?;
            ensure!(finding["severity"] == "ok", "{finding}");
            ensure!(finding["found"].as_str().is_some_and(|it| it.ends_with(found)), "{finding}");
        }
        assert_eq!(fs::read_dir(&there)?.count(), 0, "nothing is made");
        let (_, report) = ask(&there, "")?;
        for check in ["evidence_folder", "store_folder"] {
            let finding = finding(&report, check)?;
            ensure!(finding["found"].as_str().is_some_and(|it| it.starts_with("none: ")), "{finding}");
        }
        let huge = format!("[store]\npath = \"{}\"\nmax_size = \"1024TiB\"\n", there.display());
        let (_, report) = ask(&there, &huge)?;
        let room = finding(&report, "store_room")?;
        ensure!(
            room["severity"] == "note" && finding(&report, "store_file_system")?["found"] != "",
            "{room}"
        );
        let (_, report) = ask(&there, &huge.replace("/there", "/memory"))?;
        assert_eq!(finding(&report, "store_file_system")?["found"], "tmpfs");
        let (said, report) = ask(&read_only, &evidence(&read_only))?;
        assert_eq!(said.code, 0, "an agent runs all the same: {said:?}");
        for (check, remedy) in [
            ("socket", "`path` in [socket]"),
            ("evidence_folder", "`path` in [evidence]"),
            ("store_folder", "`path` in [store]"),
        ] {
            let finding = finding(&report, check)?;
            ensure!(finding["severity"] == "note", "{finding}");
            ensure!(finding["found"].as_str().is_some_and(|it| it.contains("Read-only")), "{finding}");
            ensure!(finding["remedy"].as_str().is_some_and(|it| it.contains(remedy)), "{finding}");
        }
        Ok(())
    })();
    [&memory, &read_only].into_iter().try_for_each(|folder| umount2(folder, MntFlags::MNT_DETACH))?;
    looked
}

/// What is attached is looked at for the pins that are named, and so is their socket.
#[test]
fn what_is_pinned_is_looked_at_by_its_pins() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let pins = Pins::new()?;
    let path = pins.path().display().to_string();
    let look = || -> Result<[(String, String); 2]> {
        let arguments = ["doctor", "--interface", "sensor0", "--pins", &path, "--json"];
        let said = sensor(&wire.near.namespace, &arguments)?;
        let report = serde_json::from_str(&said.stdout).with_context(|| format!("{said:?}"))?;
        let told =
            |check| anyhow::Ok(finding(&report, check)?["found"].as_str().unwrap_or_default().to_owned());
        let severity = finding(&report, "pins")?["severity"].as_str().unwrap_or_default().to_owned();
        Ok([(told("pins")?, severity), (told("socket")?, String::new())])
    };
    let [(pinned, severity), _] = look()?;
    ensure!(pinned.starts_with("nothing is attached") && severity == "ok", "{pinned}");
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").pins(&pins).start()?;
    let [(pinned, severity), (socket, _)] = look()?;
    ensure!(pinned.starts_with("attached to sensor0") && severity == "ok", "{pinned}");
    ensure!(pinned.ends_with("an agent works with it") && socket.contains("an agent listens on"), "{pinned}");
    agent.stop(Signal::SIGKILL)?;
    let [(pinned, severity), _] = look()?;
    ensure!(pinned.ends_with("no agent works with it") && severity == "note", "{pinned}");
    Ok(())
}

#[test]
fn a_driver_without_native_xdp_is_noted() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    wire.near.namespace.add_interface_without_native_xdp("plain0")?;
    let (said, report) = doctor(&wire, "plain0")?;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(finding(&report, "native_xdp")?["severity"], "note");
    assert_eq!(report["severity"], "note");
    Ok(())
}

/// Runs `ip` with each of these where the wire arrives: not every kernel has every kind of interface.
fn arrange(wire: &Wire, commands: &[&str]) -> Result<(), Missing> {
    let missing = |error| Missing::new(format!("the kernel has no such interface: {error:#}"));
    commands.iter().try_for_each(|command| wire.near.namespace.ip(command).map(drop).map_err(missing))
}

/// What has no driver of its own names what its packets come in by.
#[rstest]
#[case::bridge(&["link add on0 type bridge"], "a bridge", "attach to the port")]
#[case::macvlan(&["link add on0 link sensor0 type macvlan"], "a macvlan", "attach to the parent")]
#[case::vlan(&["link add on0 link sensor0 type vlan id 7"], "a VLAN", "attach to the parent")]
fn what_stands_on_others_names_them(
    #[case] commands: &[&str],
    #[case] kind: &str,
    #[case] remedy: &str,
) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    needs!(arrange(&wire, commands));
    wire.near.namespace.ip("link set on0 up")?;
    let (said, report) = doctor(&wire, "on0")?;
    assert_eq!(said.code, 0, "{said:?}");
    // Settings of a NIC are none of its.
    ensure!(!said.stdout.contains("ethtool"), "{said:?}");
    let link = finding(&report, "link")?;
    ensure!(
        link["severity"] == "note" && link["found"].as_str().is_some_and(|it| it.contains(kind)),
        "{link}"
    );
    ensure!(link["remedy"].as_str().is_some_and(|it| it.contains(remedy)), "{link}");
    // Linux tells since 6.3.
    let native = finding(&report, "native_xdp")?;
    let mends = native["remedy"].as_str().is_some_and(|it| it.contains(remedy));
    ensure!(mends || native["found"] == "unknown until attached", "{native}");
    Ok(())
}

/// Figures that say nothing are not given: a veth pair has queues for one direction each.
#[test]
fn no_queues_are_not_0_of_at_most_0() -> Result<()> {
    needs_root!();
    let (_, report) = doctor(&Wire::new()?, "sensor0")?;
    let queues = finding(&report, "queues")?["found"].as_str().unwrap_or_default();
    ensure!(!queues.contains("of at most 0") && !queues.is_empty(), "{queues}");
    Ok(())
}

/// A veth pair hands tags on beside the frame, as a NIC does that takes them off; a dummy has nothing to take off.
#[test]
fn tags_that_are_taken_off_are_noted() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    wire.near.namespace.add_interface_without_native_xdp("plain0")?;
    for (interface, severity) in [("sensor0", "note"), ("plain0", "ok")] {
        let (_, report) = doctor(&wire, interface)?;
        let tags = finding(&report, "rxvlan")?;
        assert_eq!(tags["severity"], severity, "{interface}: {tags}");
    }
    Ok(())
}

/// Not the folder that an agent has made in it.
#[test]
fn the_bpf_file_system_is_where_it_is_mounted() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = PublicCopy::new()?;
    let script = format!(
        "mount -t bpf bpf /sys/fs/bpf && mkdir -p /sys/fs/bpf/sensor/v2 && exec {} doctor -i sensor0 --json",
        agent.path().display()
    );
    let mut command = Command::new("unshare");
    let said = cli::run(&wire.near.namespace, command.args(["--mount", "sh", "-c", &script]))?;
    let report = serde_json::from_str(&said.stdout).with_context(|| format!("{said:?}"))?;
    assert_eq!(finding(&report, "bpf_file_system")?["found"], "mounted at /sys/fs/bpf");
    Ok(())
}

#[rstest]
#[case::ipip(&["link add tunnel0 type ipip local 192.0.2.1 remote 192.0.2.2", "link set tunnel0 up"], "tunnel0", "Ethernet")]
#[case::tunnel(&["tuntap add tunnel0 mode tun", "link set tunnel0 up"], "tunnel0", "Ethernet")]
#[case::down(&["link set sensor0 down"], "sensor0", "`ip link set sensor0 up`")]
#[case::loopback(&[], "lo", "another interface")]
fn what_keeps_the_sensor_from_running_is_a_problem(
    #[case] commands: &[&str],
    #[case] interface: &str,
    #[case] remedy: &str,
) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    needs!(arrange(&wire, commands));
    let (said, report) = doctor(&wire, interface)?;
    assert_eq!(said.code, 1, "{said:?}");
    if interface == "tunnel0" {
        let found = "no Ethernet header: tunnelled traffic cannot be counted here";
        assert_eq!(finding(&report, "link")?["found"], found);
        let log = Launch::new(&wire.near.namespace).interface(interface).fail()?;
        ensure!(log.1.contains(found), "{log:?}");
    }
    assert_eq!(report["severity"], "problem");
    let link = finding(&report, "link")?;
    assert_eq!(link["severity"], "problem");
    ensure!(link["remedy"].as_str().is_some_and(|it| it.contains(remedy)), "{link}");
    ensure!(said.stderr.lines().count() == 1 && said.stderr.contains("link"), "{said:?}");
    Ok(())
}

/// What is there is looked at, whatever is missing beside it.
#[rstest]
#[case::alone(&["nothing0"])]
#[case::last(&["sensor0", "nothing0"])]
#[case::first(&["nothing0", "sensor0"])]
fn a_missing_interface_is_a_problem(#[case] interfaces: &[&str]) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let said = sensor(&wire.near.namespace, &[&["doctor", "--interface"], interfaces].concat())?;
    assert_eq!(said.code, 1, "{said:?}");
    let headings = said.stdout.split("\n\n").filter_map(|table| table.split_whitespace().next());
    assert_eq!(headings.collect::<Vec<_>>(), [interfaces, &["this"]].concat(), "{said:?}");
    ensure!(said.stdout.contains("there is no such interface"), "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    ensure!(said.stderr.ends_with("link of nothing0\n"), "{said:?}");
    Ok(())
}

#[test]
fn programs_of_others_are_seen() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    near.command("tc", "qdisc add dev sensor0 clsact")?;
    // Not every kernel has every kind.
    let filters = [
        ("matchall", "matchall"),
        ("u32", "u32 match u32 0 0"),
        ("fw", "fw"),
        ("flow", "flow hash keys dst"),
    ];
    let added = filters.iter().find(|(_, filter)| {
        near.command("tc", &format!("filter add dev sensor0 egress protocol all {filter}")).is_ok()
    });
    let Some((kind, _)) = added else {
        skip!("the kernel has no tc filter to add");
    };
    let (said, report) = doctor(&wire, "sensor0")?;
    assert_eq!(said.code, 0, "{said:?}");
    let found = finding(&report, "tc_programs")?["found"].as_str().unwrap_or_default();
    ensure!(found.contains(&format!("a {kind} filter at egress")), "{found}");
    Ok(())
}

#[test]
fn another_xdp_program_is_a_problem() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let _other = Foreign::attach(&wire.near, XdpAction::Pass)?;
    let (said, report) = doctor(&wire, "sensor0")?;
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(finding(&report, "xdp_program")?["severity"], "problem");
    Ok(())
}

#[test]
fn missing_capabilities_are_a_problem() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let _running = Launch::new(&wire.near.namespace).interface("sensor0").start()?;
    let agent = PublicCopy::new()?;
    let mut command = agent.as_nobody();
    command.args(["doctor", "--interface", "sensor0", "--json"]);
    let said = cli::run(&wire.near.namespace, &mut command)?;
    assert_eq!(said.code, 1, "{said:?}");
    let report: Value = serde_json::from_str(&said.stdout)?;
    let capabilities = finding(&report, "capabilities")?;
    // Nor can this user know whose program is attached.
    let program = finding(&report, "xdp_program")?;
    assert_eq!(program["severity"], "note", "{program}");
    ensure!(
        program["found"].as_str().is_some_and(|it| it.contains("cannot be known without root")),
        "{program}"
    );
    ensure!(capabilities["found"].as_str().is_some_and(|it| it.contains("CAP_NET_ADMIN")), "{capabilities}");
    Ok(())
}
