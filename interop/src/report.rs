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
        let mut text = String::new();
        for (title, wanted) in [("Failures", 1), ("Known failures", 2), ("Not run", 3)] {
            // Client and reason, and the rows that have it.
            let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
            for cell in self.cells {
                let (kind, reason) = match &cell.verdict {
                    Verdict::Pass => continue,
                    Verdict::Fail(reason) => (1, reason),
                    Verdict::Known(reason) => (2, reason),
                    Verdict::Skip(reason) => (3, reason),
                };
                if kind == wanted {
                    reasons.entry((&cell.client, reason)).or_default().push(&cell.case);
                }
            }
            if !reasons.is_empty() {
                text += &format!("\n### {title}\n\n");
            }
            for ((client, reason), cases) in reasons {
                let all = cases.len() == self.rows.len();
                let cases = if all { "all".to_owned() } else { cases.join(", ") };
                text += &format!("- **{client}**: {reason} ({cases})\n");
            }
        }
        text
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
