//! The summary of a run over several kernels: what failed, then a table as the README has it.

use std::fmt;
use std::time::Duration;

use super::qemu::Accelerator;
use super::watch::Judged;
use crate::test::outcome::Outcome;

/// A kernel's run.
pub struct Row {
    /// What the kernel was asked for by.
    pub name: String,
    /// What came of it.
    pub judged: Judged,
    /// How the processors came about, if it came so far.
    pub accelerator: Option<Accelerator>,
    /// From the start to the end, the first file system included.
    pub took: Duration,
}

impl Row {
    /// The tests.
    pub fn outcome(&self) -> &Outcome {
        &self.judged.outcome
    }

    /// The tests, by names that say on which kernel.
    pub fn into_outcome(self) -> Outcome {
        let named =
            |names: Vec<String>| names.iter().map(|name| format!("kernel {}: {name}", self.name)).collect();
        let Outcome { passed, failed, skipped } = self.judged.outcome;
        Outcome { passed, failed: named(failed), skipped: named(skipped) }
    }

    fn cells(&self) -> [String; 8] {
        let Outcome { passed, failed, skipped } = self.outcome();
        let lacks = &self.judged.lacks;
        [
            self.name.clone(),
            self.judged.release.clone().unwrap_or_else(|| "did not start".to_owned()),
            self.accelerator.map_or("none", Accelerator::name).to_owned(),
            passed.to_string(),
            failed.len().to_string(),
            skipped.len().to_string(),
            self.took.as_secs().to_string(),
            if lacks.is_empty() { "nothing".to_owned() } else { lacks.join(", ") },
        ]
    }
}

/// All of them.
pub struct Table<'a>(pub &'a [Row]);

const HEAD: [&str; 8] = ["kernel", "release", "mode", "passed", "failed", "skipped", "seconds", "lacks"];

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.0 {
            for skipped in &row.outcome().skipped {
                writeln!(f, "skipped on {}: {skipped}", row.name)?;
            }
        }
        for row in self.0 {
            for failed in &row.outcome().failed {
                writeln!(f, "failed on {}: {failed} (see target/vm/{})", row.name, row.name)?;
            }
        }
        let rows: Vec<[String; 8]> = self.0.iter().map(Row::cells).collect();
        let width = |column: usize| {
            rows.iter().map(|row| row[column].len()).chain([HEAD[column].len()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        write_row(f, &HEAD, &widths)?;
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        write_row(f, &rules, &widths)?;
        rows.iter().try_for_each(|row| write_row(f, row, &widths))
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, cells: &[impl AsRef<str>], widths: &[usize]) -> fmt::Result {
    let cells: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{:width$}", cell.as_ref())).collect();
    writeln!(f, "| {} |", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_did_not_start_has_a_row_too() {
        let good = Judged {
            release: Some("6.1.0-50-cloud-amd64".to_owned()),
            lacks: vec!["TCX".to_owned()],
            outcome: Outcome { passed: 41, skipped: vec!["a: no promtool".to_owned()], ..Outcome::default() },
            ..Judged::default()
        };
        let bad = Judged {
            outcome: Outcome { failed: vec!["silent for 120 s".to_owned()], ..Outcome::default() },
            ..Judged::default()
        };
        let took = Duration::from_secs(97);
        let row = |name: &str, judged| Row {
            name: name.to_owned(),
            judged,
            accelerator: Some(Accelerator::Tcg),
            took,
        };
        let rows = [row("6.1", good), row("newest", bad)];
        let expected = "\
skipped on 6.1: a: no promtool
failed on newest: silent for 120 s (see target/vm/newest)
| kernel | release              | mode | passed | failed | skipped | seconds | lacks   |
| ------ | -------------------- | ---- | ------ | ------ | ------- | ------- | ------- |
| 6.1    | 6.1.0-50-cloud-amd64 | tcg  | 41     | 0      | 1       | 97      | TCX     |
| newest | did not start        | tcg  | 0      | 1      | 0       | 97      | nothing |
";
        assert_eq!(Table(&rows).to_string(), expected);
    }
}
