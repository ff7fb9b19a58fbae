//! All that is decided before the first packet is drawn.

use super::events::{self, PlannedSurge};
use super::fleet::{self, Roles, Sensor};
use super::options::{Options, Scenario, midnight};
use super::services::{self, ServiceModel};

/// A simulation, decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was asked.
    pub options: Options,
    /// How many days.
    pub days: usize,
    /// When the first of them begins, in Unix seconds.
    pub start: i64,
    /// What packets are sent to.
    pub services: Vec<ServiceModel>,
    /// Who counts them.
    pub sensors: Vec<Sensor>,
    /// What surges.
    pub surges: Vec<PlannedSurge>,
}

impl Plan {
    /// Decides everything. The options must have passed [`Options::check`].
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut services = services::services(options);
        let (mut sensors, roles): (Vec<Sensor>, Roles) = fleet::sensors(options);
        fleet::trouble(options, &mut sensors, &roles);
        let surges = match options.scenario {
            Scenario::Usual => events::surges(options, &sensors, &roles, &mut services),
            Scenario::Quiet => Vec::new(),
        };
        Self {
            options: options.clone(),
            days: options.span(),
            start: midnight(options.first),
            services,
            sensors,
            surges,
        }
    }
}
