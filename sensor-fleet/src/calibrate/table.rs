//! The tables.

use super::Done;
use super::case::{Case, Course, QUARTERS, Scope};
use super::noise::Noise;
use super::outcome::Hit;

/// All lines, as Markdown.
pub(super) fn lines(done: &[Done]) -> Vec<String> {
    let noises: Vec<Noise> =
        Noise::ALL.into_iter().filter(|noise| done.iter().any(|done| done.task.noise == *noise)).collect();
    let mut lines = quiet(done, &noises);
    lines.push(String::new());
    lines.extend(planted(done, &noises));
    lines
}

/// A line for each event that nothing was planted of.
pub(super) fn wrong(done: &[Done]) -> Vec<String> {
    let of = |done: &Done| {
        let Done { task, found } = done;
        let place = format!("{}, {} sensors, quarter {:?}", task.noise.name(), task.sensors, task.seed);
        found.says.iter().map(|says| format!("{place}: {says}")).collect::<Vec<_>>()
    };
    done.iter().flat_map(of).collect()
}

fn quiet(done: &[Done], noises: &[Noise]) -> Vec<String> {
    let mut sizes: Vec<usize> =
        done.iter().filter(|done| done.task.cases.is_empty()).map(|done| done.task.sensors).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let head: Vec<String> = sizes.iter().map(|sensors| format!(" {sensors} sensors |")).collect();
    let head = head.concat();
    let mut lines = vec![
        format!("| noise |{head} false of all events where some are planted |"),
        format!("| --- |{} --- |", " --- |".repeat(sizes.len())),
    ];
    for noise in noises {
        let of = |sensors: usize| {
            let quarters = done.iter().filter(|done| {
                (done.task.noise, done.task.sensors) == (*noise, sensors) && done.task.cases.is_empty()
            });
            let (mut all, mut wrong, mut of_one) = (0, 0, 0);
            for done in quarters {
                all += 1;
                wrong += usize::from(done.found.events > 0);
                of_one += done.found.of_one;
            }
            let told = if of_one > 0 { format!(", {of_one} told to be one source's") } else { String::new() };
            format!(" {wrong} of {all}{told} |")
        };
        let cells = sizes.iter().map(|sensors| of(*sensors)).collect::<Vec<_>>().concat();
        let (mut events, mut wrong) = (0, 0);
        for done in done.iter().filter(|done| done.task.noise == *noise && !done.task.cases.is_empty()) {
            events += done.found.events;
            wrong += done.found.wrong;
        }
        lines.push(format!("| {} |{cells} {wrong} of {events} ({}) |", noise.name(), percent(wrong, events)));
    }
    lines
}

fn planted(done: &[Done], noises: &[Noise]) -> Vec<String> {
    let mut lines = vec![
        "| noise | planted | found | verdict right | begin within a day | end within a day |".to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for noise in noises {
        for (sensors, cases) in QUARTERS {
            for (at, case) in cases.iter().enumerate() {
                let quarters: Vec<Option<Hit>> = done
                    .iter()
                    .filter(|done| {
                        (done.task.noise, done.task.sensors) == (*noise, *sensors)
                            && done.task.cases == *cases
                    })
                    .map(|done| done.found.planted[at])
                    .collect();
                let hits: Vec<Hit> = quarters.iter().copied().flatten().collect();
                let part =
                    |of: fn(&Hit) -> bool| percent(hits.iter().filter(|hit| of(hit)).count(), hits.len());
                lines.push(format!(
                    "| {} | {} | {} of {} | {} | {} | {} |",
                    noise.name(),
                    said(case, *sensors),
                    hits.len(),
                    quarters.len(),
                    part(|hit| hit.verdict),
                    part(|hit| hit.begin),
                    part(|hit| hit.end)
                ));
            }
        }
    }
    lines
}

fn said(case: &Case, sensors: usize) -> String {
    let scope = match case.scope {
        Scope::Sensor => format!("one of {sensors} sensors"),
        Scope::Region => format!("a region of {sensors} sensors"),
        Scope::Fleet => format!("all {sensors} sensors"),
    };
    let Case { days, level, .. } = case;
    match case.course {
        Course::Times(ratio) => format!("{ratio}× for {days} d on {level} a day, {scope}"),
        Course::All(ratio) => format!("every service at {} for {days} d, {scope}", percent_of(ratio)),
        Course::Grows(part) => format!("+{} a day for {days} d on {level} a day, {scope}", percent_of(part)),
    }
}

fn percent(part: usize, all: usize) -> String {
    if all == 0 { "–".to_owned() } else { percent_of(part as f64 / all as f64) }
}

fn percent_of(part: f64) -> String {
    format!("{} %", (part * 1_000.0).round() / 10.0)
}
