//! Lines of standard input or of a file, read on a thread of their own.

use std::{
    io::{self, BufRead, BufReader, IsTerminal as _, Read as _},
    path::PathBuf,
    thread,
};

use poke_proto::text::{self, TextError};
use tokio::sync::mpsc;

use crate::{Failure, input, output::Output};

/// Lines with their numbers; blank ones are left out.
pub(crate) struct Lines {
    read: mpsc::Receiver<Result<(u64, String), Failure>>,
}

/// How many lines are read ahead. They are published one after the other, so more would only take memory.
const AHEAD: usize = 16;

impl Lines {
    /// Starts to read. `None` is standard input.
    pub(crate) fn open(path: Option<PathBuf>, output: &Output) -> Result<Self, Failure> {
        let (send, read) = mpsc::channel(AHEAD);
        match path {
            Some(path) => {
                let file = BufReader::new(input::open(&path)?);
                thread::spawn(move || forward(file, &path.display().to_string(), &send));
            }
            None => {
                if io::stdin().is_terminal() {
                    output.note("reading lines from the terminal; Ctrl-D ends them");
                }
                thread::spawn(move || forward(io::stdin().lock(), "standard input", &send));
            }
        }
        Ok(Self { read })
    }

    /// The next line that isn't blank.
    pub(crate) async fn next(&mut self) -> Option<Result<(u64, String), Failure>> {
        self.read.recv().await
    }
}

/// Reads until the end, an error, or until nobody takes the lines.
fn forward(mut source: impl BufRead, name: &str, lines: &mpsc::Sender<Result<(u64, String), Failure>>) {
    for number in 1.. {
        let line = match next_line(&mut source, number == 1) {
            Ok(None) => return,
            Ok(Some(line)) if line.trim().is_empty() => continue,
            Ok(Some(line)) => Ok((number, line)),
            Err(error) => Err(Failure::usage(format_args!("{name}, line {number}: {error}"))),
        };
        let failed = line.is_err();
        if lines.blocking_send(line).is_err() || failed {
            return;
        }
    }
}

fn next_line(source: &mut impl BufRead, is_first: bool) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    source.by_ref().take(input::MOST + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 > input::MOST {
        return Err(io::Error::other("too long: a poke holds at most 128 KiB"));
    }
    // Only a text's begin tells its encoding.
    let line = if is_first {
        text::decode(&line).map(str::to_owned)
    } else {
        String::from_utf8(line).map_err(|_| TextError::NotUtf8)
    };
    Ok(Some(input::without_line_end(line.map_err(io::Error::other)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(source: &[u8]) -> Vec<Result<(u64, String), Failure>> {
        let (send, mut read) = mpsc::channel(AHEAD);
        forward(source, "x", &send);
        drop(send);
        std::iter::from_fn(|| read.try_recv().ok()).collect()
    }

    #[test]
    fn lines_keep_their_numbers_and_blank_ones_are_left_out() {
        let line = |number, text: &str| Ok((number, text.to_owned()));
        assert_eq!(all(b"one\r\n\n  \nfour"), [line(1, "one"), line(4, "four")]);
        assert_eq!(all(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo"), [line(1, "one"), line(2, "\u{feff}two")]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_that_is_no_text_ends_the_reading() {
        let read = all(b"one\n\xff\nthree\n");
        assert_eq!(read.len(), 2);
        assert!(matches!(&read[1], Err(failure) if failure.message().is_some_and(|said| said.contains("line 2"))));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let endless = vec![b'x'; 2 * 1024 * 1024];
        assert!(all(&endless)[0].is_err());
    }
}
