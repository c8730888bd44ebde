//! How far a run is, on a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar on standard error. It is only there on a terminal, and goes away when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(output: &Output, what: &'static str, whole: u64) -> Self {
        let bar = if output.is_quiet() || !io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(Some(whole), ProgressDrawTarget::stderr())
        };
        let style = ProgressStyle::with_template("{prefix:12} {bar:40} {percent:>3} %  {msg}");
        bar.set_style(style.expect("the template is a constant, and a test draws it"));
        bar.set_prefix(what);
        Self(bar)
    }

    pub(crate) fn show(&self, done: u64, says: &str) {
        self.0.set_position(done);
        self.0.set_message(says.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::ColorChoice;

    #[test]
    fn the_template_is_valid() {
        Progress::new(&Output::new(ColorChoice::Never, true), "running", 10).show(5, "half");
    }
}
