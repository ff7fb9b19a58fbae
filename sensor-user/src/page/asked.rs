//! Which page is asked for, by its path and query.

use form_urlencoded::Serializer;

use crate::config::Port;
use crate::view::AskView;

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// What it is about.
    pub what: What,
    /// Of this sensor; without it, of all together.
    pub sensor: Option<String>,
    /// For a screen on a wall: large, and without what is for hands.
    pub wall: bool,
    /// Ranked by about how many packets were not from known scanners.
    pub without_known_scanners: bool,
    /// Whether the map is coloured by sources, and not by packets.
    pub map_of_sources: bool,
}

/// What a page is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// All there is.
    #[default]
    Front,
    /// A port.
    Port(Port),
}

const SENSOR: &str = "sensor";
const SCREEN: (&str, &str) = ("screen", "wall");
const WITHOUT: (&str, &str) = ("without", "known-scanners");
const MAP: (&str, &str) = ("map", "sources");

impl Asked {
    /// The page at this path; `None` if there is none. What is not known in a query is left out.
    #[must_use]
    pub fn parse(path: &str, query: Option<&str>) -> Option<Self> {
        let what = match path {
            "/" => What::Front,
            _ => What::Port(path.strip_prefix("/port/")?.parse().ok()?),
        };
        let mut asked = Self { what, ..Self::default() };
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (&*key, &*value) {
                (SENSOR, "") => {}
                (SENSOR, name) => asked.sensor = Some(name.to_owned()),
                SCREEN => asked.wall = true,
                WITHOUT => asked.without_known_scanners = true,
                MAP => asked.map_of_sources = true,
                _ => {}
            }
        }
        Some(asked)
    }

    /// What is asked of the facts.
    #[must_use]
    pub fn view(&self) -> AskView {
        AskView { sensor: self.sensor.clone() }
    }

    /// The port that it is about.
    #[must_use]
    pub const fn port(&self) -> Option<Port> {
        match self.what {
            What::Front => None,
            What::Port(port) => Some(port),
        }
    }

    /// Its query, with a question mark, unless it is empty.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        if let Some(sensor) = &self.sensor {
            query.append_pair(SENSOR, sensor);
        }
        for (is_asked_for, (key, value)) in
            [(self.wall, SCREEN), (self.without_known_scanners, WITHOUT), (self.map_of_sources, MAP)]
        {
            if is_asked_for {
                query.append_pair(key, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// Where this page is, seen from the first.
    #[must_use]
    pub fn link(&self) -> String {
        let path = match self.what {
            What::Front => "./".to_owned(),
            What::Port(port) => format!("port/{port}"),
        };
        path + &self.query()
    }

    /// Where this page is, seen from another.
    #[must_use]
    pub fn link_from(&self, other: &Self) -> String {
        format!("{}{}", other.root(), self.link())
    }

    /// The way from this page to the first.
    #[must_use]
    pub const fn root(&self) -> &'static str {
        match self.what {
            What::Front => "",
            What::Port(_) => "../../",
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::front("/", "", Some(Asked::default()))]
    #[case::port("/port/53/udp", "", Some(Asked { what: What::Port(Port::udp(53)), ..Asked::default() }))]
    #[case::sensor("/", "sensor=a+%26b%C3%A9", Some(Asked { sensor: Some("a &bé".to_owned()), ..Asked::default() }))]
    #[case::all(
        "/",
        "screen=wall&without=known-scanners&map=sources&nonsense&screen=",
        Some(Asked { wall: true, without_known_scanners: true, map_of_sources: true, ..Asked::default() })
    )]
    #[case::no_sensor("/", "sensor=", Some(Asked::default()))]
    #[case::no_port("/port/23", "", None)]
    #[case::no_such_port("/port/65536/tcp", "", None)]
    #[case::elsewhere("/none", "", None)]
    fn pages_are_asked_for(#[case] path: &str, #[case] query: &str, #[case] expected: Option<Asked>) {
        let asked = Asked::parse(path, Some(query));
        assert_eq!(asked, expected);
        if let Some(asked) = asked {
            let again = asked.query();
            assert_eq!(Asked::parse(path, again.strip_prefix('?')), Some(asked), "{again}");
        }
    }
}
