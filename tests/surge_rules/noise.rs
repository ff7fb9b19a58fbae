//! Fleets in which nothing happens but noise, of the kinds that darknets have.

use sensor_fleet::calibrate::noise::Noise;
use sensor_fleet::simulation::noise::{normal, poisson, stream, uniform};

/// All but loud single sources, which nothing tells from surges but who sent them: that rules do not know.
pub fn all() -> impl Iterator<Item = Noise> {
    Noise::ALL.into_iter().filter(|noise| *noise != Noise::Loud)
}

/// Packets of cells by day: of each service 5 to 50,000 a day, on a sensor half or twice as many.
pub fn fleet(noise: Noise, sensors: usize, services: usize, days: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = stream(seed, [7, 0, 0]);
    let mut cells = Vec::new();
    for _ in 0..services {
        let mean = (5.0_f64.ln() + 10_000.0_f64.ln() * uniform(&mut random)).exp();
        for factors in noise.factors(&mut random, sensors, days) {
            let own = mean * (0.5 * normal(&mut random)).exp();
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            cells.push(factors.iter().map(|factor| poisson(&mut random, own * factor) as f64).collect());
        }
    }
    cells
}
