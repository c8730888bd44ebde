//! What the user gives as data: an argument, a file or standard input.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read},
    path::{Path, PathBuf},
};

use poke_proto::{
    Data, DataError,
    text::{self, TextError},
};
use serde::de::IgnoredAny;

use crate::{
    failure::{Exit, Failure},
    output::Output,
    profile::shown,
};

/// More than this is never a poke (128 KiB), not even as JSON with generous white space.
pub(crate) const MOST: u64 = 1024 * 1024;

/// Where the data stands.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct Source {
    /// Data: JSON if it is valid JSON, else a string; `-` reads standard input; undefined if absent
    #[arg(value_name = "DATA", allow_negative_numbers = true, help_heading = None, conflicts_with = "file")]
    data: Option<String>,
    /// Read the data from a file (`-`: standard input), without the line break at its end
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// How text becomes data.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Reading {
    /// Send the data as a string, even if it looks like JSON
    #[arg(long)]
    string: bool,
    /// Fail if the data is not valid JSON
    #[arg(long, conflicts_with = "string")]
    data_json: bool,
}

impl Source {
    /// Reads the data. `None` is undefined.
    pub(crate) async fn read(self, output: &Output) -> Result<Option<Data>, Failure> {
        let text = match (self.data, self.file) {
            (None, None) => return Ok(None),
            (Some(text), _) if text != "-" && self.reading.string => text,
            (Some(text), _) if text != "-" => text::without_mark(&text).to_owned(),
            (Some(_), _) => read_aside(None, output).await?,
            (None, path) => read_aside(path.filter(|path| path != Path::new("-")), output).await?,
        };
        self.reading.read(&text, output).map(Some)
    }

    /// The file to read lines from; `None` is standard input.
    pub(crate) fn into_lines(self) -> (Option<PathBuf>, Reading) {
        (self.file.filter(|path| path != Path::new("-")), self.reading)
    }
}

/// Reads a file, or standard input, on a thread of its own: a terminal can take for ever, and Ctrl-C must get through.
async fn read_aside(path: Option<PathBuf>, output: &Output) -> Result<String, Failure> {
    if path.is_none() && io::stdin().is_terminal() {
        output.note("reading the data from the terminal; Ctrl-D ends it");
    }
    let reading = tokio::task::spawn_blocking(move || match path {
        None => read(io::stdin().lock(), "standard input"),
        Some(path) => read(open(&path)?, &path.display().to_string()),
    });
    reading.await.map_err(|error| Failure::new(Exit::Unexpected, error))?
}

/// Opens a file that the user named.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::usage(format_args!("can't read {}: {error}", shown(path.display()))))
}

impl Reading {
    /// Turns text into data, and tells the user when that may not be what they meant.
    pub(crate) fn read(self, text: &str, output: &Output) -> Result<Data, Failure> {
        let (data, note) = self.parse(text).map_err(Failure::usage)?;
        if let Some(note) = note {
            output.warning(&note);
        }
        Ok(data)
    }

    /// The data, and a note if a string looks like JSON that went wrong.
    pub(crate) fn parse(self, text: &str) -> Result<(Data, Option<String>), String> {
        if self.string {
            return Ok((Data::string(text), None));
        }
        match Data::from_json(text) {
            Ok(data) => Ok((data, None)),
            Err(DataError::NotJson) if self.data_json => {
                Err(format!("the data isn't JSON: {}", fault(text).unwrap_or_else(|| "unknown fault".to_owned())))
            }
            Err(DataError::NotJson) => {
                let note = looks_like_json(text).then(|| fault(text)).flatten().map(|fault| {
                    format!(
                        "sent as a string, since it isn't JSON: {fault} (--data-json refuses it, --string expects it)"
                    )
                });
                Ok((Data::string(text), note))
            }
            // Its own words name the rule, and for an integer the way out; a flag is the command's.
            Err(error) => Err(format!("the data has {error} (--string sends the text as it stands)")),
        }
    }
}

/// A shell that ate the quotes of `{"a":1}` leaves `{a:1}`.
fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[', '"'])
}

fn fault(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).err().map(|error| error.to_string())
}

fn read(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source
        .take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage(format_args!("can't read {name}: {error}")))?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::usage(format_args!("{name} is too large: a poke holds at most 128 KiB")));
    }
    Ok(without_line_end(decode(&bytes, name)?))
}

/// Returns bytes as text, without a byte-order mark.
pub(crate) fn decode(bytes: &[u8], name: &str) -> Result<String, Failure> {
    text::decode(bytes).map(str::to_owned).map_err(|error| {
        let hint = if error == TextError::NotUtf8 { "; encode it, for example with base64" } else { "" };
        Failure::usage(format_args!("{name}: {error}{hint}"))
    })
}

/// `echo Updated | poke publish … -` means "Updated".
pub(crate) fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const AUTO: Reading = Reading { string: false, data_json: false };
    const STRING: Reading = Reading { string: true, data_json: false };
    const JSON: Reading = Reading { string: false, data_json: true };

    fn json(reading: Reading, text: &str) -> String {
        reading.parse(text).unwrap().0.to_json().unwrap()
    }

    #[test]
    fn valid_json_is_json_and_the_rest_is_a_string() {
        for text in ["null", "true", "-5", "1.5", r#"{"a":[1,"x"]}"#, r#""Updated""#, "[]"] {
            assert_eq!(json(AUTO, text), text);
        }
        assert_eq!(json(AUTO, " { } "), "{}");
        for text in ["Updated", "", "-", "NaN", "01", "two words", "True", "'x'"] {
            assert_eq!(json(AUTO, text), serde_json::to_string(text).unwrap());
            assert_eq!(AUTO.parse(text).unwrap().1, None, "{text}");
        }
    }

    #[test]
    fn string_takes_anything_as_it_stands() {
        for text in ["null", "12345678901234567890", "{}", "", "  x "] {
            assert_eq!(json(STRING, text), serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn json_refuses_what_is_not_and_says_where() {
        let refused = JSON.parse("{\"a\":1,}").unwrap_err();
        assert!(refused.contains("column 8"), "{refused}");
        JSON.parse("Updated").unwrap_err();
        JSON.parse("").unwrap_err();
    }

    #[test]
    fn an_integer_that_a_double_cannot_hold_is_refused() {
        for text in [
            "9007199254740993",
            "9007199254740993.0",
            "12345678901234567890",
            r#"{"id":[9007199254740993]}"#,
            r#"{"id":[9.007199254740993e15]}"#,
        ] {
            for reading in [AUTO, JSON] {
                let refused = reading.parse(text).unwrap_err();
                assert!(refused.contains("integer") && refused.contains("string"), "{refused}");
                assert!(!refused.contains("9007"), "{refused}");
            }
        }
        assert_eq!(json(AUTO, "9007199254740991"), "9007199254740991");
        AUTO.parse("1e999").unwrap_err();
        let refused = AUTO.parse("[1e-400]").unwrap_err();
        assert!(refused.contains("close to zero") && refused.contains("--string"), "{refused}");
    }

    #[test]
    fn too_deep_is_refused_and_not_sent_as_a_string() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        AUTO.parse(&nested(24)).unwrap();
        AUTO.parse(&nested(25)).unwrap_err();
        AUTO.parse(&nested(5_000)).unwrap_err();
    }

    #[test]
    fn a_string_that_looks_like_json_gets_a_note() {
        let (data, note) = AUTO.parse("{op:add}").unwrap();
        assert_eq!(data, Data::string("{op:add}"));
        assert!(note.unwrap().contains("--string"));
    }

    #[test]
    fn one_line_end_at_the_end_does_not_count() {
        let read = |bytes: &[u8]| super::read(bytes, "x").unwrap();
        assert_eq!(read(b"Updated\n"), "Updated");
        assert_eq!(read(b"Updated\r\n"), "Updated");
        assert_eq!(read(b"a\n\n"), "a\n");
        assert_eq!(read(b""), "");
    }

    #[test]
    fn a_source_that_is_too_large_or_not_text_is_refused() {
        assert!(read(io::repeat(b'x'), "x").unwrap_err().message().unwrap().contains("too large"));
        assert!(read(&b"\xff"[..], "x").unwrap_err().message().unwrap().contains("base64"));
        assert!(read(&b"\xff\xfe{\0}\0"[..], "x").unwrap_err().message().unwrap().contains("UTF-16"));
    }

    #[test]
    fn a_byte_order_mark_is_no_data() {
        let text = read(&b"\xef\xbb\xbf{\"a\":1}\r\n"[..], "x").unwrap();
        assert_eq!(json(JSON, &text), r#"{"a":1}"#);
    }
}
