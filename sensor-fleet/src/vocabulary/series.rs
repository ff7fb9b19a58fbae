//! The series that `fleet/rules` records, and how far off their samples lie.
//!
//! There is one sample for each hour and each day. That of an hour is stamped within the hour after it, and that of a
//! day within the second hour after it or, if that was missed, within the day that follows; an instant selector sees
//! it for five minutes only. So every window is moved to where the samples are: evaluated at T, a window of R moved by
//! [`DAYS`] holds exactly the days that end in (T − R, T], and one moved by [`HOURS`] exactly the hours that do.

/// Packets of a full hour by sensor, protocol and port.
pub const SENSOR_PACKETS_1H: &str = "sensor:packets:increase1h";
/// The same of a day in UTC.
pub const SENSOR_PACKETS_1D: &str = "sensor:packets:increase1d";
/// Packets of a full hour by region, protocol and port.
pub const REGION_PACKETS_1H: &str = "region:packets:increase1h";
/// The same of a day in UTC.
pub const REGION_PACKETS_1D: &str = "region:packets:increase1d";
/// Packets of a full hour by sensor and detail: `detail` is `tool`, with the label `tool`, or `tcp` or `backscatter`, with the
/// label `kind`.
pub const SENSOR_DETAILS_1H: &str = "sensor:details:increase1h";
/// The same of a day in UTC.
pub const SENSOR_DETAILS_1D: &str = "sensor:details:increase1d";
/// Packets of a full hour by sensor and where they came from, each with a label of its own: `country`, `as`, `scanner`,
/// `constituency`, or `protocol` and `port` of those of known scanners.
pub const SENSOR_ORIGINS_1H: &str = "sensor:origins:increase1h";
/// The same of a day in UTC.
pub const SENSOR_ORIGINS_1D: &str = "sensor:origins:increase1d";
/// Notices that were begun in a full hour, by agent and constituency.
pub const NOTICES_1H: &str = "agent:notices:increase1h";
/// The same of a day in UTC.
pub const NOTICES_1D: &str = "agent:notices:increase1d";
/// Distinct sources of a day in UTC by sensor, protocol and port; of all where both are empty.
pub const SOURCES_DAILY: &str = "sensor:sources:daily";
/// The same by sensor and country.
pub const COUNTRY_SOURCES_DAILY: &str = "sensor:country_sources:daily";
/// The same of SYNs with Mirai's mark.
pub const MIRAI_SOURCES_DAILY: &str = "sensor:mirai_sources:daily";
/// Packets of a day in UTC whose sources were looked at, by sensor.
pub const SOURCES_OBSERVED_DAILY: &str = "sensor:sources_observed:daily";
/// Packets of a day in UTC that were counted and whose sources were not looked at, by sensor.
pub const SOURCES_MISSED_DAILY: &str = "sensor:sources_missed:daily";
/// Distinct addresses under denial of service in a day in UTC, by sensor.
pub const VICTIMS_DAILY: &str = "sensor:victims:daily";
/// The share of the last hour's packets that is kept as evidence, by sensor; none where none is kept.
pub const EVIDENCE_SHARE: &str = "sensor:evidence:share1h";
/// The hours that a sensor's packets of an hour speak of, by sensor and region.
pub const OBSERVED_1H: &str = "sensor:observed:ratio1h";
/// The days that its packets of a day in UTC speak of.
pub const OBSERVED_1D: &str = "sensor:observed:ratio1d";
/// Packets of the last day in UTC by sensor, protocol and port, where these surge.
pub const SURGE_PACKETS: &str = "sensor:surge:packets1d";
/// The medians of the 28 days before, of the same.
pub const SURGE_MEDIAN: &str = "sensor:surge:median28d";
/// How many sensors are judged.
pub const SURGE_JUDGED: &str = "fleet:surge:judged";
/// On how many sensors each service surges, with the [verdict](super::verdict::SurgeVerdict) as a label.
pub const SURGE_VERDICT: &str = "service:surge:verdict";
/// Hours in which a known scanner reached a sensor, by sensor and scanner; the value is the hour's end, in Unix seconds.
pub const SCANNER_REACHED_1H: &str = "sensor:scanner:reached1h";
/// In how many of the last 20 hours a known scanner should have reached a sensor, where it did not.
pub const SCANNER_MISSED: &str = "sensor:scanner:missed20h";
/// On how many other sensors a port has got its packets in the last 20 hours, where none came.
pub const PORT_MISSED: &str = "sensor:port:missed20h";
/// Packets of 24 hours per monitored IPv4 address, in medians of the fleet.
pub const PEERS_1D: &str = "sensor:packets:peers1d";

/// The end of the last hour that is recorded, in Unix seconds.
pub const HOUR_MARKER: &str = "sensor:rollup:hour";
/// The end of the last day in UTC that is recorded, in Unix seconds.
pub const DAY_MARKER: &str = "sensor:rollup:day";

/// All of them.
pub const RECORDED: [&str; 29] = [
    SENSOR_PACKETS_1H,
    SENSOR_PACKETS_1D,
    REGION_PACKETS_1H,
    REGION_PACKETS_1D,
    SENSOR_DETAILS_1H,
    SENSOR_DETAILS_1D,
    SENSOR_ORIGINS_1H,
    SENSOR_ORIGINS_1D,
    NOTICES_1H,
    NOTICES_1D,
    SOURCES_DAILY,
    COUNTRY_SOURCES_DAILY,
    MIRAI_SOURCES_DAILY,
    SOURCES_OBSERVED_DAILY,
    SOURCES_MISSED_DAILY,
    VICTIMS_DAILY,
    EVIDENCE_SHARE,
    OBSERVED_1H,
    OBSERVED_1D,
    SURGE_PACKETS,
    SURGE_MEDIAN,
    SURGE_JUDGED,
    SURGE_VERDICT,
    SCANNER_REACHED_1H,
    SCANNER_MISSED,
    PORT_MISSED,
    PEERS_1D,
    HOUR_MARKER,
    DAY_MARKER,
];

/// How long after an hour, or after the day that follows a day, a sample may be stamped at most.
pub const LATEST: &str = "59m59s999ms";
/// Moves a window to the samples of the hours that end in it: back by [`LATEST`].
pub const HOURS: &str = "offset -59m59s999ms";
/// Moves a window to the samples of the days that end in it: back by a day and [`LATEST`].
pub const DAYS: &str = "offset -1d59m59s999ms";
/// Moves a window of a day to the samples of what is said of a day all through the next.
pub const NEXT_DAY: &str = "offset -1d";
/// Moves a window of days to those before the one that ends at T.
pub const DAYS_BEFORE: &str = HOURS;

/// What is recorded for every period of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// The length, in seconds.
    pub seconds: i64,
    /// Packets by sensor, protocol and port.
    pub sensor_packets: &'static str,
    /// Packets by region, protocol and port.
    pub region_packets: &'static str,
    /// The periods that a sensor's packets speak of, by sensor and region.
    pub observed: &'static str,
    /// Moves a window to the samples of the periods that end in it.
    pub offset: &'static str,
}

/// Full hours.
pub const HOURLY: Rollup = Rollup {
    seconds: 3_600,
    sensor_packets: SENSOR_PACKETS_1H,
    region_packets: REGION_PACKETS_1H,
    observed: OBSERVED_1H,
    offset: HOURS,
};

/// Days in UTC.
pub const DAILY: Rollup = Rollup {
    seconds: 86_400,
    sensor_packets: SENSOR_PACKETS_1D,
    region_packets: REGION_PACKETS_1D,
    observed: OBSERVED_1D,
    offset: DAYS,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_move_by_as_much_as_samples_may_be_late() {
        assert_eq!(HOURS, format!("offset -{LATEST}"));
        assert_eq!(DAYS, format!("offset -1d{LATEST}"));
    }
}
