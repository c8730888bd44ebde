//! What is wrong with a configuration: everything at once, each with its place.

use std::fmt::{self, Write as _};

use poke_proto::text;

/// Where a value was given. The order is that of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole.
    File(String),
    /// A line of the file, counted from 1.
    Line {
        /// The file's path.
        file: String,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::File(file) => f.write_str(file),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// What, and what would be right.
    pub message: String,
}

/// All the mistakes of a configuration: at least one. Shown one a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, place: Place, message: impl Into<String>) {
        self.0.push(Mistake { place, message: message.into() });
    }

    /// Nothing if there are none, else all of them in the order of their places.
    pub(super) fn into_result(mut self) -> Result<(), Self> {
        self.0.sort_by(|a, b| a.place.cmp(&b.place));
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.0.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{mistake}")?;
        }
        Ok(())
    }
}

/// One line, without what a terminal would obey, and without secrets: names and paths in it are as the user wrote them, who
/// may have put a key in their place.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in text::masked(&format!("{}: {}", self.place, self.message)).chars() {
            match character {
                control if control.is_control() => write!(f, "{}", control.escape_debug())?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// ` Did you mean ...?` with the nearest of `names`, if one is near.
pub(super) fn hint<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    let last = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
    let likeness = |name| f64::max(strsim::jaro_winkler(wrong, name), 0.99 * strsim::jaro_winkler(wrong, last(name)));
    names
        .map(|name| (likeness(name), name))
        .filter(|&(likeness, _)| likeness > 0.85)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(String::new, |(_, name)| format!(" Did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_one_line_whatever_it_names() {
        let mut mistakes = Mistakes::default();
        mistakes.add(Place::Variable("POKE_SERVER_\u{7}".into()), "there is no setting \u{1b}[2J\n\u{9b}x");
        assert_eq!(mistakes.to_string(), r"POKE_SERVER_\u{7}: there is no setting \u{1b}[2J\n\u{9b}x");
    }

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let names = ["stream.max_age", "stream.max_interests", "limits.connections"];
        let hint = |wrong| hint(wrong, names.into_iter());
        assert_eq!(hint("stream.max_interest"), " Did you mean stream.max_interests?");
        assert_eq!(hint("max_age"), " Did you mean stream.max_age?");
        assert_eq!(hint("limits.conections"), " Did you mean limits.connections?");
        assert_eq!(hint("colour"), "");
    }
}
