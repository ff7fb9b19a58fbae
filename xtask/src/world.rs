//! `cargo xtask world`: makes the outlines of countries on the page's map anew, of Natural Earth's (public domain), as npm's
//! `world-atlas` has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::shell;

/// The outlines, in `TopoJSON`.
const OUTLINES: (&str, &str) = ("world-atlas@2.0.2", "package/countries-110m.json");
/// Countries' numbers, by which the outlines know them, and letters.
const CODES: (&str, &str) = ("i18n-iso-countries@7.14.0", "package/codes.json");
/// What is made.
const MADE: &str = "sensor-user/src/page/world.csv";
const FETCHING: Duration = Duration::from_mins(2);

/// Units from west to east.
const WIDTH: f64 = 2_000.0;
/// No outline goes so far in one step, but from one edge of the map to the other.
const HALF: i64 = 1_000;
/// Where the map ends: Antarctica, where nobody sends from, is left out.
const NORTH: f64 = 83.7;
const SOUTH: f64 = -57.0;
/// What is smaller than so many units is left out, unless a country has nothing else.
const LEAST: i64 = 3;

/// Makes the file.
///
/// # Errors
/// The packages cannot be had, or are of another form.
pub fn run() -> Result<()> {
    let folder = shell::workspace().join("target/tools/world");
    fs::create_dir_all(&folder)?;
    let outlines = fetch(&folder, OUTLINES)?;
    let codes: BTreeMap<String, String> = fetch(&folder, CODES)?
        .as_array()
        .context("the codes are no list")?
        .iter()
        .filter_map(|row| Some((row[2].as_str()?.to_owned(), row[0].as_str()?.to_owned())))
        .collect();
    let arcs = arcs(&outlines).context("the outlines have no arcs")?;
    let countries =
        outlines["objects"]["countries"]["geometries"].as_array().context("there are no countries")?;
    let mut lines = BTreeMap::new();
    for country in countries {
        let code = country["id"].as_str().and_then(|id| codes.get(id)).cloned().unwrap_or_default();
        let name = country["properties"]["name"].as_str().unwrap_or_default();
        if code != "AQ" {
            lines.insert((code.clone(), name.to_owned()), format!("{code},{}\n", path(country, &arcs)));
        }
    }
    let text: String = lines.into_values().collect();
    fs::write(shell::workspace().join(MADE), &text)?;
    println!("{MADE}: {} bytes", text.len());
    Ok(())
}

/// A file of a package.
fn fetch(folder: &Path, (package, file): (&str, &str)) -> Result<Value> {
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", package]).current_dir(folder);
    let archive = shell::capture(&mut npm, FETCHING).with_context(|| format!("cannot fetch {package}"))?;
    let archive = archive.lines().last().unwrap_or_default().trim().to_owned();
    let mut tar = Command::new("tar");
    tar.args(["-xzf", &archive, file]).current_dir(folder);
    shell::capture(&mut tar, FETCHING)?;
    Ok(serde_json::from_str(&fs::read_to_string(folder.join(file))?)?)
}

type Arc = Vec<(i64, i64)>;

/// The arcs, on the map: each point is given by its distance from the one before, in steps of the grid.
fn arcs(outlines: &Value) -> Option<Vec<Arc>> {
    let pair = |value: &Value| Some((value[0].as_f64()?, value[1].as_f64()?));
    let (scale, origin) =
        (pair(&outlines["transform"]["scale"])?, pair(&outlines["transform"]["translate"])?);
    let arc = |arc: &Value| {
        let (mut x, mut y) = (0.0, 0.0);
        let points = arc.as_array()?.iter().filter_map(pair);
        Some(
            points
                .map(|(right, up)| {
                    (x, y) = (x + right, y + up);
                    on_map(x * scale.0 + origin.0, y * scale.1 + origin.1)
                })
                .collect(),
        )
    };
    outlines["arcs"].as_array()?.iter().map(arc).collect()
}

/// Where a place is on the map, in the projection Natural Earth (Šavrič, Patterson and Jenny, 2011).
fn on_map(longitude: f64, latitude: f64) -> (i64, i64) {
    let height = |latitude: f64| {
        let phi = latitude.to_radians();
        let p2 = phi * phi;
        let p4 = p2 * p2;
        phi * (1.007_226 + p2 * (0.015_085 + p4 * (-0.044_475 + 0.028_874 * p2 - 0.005_916 * p4)))
    };
    let phi = latitude.clamp(SOUTH, NORTH).to_radians();
    let p2 = phi * phi;
    let p4 = p2 * p2;
    let width = 0.870_700 - 0.131_979 * p2 + p4 * (-0.013_791 + p4 * p2 * (0.003_971 * p2 - 0.001_529 * p4));
    // Half of the equator.
    let unit = WIDTH / 2.0 / (0.870_700 * std::f64::consts::PI);
    let x = WIDTH / 2.0 + unit * width * longitude.to_radians();
    let y = unit * (height(NORTH) - height(latitude.clamp(SOUTH, NORTH)));
    #[expect(clippy::cast_possible_truncation, reason = "a map has few units")]
    (x.round() as i64, y.round() as i64)
}

/// A country's outline.
fn path(country: &Value, arcs: &[Arc]) -> String {
    let polygons: Vec<&Value> = match country["type"].as_str() {
        Some("MultiPolygon") => country["arcs"].as_array().into_iter().flatten().collect(),
        _ => vec![&country["arcs"]],
    };
    let mut rings: Vec<Arc> = polygons
        .into_iter()
        .flat_map(|polygon| polygon.as_array().into_iter().flatten())
        .map(|ring| joined(ring, arcs))
        .collect();
    let size = |ring: &Arc| {
        let span = |of: fn(&(i64, i64)) -> i64| {
            let (least, most) = (ring.iter().map(of).min(), ring.iter().map(of).max());
            most.unwrap_or_default() - least.unwrap_or_default()
        };
        span(|point| point.0).max(span(|point| point.1))
    };
    rings.sort_by_key(|ring| -size(ring));
    let large = rings.iter().filter(|ring| size(ring) >= LEAST).count().max(1);
    rings[..large.min(rings.len())].iter().map(drawn).collect()
}

/// A ring of arcs; one that is taken backwards has the complement of its number.
fn joined(ring: &Value, arcs: &[Arc]) -> Arc {
    let mut points = Arc::new();
    for number in ring.as_array().into_iter().flatten().filter_map(Value::as_i64) {
        let forwards = usize::try_from(number).ok();
        let backwards = usize::try_from(!number).ok();
        match (forwards, backwards) {
            (Some(number), _) => points.extend(&arcs[number]),
            (None, Some(number)) => points.extend(arcs[number].iter().rev()),
            (None, None) => {}
        }
    }
    points.dedup();
    points
}

fn drawn(ring: &Arc) -> String {
    let mut path = String::new();
    let mut before = None;
    for &(x, y) in ring {
        // Writing to a text does not fail.
        let _ = match before.replace((x, y)) {
            Some((left, top)) if (x - left).abs() < HALF => write!(path, "{} {} ", x - left, y - top),
            // A ring begins, or goes on at the other edge of the map.
            _ => write!(path, "{}M{x} {y}l", if path.is_empty() { "" } else { "z" }),
        };
    }
    (path + "z").replace(" -", "-").replace(" z", "z").replace("lz", "z")
}
