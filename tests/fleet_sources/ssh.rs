//! Of agents on other hosts, by the system's `ssh` and a real server.

use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use sensor_harness::agent::Launch;
use sensor_harness::frame::frame;
use sensor_harness::needs;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::world::{self, Family, NIC, Place, RULE, SENSOR, World};

use super::Answer;

#[test]
fn an_agent_is_asked_by_ssh() -> Result<()> {
    needs!(world::possible());
    let (world, pins, folder) = (World::new()?, Pins::new()?, tempfile::tempdir()?);
    let socket = folder.path().join("agent.sock");
    let (evidence, socket) =
        (folder.path().join("evidence").display().to_string(), socket.display().to_string());
    let config = format!("{SENSOR}{RULE}[evidence]\npath = {evidence:?}\n[socket]\npath = {socket:?}\n");
    let _agent = Launch::new(world.at(Place::Host)).interface(NIC).config(&config).pins(&pins).start()?;
    let source = |number: u8| Ipv4Addr::new(203, 0, 113, 100 + number);
    let frames: Vec<_> =
        (0..9).map(|number| frame().ipv4().from(source(number)).tcp(23).syn().bytes()).collect();
    Sender::new(world.wire())?.send(&frames)?;

    let list = folder.path().join("agents.txt");
    let host = world.address(Place::Host, Family::V4);
    let other = world.address(Place::Host, Family::V6);
    fs::write(
        &list,
        format!(
            "there root@{host} {socket}\nno-socket root@{other} /nowhere.sock\nno-host root@192.0.2.77\n"
        ),
    )?;
    let (list, ssh) = (list.display().to_string(), world.ssh_config()?.display().to_string());
    let ask = || {
        let arguments =
            ["--agents", &list, "--ssh-config", &ssh, "--port", "23/tcp", "--last", "1h", "--timeout", "20s"];
        Answer::to(world.at(Place::Administrator), &arguments)
    };
    // What was counted is looked at a moment later.
    until(|| Ok(ask()?.total()?["packets"] == frames.len()), || format!("{:?}", ask()))?;
    let answer = ask()?;
    let total = answer.total()?;
    ensure!(total["sources"] == serde_json::json!({ "count": frames.len(), "exact": true }), "{total}");
    ensure!(total["basis"] == "addresses" && total["at_least"] == true && total["silent"] == 2, "{total}");
    let [sensor] = &answer.lines("sensor")[..] else { anyhow::bail!("{answer:?}") };
    ensure!(sensor["agent"] == "there" && sensor["complete"] == true, "{sensor}");
    let causes: Vec<_> = answer.lines("silent").iter().map(|it| it["cause"].to_string()).collect();
    ensure!(causes.iter().all(|cause| cause.contains("ssh root@")), "{causes:?}");
    ensure!(causes[1].contains("/nowhere.sock"), "the agent's own words: {causes:?}");
    Ok(())
}
