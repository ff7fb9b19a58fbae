//! TSUBAME's Table 1, from packets: six sensors under real traffic, scraped by a real Prometheus, and what
//! `sensor-fleet report` says is the table, cell by cell. Nothing is lost on the way, and nothing is counted twice.

mod series;
mod table;
mod traffic;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::thread;

use anyhow::Result;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use sensor_harness::fleet::{Fleet, SensorSpec};
use sensor_harness::needs;
use sensor_harness::pace::until;
use sensor_harness::prometheus;
use sensor_harness::report::WrittenReport;
use sensor_harness::sender::Sender;

use series::Series;
use table::Row;
use traffic::{Generator, Traffic};

/// All traffic follows from it.
const SEED: u64 = 2023;

#[test]
fn table_1_from_packets() -> Result<()> {
    needs!(prometheus::installed());
    let table = table::read(table::TABLE_1)?;
    let tcp = tcp_ports(&table)?;
    let udp = traffic::UDP_PORTS.map(|port| format!("{port}/udp"));
    let listed: BTreeSet<String> = tcp.iter().map(|port| format!("{port}/tcp")).chain(udp).collect();
    let mut generator = Generator::new(SEED);
    let traffic = (0..).zip(&table).map(|(number, row)| generator.traffic(number, row, &tcp));
    let traffic: Vec<Traffic> = traffic.collect::<Result<_>>()?;

    let fleet = Fleet::start(&sensors(&table, &listed))?;
    let sent: Vec<Series> = traffic.iter().map(|traffic| series::sent(&traffic.truth, &listed)).collect();
    wait_for_births(&fleet, &table, &sent)?;
    send(&fleet, &traffic)?;
    for ((host, traffic), row) in fleet.hosts.iter().zip(&traffic).zip(&table) {
        assert_eq!(host.agent.counts()?, traffic.truth, "{}: /api/v1/slots", row.sensor);
    }
    wait_for_the_last(&fleet, &table, &sent)?;
    for (row, sent) in table.iter().zip(&sent) {
        let scraped = series::scraped(&fleet.prometheus, &row.sensor)?;
        assert_eq!(&scraped, sent, "{}: Prometheus", row.sensor);
        assert_eq!(&ranking(row, &scraped), row);
    }
    // The day in progress is read from the counters; yesterday too, so that a midnight on the way is no harm.
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let period = format!("--home japan --from {} --to {today}", today - 1.day());
    let report = WrittenReport::write(&fleet.management, &fleet.prometheus, &period)?;
    assert_eq!(table::read(&report.file("sensors.csv")?)?, table, "the report's table");
    let counted: Vec<(String, u64)> =
        table.iter().zip(&sent).map(|(row, sent)| (row.sensor.clone(), sent.values().sum())).collect();
    assert_eq!(report.packets()?, counted, "the report's packets by sensor");
    assert_eq!(report.total(), Some(counted.iter().map(|(_, packets)| packets).sum::<u64>()));
    Ok(())
}

/// All TCP ports of the table.
fn tcp_ports(table: &[Row]) -> Result<BTreeSet<u16>> {
    let services = table.iter().flat_map(|row| &row.services);
    services.filter_map(|service| traffic::tcp_port(service).transpose()).collect()
}

fn sensors(table: &[Row], listed: &BTreeSet<String>) -> Vec<SensorSpec> {
    let sensor = |(number, row): (u8, &Row)| SensorSpec {
        name: row.sensor.clone(),
        region: row.region.clone(),
        prefixes: traffic::prefixes(number),
        ports: listed.iter().cloned().collect(),
    };
    (0..).zip(table).map(sensor).collect()
}

/// An increase begins with the second sample: Prometheus must have the zeros before the first packet comes.
fn wait_for_births(fleet: &Fleet, table: &[Row], sent: &[Series]) -> Result<()> {
    for (row, sent) in table.iter().zip(sent) {
        let missing = || {
            let born = series::born(&fleet.prometheus, &row.sensor)?;
            anyhow::Ok(sent.keys().filter(|labels| !born.contains(labels)).count())
        };
        until(
            || Ok(missing()? == 0),
            || format!("{}: {:?} series are not there: {}", row.sensor, missing(), fleet.prometheus.log()),
        )?;
    }
    Ok(())
}

/// Everything to every sensor, all at once.
fn send(fleet: &Fleet, traffic: &[Traffic]) -> Result<()> {
    thread::scope(|scope| {
        let senders = fleet.hosts.iter().zip(traffic);
        let senders = senders
            .map(|(host, traffic)| scope.spawn(|| Sender::new(&host.wire)?.send(&traffic.frames)))
            .collect::<Vec<_>>();
        senders.into_iter().try_for_each(|sender| sender.join().expect("no sender panics"))
    })
}

/// What was sent shows at the next scrape.
fn wait_for_the_last(fleet: &Fleet, table: &[Row], sent: &[Series]) -> Result<()> {
    for (row, sent) in table.iter().zip(sent) {
        let all: u64 = sent.values().sum();
        let scraped = || series::total(&fleet.prometheus, &row.sensor);
        until(
            || Ok(scraped()? >= all),
            || format!("{}: {all} were sent, Prometheus has {:?}", row.sensor, scraped()),
        )?;
    }
    Ok(())
}

/// The row that a sensor's series make: those that are services, the largest first.
fn ranking(row: &Row, series: &Series) -> Row {
    let service = |((protocol, port), packets): (&(String, String), &u64)| {
        let name = match (protocol.as_str(), port.as_str()) {
            (_, "other" | "fragment") | ("malformed", _) => return None,
            (protocol, "") => protocol.to_uppercase(),
            (protocol, port) => format!("{port}/{}", protocol.to_uppercase()),
        };
        Some((Reverse(*packets), name))
    };
    let mut services: Vec<_> = series.iter().filter_map(service).collect();
    services.sort();
    let services = services.into_iter().map(|(_, name)| name).take(table::RANKS).collect();
    Row { services, ..row.clone() }
}
