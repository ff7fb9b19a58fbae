//! Numbers that take a past.

use anyhow::Result;
use jiff::Timestamp;
use nix::sys::signal::Signal;
use rusqlite::Connection;
use sensor_common::layout::Slot;
use sensor_harness::needs_root;
use sensor_harness::pace::until;

use super::{Scene, between, fact, page, syn};

/// What was counted in the last hour, and a day and a week before it, is what the store has.
#[test]
fn hours_before_are_the_stores() -> Result<()> {
    const HOUR: i64 = 3_600;
    needs_root!();
    let mut scene = Scene::new("")?;
    scene.send(&vec![syn(0, 23); 7])?;
    scene.settled(7)?;
    scene.agent.stop(Signal::SIGTERM)?;
    let store = Connection::open(scene.database())?;
    let hour = Timestamp::now().as_second() / HOUR * HOUR;
    for (before, packets) in [(HOUR, 300), (25 * HOUR, 100), (169 * HOUR, 400)] {
        // The next as well: this one may end meanwhile.
        for time in [hour - before, hour - before + HOUR] {
            store.execute(
                "INSERT OR REPLACE INTO count SELECT 3600, ?1, number, ?2, ?3, 60 * ?3 FROM sensor WHERE name LIKE 'a %'",
                (time, Slot::tcp(23).index(), packets),
            )?;
            store.execute(
                "INSERT OR REPLACE INTO total SELECT 3600, ?1, number, ?2, 60 * ?2 FROM sensor WHERE name LIKE 'a %'",
                (time, packets),
            )?;
        }
    }
    drop(store);
    scene.start_again()?;
    let row = || -> Result<String> {
        let shown = page(&scene.agent, "/")?;
        Ok(between(&shown, "data-service=\"23/TCP\"", "</tr>")?.to_owned())
    };
    until(|| Ok(fact(&row()?, "hour").is_ok()), || format!("{:?}", row()))?;
    let row = row()?;
    assert_eq!((fact(&row, "packets")?, fact(&row, "hour")?), (7, 300));
    for (before, change) in [("day", "×3.0"), ("week", "−25 %")] {
        assert_eq!(between(&row, &format!("data-fact=\"{before}\">"), "<")?, change, "{before}");
    }
    Ok(())
}
