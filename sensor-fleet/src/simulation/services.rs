//! What packets are sent to, how often, and how steadily.

use std::f64::consts::TAU;

use rand::RngExt as _;
use rand_xoshiro::SplitMix64;

use super::noise::{normal, stream, uniform};
use super::options::Options;
use crate::vocabulary::service::Service;

/// What packets are sent to, as a series that every sensor has.
#[derive(Clone, Debug)]
pub struct ServiceModel {
    /// The label, such as `tcp`.
    pub protocol: &'static str,
    /// The label: a number, `other`, `fragment` or empty.
    pub port: String,
    /// Its part of all packets.
    pub share: f64,
    /// The variance of a day's rate over the square of its mean.
    pub dispersion: f64,
    /// What its rate is multiplied by each day, on all sensors.
    pub pulse: Vec<f64>,
    /// The day before which no sensor has it.
    pub born: Option<usize>,
}

impl ServiceModel {
    /// Its name, such as `23/TCP` and `ICMP`. That of what is never ranked, such as `other/TCP`, is made likewise.
    #[must_use]
    pub fn name(&self) -> String {
        match self.service() {
            Some(service) => service.to_string(),
            None if self.port.is_empty() => self.protocol.to_owned(),
            None => format!("{}/{}", self.port, self.protocol.to_uppercase()),
        }
    }

    /// What rankings call it; nothing for what is never ranked.
    fn service(&self) -> Option<Service> {
        Service::from_labels(self.protocol, &self.port)
    }

    /// Whether a ranking may have it.
    #[must_use]
    pub fn is_ranked(&self) -> bool {
        self.service().is_some()
    }

    /// The labels of its series after the sensor's. An empty label is the same as none, so none is written.
    #[must_use]
    pub fn labels(&self) -> String {
        let port = if self.port.is_empty() { String::new() } else { format!(",port=\"{}\"", self.port) };
        format!("protocol=\"{}\"{port}", self.protocol)
    }
}

/// The ports that hold half of all packets.
const TOP: [u16; 10] = [23, 6379, 22, 80, 8080, 443, 3389, 445, 5555, 8728];

/// Ports that come next; numbers drawn at random follow.
const NEXT: &[(&str, u16)] = &[
    ("tcp", 2323),
    ("udp", 123),
    ("tcp", 1433),
    ("udp", 53),
    ("tcp", 8443),
    ("tcp", 81),
    ("udp", 5060),
    ("tcp", 2222),
    ("tcp", 25),
    ("tcp", 5900),
    ("udp", 161),
    ("tcp", 3306),
    ("tcp", 60023),
    ("udp", 1900),
    ("tcp", 37215),
    ("tcp", 7547),
    ("tcp", 21),
    ("tcp", 8081),
    ("udp", 389),
    ("tcp", 5432),
    ("tcp", 9200),
    ("tcp", 2375),
    ("udp", 11211),
    ("tcp", 8888),
    ("tcp", 52869),
    ("tcp", 110),
    ("tcp", 995),
    ("tcp", 1723),
    ("tcp", 8000),
    ("udp", 500),
    ("tcp", 27017),
    ("tcp", 3388),
    ("tcp", 5985),
    ("tcp", 8545),
    ("tcp", 6443),
    ("udp", 3702),
    ("tcp", 4567),
    ("tcp", 10000),
    ("tcp", 993),
    ("udp", 69),
];

/// What has no number: its labels and its share.
const PORTLESS: [(&str, &str, f64); 8] = [
    ("icmp", "", 0.06),
    ("icmpv6", "", 0.000_4),
    ("gre", "", 0.000_8),
    ("tcp", "other", 0.15),
    ("udp", "other", 0.05),
    ("udp", "fragment", 0.000_6),
    ("tcp", "fragment", 0.000_1),
    ("malformed", "", 0.001_2),
];

/// All of them: first the ports by rank, then what has none. The last port of all is kept for one that is new.
#[must_use]
pub fn services(options: &Options) -> Vec<ServiceModel> {
    let mut random = stream(options.seed, [1, 0, 0]);
    let ports = numbers(options.ports as usize, &mut random);
    let tail = 1.0 - 0.5 - PORTLESS.iter().map(|it| it.2).sum::<f64>();
    let shares = zipf(TOP.len(), 0.9, 0.5).into_iter().chain(zipf(ports.len() - TOP.len(), 0.8, tail));
    let numbered = ports.into_iter().map(|(protocol, port)| (protocol, port.to_string()));
    let portless = PORTLESS.iter().map(|(protocol, port, share)| ((*protocol, (*port).to_owned()), *share));
    let all = numbered.zip(shares).chain(portless);
    all.enumerate()
        .map(|(at, ((protocol, port), share))| {
            let mut random = stream(options.seed, [2, at as u64, 0]);
            let dispersion = 0.02 + 0.18 * uniform(&mut random).powi(2);
            let pulse = pulse(options.span(), &mut random);
            ServiceModel { protocol, port, share, dispersion, pulse, born: None }
        })
        .collect()
}

fn numbers(count: usize, random: &mut SplitMix64) -> Vec<(&'static str, u16)> {
    let known = TOP.iter().map(|port| ("tcp", *port)).chain(NEXT.iter().copied());
    let mut ports: Vec<_> = known.take(count).collect();
    let mut taken: std::collections::HashSet<_> = ports.iter().copied().collect();
    while ports.len() < count {
        let protocol = if random.random_range(0..5) == 0 { "udp" } else { "tcp" };
        let port = (protocol, random.random_range(1..=u16::MAX));
        if taken.insert(port) {
            ports.push(port);
        }
    }
    ports
}

/// Shares that fall with rank and add up to `all`.
fn zipf(count: usize, exponent: f64, all: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=count).map(|rank| (rank as f64).powf(-exponent)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum * all).collect()
}

/// Slow drift, a weekly pattern, and the little by which days differ everywhere.
fn pulse(days: usize, random: &mut SplitMix64) -> Vec<f64> {
    let (height, length, phase) =
        (0.2 * uniform(random), 150.0 + 250.0 * uniform(random), TAU * uniform(random));
    let (weekly, weekday) = (0.08 * uniform(random), 7.0 * uniform(random));
    (0..days)
        .map(|day| {
            let drift = height * (TAU * day as f64 / length + phase).sin();
            let week = weekly * (TAU * (day as f64 - weekday) / 7.0).cos();
            (drift + week + 0.03 * normal(random)).exp()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_ports_hold_half_and_all_hold_everything() {
        for ports in [16, 60, 300] {
            let mut options = Options::days(1, 30, jiff::civil::date(2024, 1, 1)).unwrap();
            options.ports = ports;
            let services = services(&options);
            assert_eq!(services.len(), ports as usize + PORTLESS.len());
            let share = |services: &[ServiceModel]| services.iter().map(|it| it.share).sum::<f64>();
            assert!((share(&services[..10]) - 0.5).abs() < 1e-9);
            assert!((share(&services) - 1.0).abs() < 1e-9);
            let names: std::collections::HashSet<_> = services.iter().map(ServiceModel::name).collect();
            assert_eq!(names.len(), services.len());
        }
    }
}
