//! What stands on the screen, and in the table for scripts.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_harness::cli::{Said, sensor};
use sensor_harness::namespace::Namespace;
use sensor_harness::pins::Pins;
use sensor_harness::{needs, needs_root};
use serde_json::Value;

use super::{BRAZIL, JAPAN, Scene, syns, tmux, traffic};

/// The cells of a column that has numbers, by those of one that has words.
fn column(screen: &[String], words: &str, numbers: &str) -> Result<BTreeMap<String, u64>> {
    let at = screen.iter().position(|line| line.contains("  # ")).with_context(|| screen.join("\n"))?;
    let head: Vec<char> = screen[at].chars().collect();
    let place = |name: &str| -> Result<usize> {
        let found = screen[at].find(name).with_context(|| format!("no {name}: {}", screen[at]))?;
        Ok(screen[at][..found].chars().count())
    };
    let (begin, end) = (place(words)?, place(numbers)? + numbers.chars().count());
    ensure!(end <= head.len(), "the head is cut off");
    let rows = screen[at + 1..]
        .iter()
        .take_while(|line| line.trim_start().starts_with(|it: char| it.is_ascii_digit()));
    rows.map(|line| {
        let line: Vec<char> = line.chars().collect();
        let name: String = line[begin..].iter().take_while(|letter| !letter.is_whitespace()).collect();
        let upto: String = line[..end.min(line.len())].iter().collect();
        let number = upto.rsplit(' ').next().unwrap_or_default().replace(',', "");
        Ok((name, number.parse().with_context(|| upto)?))
    })
    .collect()
}

/// Packets of each service, as `/api/v1/slots` has them.
fn slots(scene: &Scene) -> Result<BTreeMap<String, u64>> {
    let slots: Value = serde_json::from_str(&scene.agent.get("/api/v1/slots")?.body)?;
    let mut services = BTreeMap::new();
    for slot in slots["sensors"][0]["slots"].as_array().context("no slots")? {
        let service = match (&slot["protocol"], &slot["port"]) {
            (Value::String(protocol), Value::Number(port)) => format!("{port}/{}", protocol.to_uppercase()),
            (Value::String(protocol), _) => protocol.to_uppercase(),
            _ => continue,
        };
        *services.entry(service).or_default() += slot["packets"].as_u64().unwrap_or_default();
    }
    Ok(services)
}

fn by<const N: usize>(expected: [(&str, u64); N]) -> BTreeMap<String, u64> {
    expected.into_iter().map(|(name, packets)| (name.to_owned(), packets)).collect()
}

#[test]
fn numbers_are_the_agents_own_on_screens_of_every_size() -> Result<()> {
    needs!(tmux::installed());
    let scene = Scene::new()?;
    scene.send(&traffic())?;
    let terminal = &scene.terminal;
    terminal.program(&scene.top("")?)?;

    let ports =
        terminal.until("ports", |screen| screen.iter().any(|line| line.contains("1,600 packets,")))?;
    assert_eq!(column(&ports, "port", "packets")?, slots(&scene)?);
    assert_eq!(
        column(&ports, "port", "packets")?,
        by([("23/TCP", 1_234), ("445/TCP", 300), ("6379/TCP", 26), ("ICMP", 40)])
    );
    ensure!(ports[0].contains("a \\u{202e}b"), "a name changes how others look: {}", ports[0]);
    ensure!(ports[1] == "All is well: attached to sensor0 (native)", "{}", ports[1]);
    println!("{}\n", ports.join("\n"));

    // What is known of sources is some seconds old.
    terminal.press(&["2"])?;
    let sources = terminal
        .until("sources", |screen| screen.iter().any(|line| line.contains("1,600 packets, all that")))?;
    assert_eq!(column(&sources, "source", "packets")?, by([("203.0.113.9", 1_260), ("198.18.0.5", 340)]));
    let first = sources.iter().find(|line| line.contains("203.0.113.9")).context("no source")?;
    ensure!(first.contains("JP") && first.contains("AS64496 Example"), "{first}");
    println!("{}\n", sources.join("\n"));

    terminal.press(&["3"])?;
    let tools = terminal.shows("[3 tools]")?;
    let counted: u64 = column(&tools, "tool", "SYNs")?.values().sum();
    assert_eq!(counted, 1_560, "{}", tools.join("\n"));
    println!("{}\n", tools.join("\n"));

    terminal.press(&["Tab"])?;
    let countries = terminal.shows("[4 countries]")?;
    assert_eq!(column(&countries, "country", "packets")?, by([("JP", 1_260), ("BR", 340)]));
    assert_eq!(column(&countries, "country", "sources")?, by([("JP", 1), ("BR", 1)]));
    println!("{}\n", countries.join("\n"));

    terminal.press(&["1", "?"])?;
    let help = terminal.shows("freeze what is shown")?;
    ensure!(help.len() == 24 && help[23].contains("? help"), "{}", help.join("\n"));
    println!("{}\n", help.join("\n"));
    terminal.press(&["?"])?;
    terminal.shows("23/TCP")?;

    terminal.resize(40, 10)?;
    let small = terminal.shows("too small: 40 × 10, needs 80 × 24")?;
    assert_eq!(small.iter().filter(|line| !line.is_empty()).count(), 1, "{small:?}");
    terminal.resize(200, 60)?;
    let large = terminal.shows("not known scanners")?;
    assert_eq!(column(&large, "port", "packets")?, slots(&scene)?);
    ensure!(large.len() == 60 && large[59].starts_with("q quit"), "{}", large.join("\n"));
    println!("{}\n", large.join("\n"));
    terminal.resize(80, 24)?;
    terminal.until("80 × 24", |screen| screen.len() == 24 && screen[23].starts_with("q quit"))?;
    Ok(())
}

#[test]
fn keys_change_what_is_shown() -> Result<()> {
    needs!(tmux::installed());
    let scene = Scene::new()?;
    scene.send(&traffic())?;
    let terminal = &scene.terminal;
    terminal.program(&scene.top("")?)?;
    terminal.shows("1,600 packets,")?;

    // A filter and an order are of the table alone.
    terminal.press(&["s", "s", "/"])?;
    terminal.type_text("TeLn")?;
    terminal.press(&["Enter"])?;
    let filtered = terminal
        .until("the filter", |screen| screen.iter().any(|line| line.contains("filter: TeLn; by name")))?;
    assert_eq!(column(&filtered, "port", "packets")?, by([("23/TCP", 1_234)]));
    terminal.press(&["Escape"])?;
    terminal.shows("445/TCP")?;

    // Nothing new is taken while it is frozen.
    terminal.press(&["f"])?;
    terminal.shows("FROZEN")?;
    scene.send(&syns(JAPAN, 445, 1_000))?;
    let before = slots(&scene)?;
    assert_eq!(before["445/TCP"], 1_300);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(column(&terminal.screen()?, "port", "packets")?["445/TCP"], 300);
    terminal.press(&["f"])?;
    terminal.shows("2,600 packets,")?;
    assert_eq!(column(&terminal.screen()?, "port", "packets")?, before);
    Ok(())
}

#[test]
fn an_agent_that_has_gone_is_found_again() -> Result<()> {
    needs!(tmux::installed());
    let mut scene = Scene::new()?;
    scene.send(&traffic())?;
    let terminal = &scene.terminal;
    terminal.program(&scene.top("")?)?;
    terminal.shows("1,600 packets,")?;
    let before = slots(&scene)?;

    scene.agent.stop(Signal::SIGKILL)?;
    let gone = terminal.shows("The agent does not answer")?;
    println!("{}\n", gone.join("\n"));
    assert_eq!(column(&gone, "port", "packets")?, before, "what was known stays there");
    let Scene { wire, pins, config, .. } = &scene;
    let again = super::launch(wire, pins, config).start()?;
    terminal.shows("All is well")?;
    scene.send(&syns(BRAZIL, 445, 5))?;
    terminal.shows("1,605 packets,")?;
    // So is one that only says nothing for a while.
    again.signal(Signal::SIGSTOP)?;
    terminal.shows("The agent does not answer")?;
    again.signal(Signal::SIGCONT)?;
    terminal.shows("All is well")?;
    Ok(())
}

#[rstest]
#[case::colours("", true)]
#[case::no_colours("NO_COLOR=1 ", false)]
#[case::empty_is_not_set("NO_COLOR= ", true)]
fn colours_are_for_those_who_want_them(#[case] variable: &str, #[case] has_colours: bool) -> Result<()> {
    needs!(tmux::installed());
    let scene = Scene::new()?;
    scene.send(&syns(JAPAN, 23, 3))?;
    let terminal = &scene.terminal;
    terminal.program(&format!("{variable}{}", scene.top("")?))?;
    terminal.shows("23/TCP")?;
    let painted = terminal.painted()?;
    let sequences = painted.split("\u{1b}[").skip(1).filter_map(|rest| rest.split_once('m'));
    let codes = sequences.flat_map(|(codes, _)| codes.split(';')).filter_map(|code| code.parse::<u32>().ok());
    let mut colours = codes.filter(|code| matches!(code, 30..=38 | 40..=48 | 90..=107));
    assert_eq!(colours.next().is_some(), has_colours, "{painted:?}");
    ensure!(painted.contains("\u{1b}[1m"), "bold is no colour: {painted:?}");
    Ok(())
}

/// What it prints once.
fn once(scene: &Scene, more: &[&str]) -> Result<Said> {
    let pins = scene.pins.path().display().to_string();
    sensor(&scene.wire.near.namespace, &[&["top", "--once", "--pins", &pins], more].concat())
}

/// The cells of the table: what is printed has an empty line above it.
fn table(said: &Said) -> Result<Vec<Vec<String>>> {
    ensure!(said.code == 0 && said.stderr.is_empty(), "{said:?}");
    let (_, table) = said.stdout.split_once("\n\n").with_context(|| said.stdout.clone())?;
    let cells = |line: &str| {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    Ok(table.lines().map(cells).collect())
}

#[test]
fn scripts_read_a_table() -> Result<()> {
    needs_root!();
    let mut scene = Scene::new()?;
    scene.send(&traffic())?;
    let said = once(&scene, &[])?;
    println!("{}", said.stdout);
    let rows = table(&said)?;
    let slots = slots(&scene)?;
    assert_eq!(rows[0][..4], ["#", "port", "name", "packets"]);
    assert_eq!(rows.len(), 1 + slots.len());
    for row in &rows[1..] {
        assert_eq!(row.len(), rows[0].len(), "{row:?}");
        assert_eq!(slots.get(&row[1]), Some(&row[3].parse()?), "{row:?}");
    }
    let of = |what: &str| -> Result<Vec<Vec<String>>> {
        table(&once(&scene, &["--show", what, "--sensor", "a \u{202e}b"])?)
    };
    assert_eq!(of("sources")?[1][1..4], ["203.0.113.9", "JP", "AS64496 Example [31mNet"]);
    assert_eq!(of("countries")?[1][..3], ["1", "JP", "1260"]);
    assert_eq!(of("tools")?[0], ["#", "tool", "SYNs", "share", "SYNs/s"]);

    let said = once(&scene, &["--sensor", "nobody"])?;
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    ensure!(said.stderr.contains("there is no sensor \"nobody\""), "{said:?}");
    scene.agent.stop(Signal::SIGTERM)?;
    let said = once(&scene, &[])?;
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.lines().count()), (1, "", 1), "{said:?}");
    ensure!(said.stderr.contains("no agent runs here with --pins"), "{said:?}");
    Ok(())
}

#[rstest]
#[case::no_agent(&["top", "--once"], 1, "no agent runs here")]
#[case::no_terminal(&["top"], 2, "standard output is no terminal: `sensor top --once` prints a table")]
#[case::too_often(&["top", "--interval", "10ms"], 2, "--interval")]
#[case::no_such_table(&["top", "--show", "dances"], 2, "--show")]
fn what_cannot_be_shown_is_said(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[case] words: &str,
) -> Result<()> {
    needs_root!();
    let (namespace, pins) = (Namespace::new()?, Pins::new()?);
    let pins = pins.path().display().to_string();
    let said = sensor(&namespace, &[arguments, &["--pins", &pins]].concat())?;
    ensure!(said.code == code && said.stdout.is_empty() && said.stderr.contains(words), "{said:?}");
    Ok(())
}
