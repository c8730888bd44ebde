//! The table: in Markdown for people, in JUnit's XML for machines.

use std::collections::{BTreeMap, BTreeSet};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use tokio::time::Duration;

/// What a cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// Why it failed.
    Fail(String),
    /// It failed as known-failures.yaml says, with its reason.
    Known(String),
    /// Why it wasn't run.
    Skip(String),
}

/// One client in one case.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) client: String,
    pub(crate) case: String,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
}

/// The reason of verdicts of one kind.
type Reason = fn(&Verdict) -> Option<&str>;

/// A table with a column for each client.
pub(crate) struct Table<'a> {
    pub(crate) title: &'a str,
    /// What stands above the rows' names.
    pub(crate) rows_are: &'a str,
    pub(crate) clients: Vec<&'a str>,
    /// Name and description.
    pub(crate) rows: Vec<(&'a str, &'a str)>,
    pub(crate) cells: &'a [Cell],
}

impl Verdict {
    fn mark(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "**FAIL**",
            Self::Known(_) => "known",
            Self::Skip(_) => "-",
        }
    }
}

/// How many cells pass, fail, are known to fail and are skipped.
pub(crate) fn counts(cells: &[Cell]) -> [usize; 4] {
    let count = |wanted: fn(&Verdict) -> bool| cells.iter().filter(|cell| wanted(&cell.verdict)).count();
    [
        count(|verdict| matches!(verdict, Verdict::Pass)),
        count(|verdict| matches!(verdict, Verdict::Fail(_))),
        count(|verdict| matches!(verdict, Verdict::Known(_))),
        count(|verdict| matches!(verdict, Verdict::Skip(_))),
    ]
}

impl Table<'_> {
    /// As Markdown: the marks, then the reasons of all that isn't a pass.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n| {} | {} |\n", self.title, self.rows_are, self.clients.join(" | "));
        text += &format!("|---|{}\n", "---|".repeat(self.clients.len()));
        for (row, about) in &self.rows {
            let marks: Vec<_> = self
                .clients
                .iter()
                .map(|client| self.find(row, client).map_or("", |cell| cell.verdict.mark()))
                .collect();
            let about = if about.is_empty() { String::new() } else { format!(": {about}") };
            text += &format!("| **{row}**{about} | {} |\n", marks.join(" | "));
        }
        text + &self.reasons()
    }

    fn find(&self, row: &str, client: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.case == *row && cell.client == client)
    }

    fn reasons(&self) -> String {
        let sections: [(&str, Reason); 3] = [
            ("Failures", |verdict| if let Verdict::Fail(reason) = verdict { Some(reason) } else { None }),
            ("Known failures", |verdict| if let Verdict::Known(reason) = verdict { Some(reason) } else { None }),
            ("Not run", |verdict| if let Verdict::Skip(reason) = verdict { Some(reason) } else { None }),
        ];
        let mut text = String::new();
        for (title, reason) in sections {
            let lines = self.lines(reason);
            if !lines.is_empty() {
                text += &format!("\n### {title}\n\n{lines}");
            }
        }
        text
    }

    /// A line for each reason, with the clients and the rows that have it.
    fn lines(&self, reason: Reason) -> String {
        let mut rows: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for cell in self.cells {
            if let Some(reason) = reason(&cell.verdict) {
                rows.entry((reason, &cell.client)).or_default().push(&cell.case);
            }
        }
        let mut clients: BTreeMap<(&str, Vec<&str>), Vec<&str>> = BTreeMap::new();
        for ((reason, client), rows) in rows {
            clients.entry((reason, rows)).or_default().push(client);
        }
        let line = |((reason, rows), clients): ((&str, Vec<&str>), Vec<&str>)| {
            let rows = if rows.len() == self.rows.len() { "all".to_owned() } else { rows.join(", ") };
            format!("- **{}**: {reason} ({rows})\n", clients.join(", "))
        };
        clients.into_iter().map(line).collect()
    }
}

/// All cells as JUnit's XML: a suite for each client, and one of all that isn't run, with a test for each reason.
pub(crate) fn junit(cells: &[Cell]) -> Result<String, String> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    let mut not_run: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for cell in cells {
        let (name, status) = match &cell.verdict {
            Verdict::Pass => (cell.case.clone(), TestCaseStatus::success()),
            Verdict::Fail(reason) => {
                (format!("{}: {reason:.300}", cell.case), TestCaseStatus::non_success(NonSuccessKind::Failure))
            }
            Verdict::Known(reason) => (format!("{}, known to fail: {reason}", cell.case), TestCaseStatus::skipped()),
            Verdict::Skip(reason) => {
                not_run.entry(reason).or_default().insert(&cell.client);
                continue;
            }
        };
        let mut test = TestCase::new(name, status);
        test.set_classname(cell.client.clone()).set_time(cell.took);
        suites.entry(&cell.client).or_insert_with(|| TestSuite::new(cell.client.clone())).add_test_case(test);
    }
    let mut report = Report::new("interop");
    report.add_test_suites(suites.into_values());
    let mut skips = TestSuite::new("not run");
    for (reason, clients) in not_run {
        let clients = clients.into_iter().collect::<Vec<_>>().join(", ");
        skips.add_test_case(TestCase::new(format!("{clients}: {reason}"), TestCaseStatus::skipped()));
    }
    report.add_test_suite(skips);
    report.to_string().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(client: &str, case: &str, verdict: Verdict) -> Cell {
        Cell { client: client.into(), case: case.into(), verdict, took: Duration::ZERO }
    }

    fn cells() -> Vec<Cell> {
        let skip = || Verdict::Skip("no tool".into());
        vec![
            cell("a", "first", Verdict::Pass),
            cell("a", "second", Verdict::Fail("it hung".into())),
            cell("b", "first", skip()),
            cell("b", "second", skip()),
            cell("c", "first", skip()),
            cell("c", "second", skip()),
        ]
    }

    #[test]
    fn the_table_has_a_mark_for_each_cell_and_each_reason_once() {
        let cells = cells();
        let table = Table {
            title: "Cases",
            rows_are: "case",
            clients: vec!["a", "b", "c"],
            rows: vec![("first", "it works"), ("second", "")],
            cells: &cells,
        };
        let text = table.markdown();
        assert!(text.contains("| **first**: it works | pass | - | - |\n| **second** | **FAIL** | - | - |\n"), "{text}");
        assert!(text.contains("### Failures\n\n- **a**: it hung (second)\n"), "{text}");
        assert!(text.ends_with("### Not run\n\n- **b, c**: no tool (all)\n"), "{text}");
    }

    #[test]
    fn junit_has_what_ran_and_a_skip_for_each_reason() {
        let xml = junit(&cells()).expect("XML");
        assert_eq!(xml.matches("<testcase").count(), 3, "{xml}");
        assert!(xml.contains("second: it hung") && xml.contains("b, c: no tool"), "{xml}");
    }
}
