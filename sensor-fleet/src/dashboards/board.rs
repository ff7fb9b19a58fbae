//! A dashboard: its variables, its panels in rows, and its links to the others.

use serde_json::{Value, json};

use super::panel::{Panel, datasource};

/// How wide Grafana's grid is.
const WIDTH: u32 = 24;

/// What all dashboards are tagged with; their links find each other by it.
const TAG: &str = "sensor-fleet";

/// The dashboards, each with the identifier that links use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uid {
    /// The fleet at a glance.
    Overview,
    /// One service on all sensors.
    Port,
    /// One sensor.
    Sensor,
    /// Who sends, and what no longer comes.
    Sources,
    /// The agents.
    Agents,
}

impl Uid {
    /// The identifier in a dashboard's address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "sensor-fleet-overview",
            Self::Port => "sensor-fleet-port",
            Self::Sensor => "sensor-fleet-sensor",
            Self::Sources => "sensor-fleet-sources",
            Self::Agents => "sensor-fleet-agents",
        }
    }

    /// The address of the dashboard with the same data source and time, and with these variables: for those that have
    /// no regions to hand on, or none to take.
    pub fn without_regions(self, variables: &str) -> String {
        format!("/d/{}?${{__url_time_range}}&var-datasource=${{datasource}}&{variables}", self.name())
    }

    /// The address of the dashboard with the same data source, regions and time, and with these variables.
    pub fn with(self, variables: &str) -> String {
        let regions = if self == Self::Agents { "" } else { "&${region:queryparam}" };
        format!(
            "/d/{}?${{__url_time_range}}&var-datasource=${{datasource}}{regions}&{variables}",
            self.name()
        )
    }
}

/// A variable that asks Prometheus.
#[derive(Debug)]
pub struct Variable {
    name: &'static str,
    label: &'static str,
    query: String,
    regex: &'static str,
    /// The expression for "all", or empty for a list of all values.
    all: Option<&'static str>,
    multi: bool,
    hidden: bool,
    numeric: bool,
    current: Option<&'static str>,
}

impl Variable {
    /// One value.
    pub fn one(name: &'static str, label: &'static str, query: impl Into<String>) -> Self {
        Self {
            name,
            label,
            query: query.into(),
            regex: "",
            all: None,
            multi: false,
            hidden: false,
            numeric: false,
            current: None,
        }
    }

    /// Several values, or all. Without an expression, "all" is the list of all values, escaped by Grafana: where the
    /// list depends on another variable, an expression for anything would ignore that.
    pub fn many(
        name: &'static str,
        label: &'static str,
        query: impl Into<String>,
        all: &'static str,
    ) -> Self {
        Self { all: Some(all), multi: true, ..Self::one(name, label, query) }
    }

    /// Takes a value out of each answer.
    pub fn regex(mut self, regex: &'static str) -> Self {
        self.regex = regex;
        self
    }

    /// Not shown.
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Sorted by number.
    pub fn numeric(mut self) -> Self {
        self.numeric = true;
        self
    }

    /// The value at first.
    pub fn current(mut self, value: &'static str) -> Self {
        self.current = Some(value);
        self
    }

    fn json(&self) -> Value {
        let current = match (self.all, self.current) {
            (Some(_), _) => json!({ "selected": true, "text": ["All"], "value": ["$__all"] }),
            (None, Some(value)) => json!({ "selected": true, "text": value, "value": value }),
            (None, None) => json!({}),
        };
        let mut variable = json!({
            "type": "query",
            "name": self.name,
            "label": self.label,
            "datasource": datasource(),
            "definition": self.query,
            "query": { "query": self.query, "refId": format!("variable-{}", self.name) },
            "regex": self.regex,
            // 2: whenever the time range changes, so that sensors of another quarter are found.
            "refresh": 2,
            "sort": if self.numeric { 3 } else { 1 },
            "multi": self.multi,
            "includeAll": self.all.is_some(),
            "hide": if self.hidden { 2 } else { 0 },
            "current": current,
            "options": [],
            // A hidden variable follows the others; an address that set it would be hard to get rid of.
            "skipUrlSync": self.hidden,
        });
        if let Some(all) = self.all.filter(|all| !all.is_empty()) {
            variable["allValue"] = all.into();
        }
        variable
    }
}

/// The regions; "all" is any region, none included.
pub fn region() -> Variable {
    Variable::many("region", "Region", "label_values(sensor_info, region)", ".*")
}

/// Some of the sensors of the chosen regions.
pub fn sensors() -> Variable {
    Variable::many("sensors", "Sensors", SENSORS, "")
}

/// All sensors of the chosen regions, hidden. Not under the name of the choice: links between dashboards hand that on.
pub fn all_sensors() -> Variable {
    Variable::many("all_sensors", "Sensors", SENSORS, "").hidden()
}

const SENSORS: &str = "label_values(sensor_info{region=~\"$region\"}, sensor)";

/// A dashboard on its way to JSON.
#[derive(Debug)]
pub struct Board {
    uid: Uid,
    title: String,
    description: String,
    from: &'static str,
    refresh: &'static str,
    variables: Vec<Value>,
    panels: Vec<Value>,
    /// Where the next panel goes, and where the next line begins.
    cursor: (u32, u32, u32),
}

impl Board {
    /// An empty dashboard that shows this range at first, such as `now-7d`.
    pub fn new(uid: Uid, title: &str, description: &str, from: &'static str, refresh: &'static str) -> Self {
        let datasource = json!({
            "type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "regex": "",
            "refresh": 1, "hide": 0, "multi": false, "includeAll": false, "current": {}, "options": [], "skipUrlSync": false,
        });
        Self {
            uid,
            title: title.to_owned(),
            description: description.to_owned(),
            from,
            refresh,
            variables: vec![datasource],
            panels: Vec::new(),
            cursor: (0, 0, 0),
        }
    }

    /// One more variable.
    pub fn variable(mut self, variable: &Variable) -> Self {
        self.variables.push(variable.json());
        self
    }

    /// One more variable that is typed in.
    pub fn text(mut self, name: &str, label: &str, value: &str) -> Self {
        let option = json!({ "selected": true, "text": value, "value": value });
        self.variables.push(json!({
            "type": "textbox", "name": name, "label": label, "query": value, "hide": 0, "current": option, "options": [option],
            "skipUrlSync": false,
        }));
        self
    }

    /// A heading over what follows.
    pub fn row(mut self, title: &str) -> Self {
        let (_, _, next) = self.cursor;
        self.panels.push(json!({
            "id": self.panels.len() + 1, "type": "row", "title": title, "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": next, "w": WIDTH, "h": 1 },
        }));
        self.cursor = (0, next + 1, next + 1);
        self
    }

    /// One more panel, beside the last one if there is room.
    pub fn panel(mut self, panel: &Panel) -> Self {
        let (width, height) = panel.extent();
        let (mut x, mut y, next) = self.cursor;
        if x + width > WIDTH {
            (x, y) = (0, next);
        }
        self.panels.push(panel.json(self.panels.len() + 1, x, y));
        self.cursor = (x + width, y, next.max(y + height));
        self
    }

    /// Its JSON.
    pub fn json(self) -> Value {
        json!({
            "uid": self.uid.name(),
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": 38,
            "editable": true,
            "graphTooltip": 1,
            // The rollups' days are UTC's.
            "timezone": "utc",
            "weekStart": "monday",
            "time": { "from": self.from, "to": "now" },
            "timepicker": {},
            "refresh": self.refresh,
            "annotations": { "list": [] },
            "links": [{
                "type": "dashboards", "title": "Fleet dashboards", "tags": [TAG], "asDropdown": false, "icon": "external link",
                "includeVars": true, "keepTime": true, "targetBlank": false, "tooltip": "", "url": "",
            }],
            "templating": { "list": self.variables },
            "panels": self.panels,
        })
    }
}
