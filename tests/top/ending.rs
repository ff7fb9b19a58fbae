//! However it ends, the terminal is as it was.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use rstest::rstest;
use sensor_common::noun::noun;
use sensor_harness::needs;
use sensor_harness::pace::until;

use super::{JAPAN, Scene, syns, tmux};

/// What ends it.
#[derive(Clone, Copy, Debug)]
enum End {
    Key(&'static str),
    Signal(Signal),
}

#[rstest]
#[case::quit(End::Key("q"))]
#[case::interrupted_by_a_key(End::Key("C-c"))]
#[case::terminated(End::Signal(Signal::SIGTERM))]
#[case::hung_up(End::Signal(Signal::SIGHUP))]
#[case::interrupted(End::Signal(Signal::SIGINT))]
#[case::told_to_quit(End::Signal(Signal::SIGQUIT))]
fn the_terminal_is_as_it_was(#[case] end: End) -> Result<()> {
    needs!(tmux::installed());
    let scene = Scene::new()?;
    let terminal = &scene.terminal;
    let before = terminal.settings("before")?;
    ensure!(before.contains(" icanon") && before.contains(" echo "), "{before}");
    let process = terminal.program(&scene.top("")?)?;
    terminal.shows("All is well")?;
    ensure!(terminal.is_taken()? && !terminal.has_cursor()?, "it draws on the screen of others");
    match end {
        End::Key(key) => terminal.press(&[key])?,
        End::Signal(signal) => kill(process, signal)?,
    }
    assert_eq!(terminal.code()?, 0);
    assert_eq!(terminal.settings("after")?, before);
    ensure!(!terminal.is_taken()? && terminal.has_cursor()?, "the screen is not given back");
    Ok(())
}

/// A sensor that the configuration has no more will not be there the next time either.
#[test]
fn it_ends_with_its_sensor() -> Result<()> {
    needs!(tmux::installed());
    let scene = Scene::new()?;
    let rename = |name: &str| -> Result<()> {
        scene.agent.rewrite_config(&scene.config.replace("a \u{202e}b", name))?;
        scene.agent.signal(Signal::SIGHUP)?;
        let has = || Ok(scene.agent.get("/api/v1/slots")?.body.contains(&format!("\"{name}\"")));
        until(has, || format!("no sensor {name}: {}", scene.agent.stderr()))
    };
    rename("here")?;
    let terminal = &scene.terminal;
    let before = terminal.settings("before")?;
    terminal.program(&scene.top("--sensor here")?)?;
    terminal.shows("All is well")?;
    rename("gone")?;
    assert_eq!(terminal.code()?, 2);
    terminal.shows("there is no sensor")?;
    assert_eq!(terminal.settings("after")?, before);
    ensure!(!terminal.is_taken()? && terminal.has_cursor()?, "the screen is not given back");
    Ok(())
}

#[test]
fn it_stops_and_goes_on() -> Result<()> {
    needs!(tmux::installed());
    let scene = Scene::new()?;
    let terminal = &scene.terminal;
    let before = terminal.settings("before")?;
    let process = terminal.program(&scene.top("")?)?;
    terminal.shows("All is well")?;
    for round in 1..=2 {
        terminal.press(&["C-z"])?;
        terminal.until("the shell", |screen| {
            screen.iter().any(|line| line.contains("Stopped")) && screen.iter().any(|line| line == "ready:")
        })?;
        assert_eq!(terminal.settings(&format!("stopped-{round}"))?, before);
        scene.send(&syns(JAPAN, 23, 1))?;
        terminal.enter("clear; fg")?;
        terminal.shows(&format!(" {round} {}, a", noun(round, "packet", "packets")))?;
        ensure!(terminal.is_taken()?, "it draws on the screen of others");
    }
    terminal.press(&["q"])?;
    until(|| Ok(kill(process, None).is_err()), || "it does not end".to_owned())?;
    assert_eq!(terminal.settings("after")?, before);
    Ok(())
}

#[rstest]
#[case::reset("reset", false)]
#[case::sane("stty sane; tput rmcup; tput cnorm", true)]
fn a_terminal_that_was_not_given_back_is_mended(
    #[case] remedy: &str,
    #[case] screen_too: bool,
) -> Result<()> {
    needs!(tmux::installed());
    let scene = Scene::new()?;
    let terminal = &scene.terminal;
    let process = terminal.program(&scene.top("")?)?;
    terminal.shows("All is well")?;
    kill(process, Signal::SIGKILL)?;
    assert_eq!(terminal.code()?, 128 + 9);
    ensure!(terminal.is_taken()?, "there is nothing to mend");
    // A shell that edits no lines itself takes no other key for the end of one.
    terminal.press(&["C-j"])?;
    terminal.type_text(&format!("{remedy}; echo mended"))?;
    terminal.press(&["C-j"])?;
    terminal.shows("mended")?;
    ensure!(terminal.has_cursor()?, "{remedy} shows no cursor");
    let after = terminal.settings("after")?;
    ensure!(after.contains(" icanon") && after.contains(" echo ") && after.contains(" icrnl"), "{after}");
    ensure!(terminal.is_taken()? != screen_too, "{remedy} does not do what it is for");
    terminal.enter("echo so $((6 * 7))")?;
    let screen = terminal.shows("so 42")?;
    let typed = screen.iter().find(|line| line.contains("echo so")).context("what is typed is not seen")?;
    ensure!(typed.starts_with("ready:"), "{typed}");
    Ok(())
}
