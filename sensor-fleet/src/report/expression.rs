//! What Prometheus is asked.
//!
//! Days and hours that are over were recorded by `fleet/rules/rollup.yml`, which says how; the last hours are read from
//! the counters themselves, by the same expression.

use crate::vocabulary::series::{
    COUNTRY_SOURCES_DAILY, DAY_MARKER, DAYS, HOUR_MARKER, HOURS, MIRAI_SOURCES_DAILY, NEXT_DAY, NOTICES_1D,
    OBSERVED_1D, OBSERVED_1H, SENSOR_DETAILS_1D, SENSOR_DETAILS_1H, SENSOR_ORIGINS_1D, SENSOR_ORIGINS_1H,
    SENSOR_PACKETS_1D, SENSOR_PACKETS_1H, SOURCES_DAILY, SOURCES_MISSED_DAILY, SOURCES_OBSERVED_DAILY,
    VICTIMS_DAILY,
};

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Counters of agents, and what the rules record of how they grew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The counters' name; empty if [`Counters::matcher`] has several.
    name: &'static str,
    /// Further matchers of theirs, each with a comma behind it.
    matcher: &'static str,
    /// The labels that are kept.
    labels: &'static str,
    /// What is recorded of hours, and of days in UTC.
    recorded: [&'static str; 2],
    /// Further matchers of that.
    recorded_matcher: &'static str,
}

/// Packets by protocol and port.
pub const PACKETS: Counters = Counters {
    name: "sensor_packets_total",
    matcher: "",
    labels: "protocol, port",
    recorded: [SENSOR_PACKETS_1H, SENSOR_PACKETS_1D],
    recorded_matcher: "",
};

/// SYNs by what made them.
pub const TOOLS: Counters = Counters {
    name: "sensor_tool_packets_total",
    matcher: "",
    labels: "tool",
    recorded: [SENSOR_DETAILS_1H, SENSOR_DETAILS_1D],
    recorded_matcher: "detail=\"tool\",",
};

/// Packets by where they came from.
pub const ORIGINS: Counters = Counters {
    name: "",
    matcher: "__name__=~\"sensor_(country|as|known_scanner|known_scanner_port|constituency)_packets_total\",",
    labels: "country, as, scanner, constituency, protocol, port",
    recorded: [SENSOR_ORIGINS_1H, SENSOR_ORIGINS_1D],
    recorded_matcher: "",
};

impl Counters {
    /// Those of a sensor.
    fn of(self, sensor: &str) -> String {
        format!("{}{{{}sensor={}}}", self.name, self.matcher, quoted(sensor))
    }

    /// What is recorded of a sensor: of days in UTC, or of hours.
    fn record(self, sensor: &str, utc: bool) -> String {
        let name = self.recorded[usize::from(utc)];
        format!("{name}{{{}sensor={}}}", self.recorded_matcher, quoted(sensor))
    }

    /// How much they have grown within a window, exactly; `fleet/rules/rollup.yml` has it with an hour. `selected` are
    /// all of them, or some.
    #[must_use]
    pub fn increase(self, selected: &str, window: &str) -> String {
        let last = format!("last_over_time({selected}[{window}])");
        let base = format!("last_over_time({selected}[1d] offset {window})");
        let min = format!("min_over_time({selected}[{window}])");
        let max = format!("max_over_time({selected}[{window}])");
        format!(
            "sum by (sensor, {}) (({last} - ({base} or {min}) \
             unless (resets({selected}[{window}]) > 0 or {min} < {base})) \
             or {last} + clamp_min({max} - {base}, 0) * ({max} > bool {last}) or {last})",
            self.labels
        )
    }

    /// All of them, of every sensor.
    #[must_use]
    pub fn all(self) -> String {
        match self.matcher.trim_end_matches(',') {
            "" => self.name.to_owned(),
            matcher => format!("{}{{{matcher}}}", self.name),
        }
    }

    /// What a sensor counted in the day that ends at the moment of evaluation.
    ///
    /// UTC days were recorded as such; days of other zones, of `seconds`, are added up from hours.
    #[must_use]
    pub fn recorded(self, sensor: &str, seconds: i64, utc: bool) -> String {
        let record = self.record(sensor, utc);
        if utc { format!("last_over_time({record}[1d] {DAYS})") } else { sum_of_hours(&record, seconds) }
    }

    /// What a sensor counted in the `seconds` before the moment of evaluation, from its counters: exact, as `rollup.yml`
    /// explains.
    #[must_use]
    pub fn counted(self, sensor: &str, seconds: i64) -> String {
        self.increase(&self.of(sensor), &format!("{seconds}s"))
    }

    /// The same, for whole hours that end at the moment of evaluation, hour by hour.
    #[must_use]
    pub fn counted_hours(self, sensor: &str, hours: i64) -> String {
        // Half an hour less, so that it makes no difference whether the beginning of a range belongs to it.
        format!("sum_over_time(({})[{}m:1h])", self.increase(&self.of(sensor), "1h"), hours * 60 - 30)
    }

    /// What a sensor counted in the hour that ends at the moment of evaluation, from its counters, if it has no record of
    /// any.
    #[must_use]
    pub fn missed(self, sensor: &str) -> String {
        // A server that ends between a rule and the marker leaves an hour that has records and no marker.
        let record = self.record(sensor, false);
        format!("({}) unless on (sensor) last_over_time({record}[1h] {HOURS})", self.counted(sensor, 3600))
    }
}

/// What a sensor said of the sources of the UTC day that ends at the moment of evaluation, all through the next; each
/// series has its name.
#[must_use]
pub fn sources(sensor: &str) -> String {
    let names = [
        SOURCES_DAILY,
        COUNTRY_SOURCES_DAILY,
        MIRAI_SOURCES_DAILY,
        SOURCES_OBSERVED_DAILY,
        SOURCES_MISSED_DAILY,
        VICTIMS_DAILY,
    ];
    format!("last_over_time({{__name__=~\"{}\",sensor={}}}[1d] {NEXT_DAY})", names.join("|"), quoted(sensor))
}

/// Notices that all agents began in the UTC day that ends at the moment of evaluation, by constituency.
#[must_use]
pub fn notices() -> String {
    format!("sum by (constituency) (last_over_time({NOTICES_1D}[1d] {DAYS}))")
}

/// Whose autonomous systems are, by number and name, as agents told it in the day before the moment of evaluation. Nothing
/// is recorded of it: what there is, are the agents' own samples.
#[must_use]
pub fn holders() -> String {
    "group by (as, name) (last_over_time(sensor_as_info[1d]))".to_owned()
}

/// The hours of the day that ends at the moment of evaluation for which each sensor observed.
#[must_use]
pub fn recorded_observation(seconds: i64, utc: bool) -> String {
    if utc {
        format!("max by (sensor, region) (last_over_time({OBSERVED_1D}[1d] {DAYS})) * 24")
    } else {
        format!("max by (sensor, region) ({})", sum_of_hours(OBSERVED_1H, seconds))
    }
}

/// Packets of a sensor by the region that it was in, of the recorded hours in the `seconds` before the moment of
/// evaluation.
#[must_use]
pub fn packets_by_region(sensor: &str, seconds: i64) -> String {
    let sensor = quoted(sensor);
    // Half an hour less, so that it makes no difference whether the beginning of a range belongs to it.
    let minutes = seconds / 60 - 30;
    format!(
        "sum by (region) (sum_over_time((sum by (sensor) \
         (last_over_time({SENSOR_PACKETS_1H}{{sensor={sensor}}}[1h] {HOURS})) * on (sensor) group_right () group by \
         (sensor, region) (topk by (sensor) (1, last_over_time({OBSERVED_1H}{{sensor={sensor}}}[1h] {HOURS}))))\
         [{minutes}m:1h]))"
    )
}

/// The sum of what was recorded for the hours in the `seconds` before the moment of evaluation, once for each.
fn sum_of_hours(record: &str, seconds: i64) -> String {
    // Half an hour less, so that it makes no difference whether the beginning of a range belongs to it.
    let minutes = seconds / 60 - 30;
    format!("sum_over_time(last_over_time({record}[1h] {HOURS})[{minutes}m:1h])")
}

/// The end of the hour that ends at the moment of evaluation, if it was recorded.
#[must_use]
pub fn hour_marker() -> String {
    format!("last_over_time({HOUR_MARKER}[1h] {HOURS})")
}

/// The end of the UTC day that ends at the moment of evaluation, if it was recorded.
#[must_use]
pub fn day_marker() -> String {
    format!("last_over_time({DAY_MARKER}[1d] {DAYS})")
}

/// The part of the hour that ends at the moment of evaluation in which each sensor was observed, by the minute, if that
/// was not recorded.
#[must_use]
pub fn missed_observation() -> String {
    format!("({}) unless on (sensor) last_over_time({OBSERVED_1H}[1h] {HOURS})", observed_hours(3600))
}

/// How many sensors there are samples of in the hour that ends at the moment of evaluation.
#[must_use]
pub fn sampled_sensors() -> String {
    "count(last_over_time(sensor_info[1h]))".to_owned()
}

/// The hours, counted by the minute, of the `seconds` before the moment of evaluation in which each sensor was scraped
/// with its program attached everywhere.
#[must_use]
pub fn observed_hours(seconds: i64) -> String {
    let minutes = format!("count_over_time(({OBSERVING})[{}s:1m]) / 60", (seconds - 30).max(1));
    // Whoever was there between two full minutes only is there all the same.
    format!("{minutes} or 0 * group by (sensor, region) (last_over_time(sensor_info[{seconds}s]))")
}

/// Sensors that are scraped, with their program attached everywhere.
const OBSERVING: &str = "group by (sensor, region) (sensor_info and on (job, instance) \
                         (min by (job, instance) (max by (job, instance, interface) (sensor_xdp_attached)) == 1))";

/// A label's value as PromQL has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"} or vector(1) #\\\n"), r#""a\"} or vector(1) #\\\n""#);
    }
}
