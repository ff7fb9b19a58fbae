//! The queries that panels share.

use crate::vocabulary::series::{LATEST, OBSERVED_1D, REGION_PACKETS_1D};

/// What is ranked: neither malformed packets, nor those of ports without a series, nor fragments.
pub const RANKED: &str = r#"protocol!="malformed",port!~"other|fragment""#;

/// The chosen regions.
pub const REGION: &str = r#"region=~"$region""#;

/// The chosen sensors.
pub const SENSORS: &str = r#"sensor=~"$sensors""#;

/// Gives series by protocol and port a label that says both: `23/tcp`, or `icmp` where there are no ports.
pub fn service(expression: &str) -> String {
    format!(
        r#"label_replace(label_join({expression}, "service", "/", "port", "protocol"), "service", "$1", "service", "/(.*)")"#
    )
}

/// The series that is at this place, from 1, when `ranking` is ordered. `topk` in a range query would choose anew at
/// each step; the ranking is made at the end of the range instead.
pub fn place(series: &str, ranking: &str, place: usize) -> String {
    let without = match place {
        0 | 1 => String::new(),
        _ => format!(" unless on (protocol, port) topk({}, {ranking})", place - 1),
    };
    format!("{series} and on (protocol, port) (topk({place}, {ranking}){without})")
}

/// Where each sensor is: 1 for each sensor and its region.
pub fn regions(selector: &str) -> String {
    format!("(topk by (sensor) (1, max by (sensor, region) (last_over_time({selector}))) >= bool 0)")
}

/// What each sensor does: 2 it observes, 1 it is scraped and its program is detached, 0 its host does not answer.
/// A sensor is known for a day after its host was last scraped.
pub fn state(selector: &str) -> String {
    format!(
        "max by (region, sensor) (last_over_time(sensor_info{{{selector}}}[1d]) * on (job, instance) group_left () \
         (up + on (job, instance) (min by (job, instance) (max by (job, instance, interface) (sensor_xdp_attached)) \
         or max by (job, instance) (0 * up))))"
    )
}

/// Packets per observed sensor-day, from the numerator's and the denominator's sums over the same days.
pub fn per_sensor_day(by: &str, packets: &str, observed: &str) -> String {
    if by.is_empty() {
        format!("sum({packets}) / sum({observed})")
    } else {
        format!("sum by ({by}) ({packets}) / on ({by}) sum by ({by}) ({observed})")
    }
}

/// The monthly average of packets per observed sensor-day: a point at the beginning of each UTC month that begins in
/// the range. `month()` has no window, so each length of month has its own, and the calendar chooses.
pub fn monthly(matcher: &str) -> String {
    let of_length = |days: u32| {
        let window = format!("[{days}d] offset -{}d{LATEST}", days + 1);
        let ratio = per_sensor_day(
            "",
            &format!("sum_over_time({REGION_PACKETS_1D}{{{matcher}}}{window})"),
            &format!("sum_over_time({OBSERVED_1D}{{{matcher}}}{window})"),
        );
        format!("({ratio} and days_in_month() == {days})")
    };
    let lengths = [28, 29, 30, 31].map(of_length);
    format!("({}) and day_of_month() == 1", lengths.join(" or "))
}
