//! A panel: what it is called, what it asks, how it shows the answer.

use serde_json::{Map, Value, json};

use crate::vocabulary::palette::{BLUE, Colour, PLACES};

/// The data source that the dashboard's variable names.
pub fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A query of a panel.
#[derive(Debug)]
pub struct Query {
    expression: String,
    legend: String,
    /// The least step of a range query; an instant query has none.
    step: Option<&'static str>,
    table: bool,
}

impl Query {
    /// Asks at the end of the range.
    pub fn instant(expression: impl Into<String>) -> Self {
        Self { expression: expression.into(), legend: String::new(), step: None, table: false }
    }

    /// Asks at the end of the range, for a table: a row for each series, a column for each label.
    pub fn table(expression: impl Into<String>) -> Self {
        Self { table: true, ..Self::instant(expression) }
    }

    /// Asks over the range, at steps of at least this.
    pub fn range(expression: impl Into<String>, step: &'static str) -> Self {
        Self { step: Some(step), ..Self::instant(expression) }
    }

    /// What the series are called.
    pub fn legend(mut self, legend: &str) -> Self {
        legend.clone_into(&mut self.legend);
        self
    }

    fn json(&self, at: usize) -> Value {
        let format = if self.table { "table" } else { "time_series" };
        let mut query = json!({
            "datasource": datasource(),
            "editorMode": "code",
            "expr": self.expression,
            "format": format,
            "instant": self.step.is_none(),
            "range": self.step.is_some(),
            "legendFormat": self.legend,
            "refId": reference(at),
        });
        if let Some(step) = self.step {
            query["interval"] = step.into();
        }
        query
    }
}

/// The letter of a panel's query, from 0.
pub fn reference(at: usize) -> String {
    char::from(b'A' + u8::try_from(at).expect("a panel has a few queries")).to_string()
}

/// A panel on its way to JSON.
#[derive(Debug)]
pub struct Panel {
    kind: &'static str,
    title: String,
    description: String,
    width: u32,
    height: u32,
    queries: Vec<Query>,
    defaults: Map<String, Value>,
    overrides: Vec<Value>,
    options: Value,
    transformations: Vec<Value>,
    repeat: Option<&'static str>,
}

impl Panel {
    /// A panel of one of Grafana's kinds. The description says what it shows and how to read it.
    pub fn new(kind: &'static str, title: &str, description: &str) -> Self {
        Self {
            kind,
            title: title.to_owned(),
            description: description.split_whitespace().collect::<Vec<_>>().join(" "),
            width: 12,
            height: 8,
            queries: Vec::new(),
            defaults: Map::new(),
            overrides: Vec::new(),
            options: json!({}),
            transformations: Vec::new(),
            repeat: None,
        }
    }

    /// Curves, with a legend that is a table.
    pub fn curves(title: &str, description: &str) -> Self {
        Self::new("timeseries", title, description)
            .option("legend", json!({ "displayMode": "table", "placement": "right", "showLegend": true, "calcs": ["mean", "max", "lastNotNull"], "sortBy": "Mean", "sortDesc": true }))
            .option("tooltip", json!({ "mode": "multi", "sort": "desc" }))
            .custom(json!({ "lineWidth": 2, "fillOpacity": 0, "showPoints": "auto", "spanNulls": false, "axisSoftMin": 0 }))
            .default("color", json!({ "mode": "palette-classic" }))
    }

    /// One number.
    pub fn number(title: &str, description: &str) -> Self {
        Self::new("stat", title, description)
            .size(4, 4)
            .option("reduceOptions", json!({ "calcs": ["lastNotNull"], "fields": "", "values": false }))
            .option("colorMode", "value".into())
            .option("graphMode", "none".into())
            .option("justifyMode", "auto".into())
            .option("orientation", "auto".into())
            .option("textMode", "auto".into())
            .thresholds(&[(None, BLUE)])
    }

    /// A table.
    pub fn table(title: &str, description: &str) -> Self {
        Self::new("table", title, description)
            .option("showHeader", true.into())
            .option("cellHeight", "sm".into())
            .option("footer", json!({ "show": false, "reducer": ["sum"], "countRows": false }))
            .custom(json!({ "align": "auto", "filterable": true, "inspect": false }))
    }

    /// A cell for each series and step.
    pub fn cells(title: &str, description: &str) -> Self {
        Self::new("status-history", title, description)
            .option("rowHeight", json!(0.9))
            .option("colWidth", json!(0.95))
            .option("showValue", "never".into())
            .option("legend", json!({ "displayMode": "list", "placement": "bottom", "showLegend": true }))
            .option("tooltip", json!({ "mode": "single", "sort": "none" }))
            .custom(json!({ "lineWidth": 0, "fillOpacity": 90 }))
    }

    /// A bar for each series.
    pub fn bars(title: &str, description: &str) -> Self {
        Self::new("bargauge", title, description)
            .option("orientation", "horizontal".into())
            .option("displayMode", "basic".into())
            .option("valueMode", "text".into())
            .option("showUnfilled", true.into())
            .option("minVizHeight", json!(14))
            .option("minVizWidth", json!(8))
            .option("reduceOptions", json!({ "calcs": ["lastNotNull"], "fields": "", "values": false }))
            .thresholds(&[(None, BLUE)])
            .default("min", json!(0))
    }

    /// Width, of 24, and height.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// One more query.
    pub fn query(mut self, query: Query) -> Self {
        self.queries.push(query);
        self
    }

    /// An option of this kind of panel.
    pub fn option(mut self, name: &str, value: Value) -> Self {
        self.options[name] = value;
        self
    }

    /// A property of all fields.
    pub fn default(mut self, name: &str, value: Value) -> Self {
        self.defaults.insert(name.to_owned(), value);
        self
    }

    /// Properties of all fields that only this kind of panel has.
    pub fn custom(mut self, value: Value) -> Self {
        match (self.defaults.get_mut("custom"), value) {
            (Some(Value::Object(have)), Value::Object(more)) => have.extend(more),
            (_, value) => drop(self.defaults.insert("custom".to_owned(), value)),
        }
        self
    }

    /// The unit, one of Grafana's, and how many decimals.
    pub fn unit(self, unit: &str, decimals: u32) -> Self {
        self.default("unit", unit.into()).default("decimals", decimals.into())
    }

    /// What a vertical axis says.
    pub fn axis(self, label: &str) -> Self {
        self.custom(json!({ "axisLabel": label }))
    }

    /// Colours from these values on; the first has none.
    pub fn thresholds(self, steps: &[(Option<f64>, Colour)]) -> Self {
        let steps: Vec<Value> =
            steps.iter().map(|(value, colour)| json!({ "value": value, "color": colour })).collect();
        self.default("thresholds", json!({ "mode": "absolute", "steps": steps }))
            .default("color", json!({ "mode": "thresholds" }))
    }

    /// Words and colours for values.
    pub fn words(self, words: &[(&str, &str, Colour)]) -> Self {
        let options: Map<String, Value> = words
            .iter()
            .enumerate()
            .map(|(at, (value, text, colour))| {
                ((*value).to_owned(), json!({ "index": at, "text": text, "color": colour }))
            })
            .collect();
        self.default("mappings", json!([{ "type": "value", "options": options }]))
    }

    /// Properties of the fields that a matcher finds.
    pub fn on(mut self, matcher: &str, options: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<Value> =
            properties.iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
        self.overrides
            .push(json!({ "matcher": { "id": matcher, "options": options }, "properties": properties }));
        self
    }

    /// Overrides made elsewhere.
    pub fn overrides(mut self, overrides: Vec<Value>) -> Self {
        self.overrides.extend(overrides);
        self
    }

    /// Gives the series of each query the colour of its place.
    pub fn colours_by_place(mut self) -> Self {
        for (at, colour) in PLACES.iter().enumerate().take(self.queries.len()) {
            self = self.on(
                "byFrameRefID",
                &reference(at),
                &[("color", json!({ "mode": "fixed", "fixedColor": colour }))],
            );
        }
        self
    }

    /// Where a click on a value leads.
    pub fn link(self, title: &str, url: &str) -> Self {
        self.default("links", json!([{ "title": title, "url": url, "targetBlank": false }]))
    }

    /// One more transformation of the answers.
    pub fn transform(mut self, id: &str, options: &Value) -> Self {
        self.transformations.push(json!({ "id": id, "options": options }));
        self
    }

    /// Rows of several answers as one, those with most of this field first.
    pub fn merged(self, most: &str) -> Self {
        self.transform("merge", &json!({})).most_first(most)
    }

    /// Rows with most of this field first.
    pub fn most_first(self, field: &str) -> Self {
        self.transform("sortBy", &json!({ "fields": {}, "sort": [{ "field": field, "desc": true }] }))
    }

    /// The columns in their order: fields and what they are called. The time is left out.
    pub fn columns(self, columns: &[(&str, &str)]) -> Self {
        self.columns_without(&[], columns)
    }

    /// Likewise, without these fields besides.
    pub fn columns_without(self, hidden: &[&str], columns: &[(&str, &str)]) -> Self {
        let hidden = ["Time"].iter().chain(hidden).map(|&field| (field.to_owned(), Value::from(true)));
        let order = columns.iter().zip(0_u32..).map(|(&(field, _), at)| (field.to_owned(), Value::from(at)));
        let names = columns.iter().map(|&(field, name)| (field.to_owned(), Value::from(name)));
        let [hidden, order, names] = [hidden.collect(), order.collect(), names.collect::<Map<_, _>>()];
        self.transform(
            "organize",
            &json!({ "excludeByName": hidden, "indexByName": order, "renameByName": names }),
        )
    }

    /// A panel for each value of a variable.
    pub fn repeat(mut self, variable: &'static str) -> Self {
        self.repeat = Some(variable);
        self
    }

    /// Its width and height.
    pub fn extent(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The JSON of the panel with this number, at a place.
    pub fn json(&self, id: usize, x: u32, y: u32) -> Value {
        let targets: Vec<Value> = self.queries.iter().enumerate().map(|(at, query)| query.json(at)).collect();
        let mut panel = json!({
            "id": id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "fieldConfig": { "defaults": self.defaults, "overrides": self.overrides },
            "options": self.options,
            "targets": targets,
        });
        if !self.transformations.is_empty() {
            panel["transformations"] = self.transformations.clone().into();
        }
        if let Some(variable) = self.repeat {
            panel["repeat"] = variable.into();
            panel["repeatDirection"] = "h".into();
            panel["maxPerRow"] = 4.into();
        }
        panel
    }
}
