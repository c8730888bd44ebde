//! `poke subscribe`: prints what happens to some interests.

mod interests;
mod line;
mod record;

use std::{
    pin::pin,
    time::{Duration, SystemTime},
};

use futures_util::FutureExt as _;
use poke_client::{Event, Interest, Position, Reconnecting, Rejected, Start, Subscription, Want};

use self::{
    interests::{Change, Interests},
    line::Columns,
    record::Received,
};
use crate::{
    Context, Exit, Failure, duration,
    output::{Format, Output},
    pipe,
    publish::interest_name,
    server::{self, Server},
    text,
};

const AFTER_HELP: &str = "\
Pokes, gaps, ends and refusals are printed to standard output, each with the time at which it came;
what the connection does goes to standard error. Refusals also go there if standard output isn't a
terminal. With --json every event is an object with an \"event\" (poke, gap, ended, rejected, live,
connected or reconnecting) and its \"receivedTime\"; a poke also has its \"publishTime\", by the server's
clock.

Interests over the server's limit are refused for now: the command subscribes to them as soon as
others end.

Examples:
  poke subscribe PLAYLIST playlist-id
  poke subscribe PLAYLIST rock jazz --latest
  poke subscribe PLAYLIST playlist-id --json | jq -c 'select(.event == \"poke\") | .data'
  poke subscribe PLAYLIST playlist-id --count 1 --timeout 30s    wait for one poke; exit code 5 if none comes
  poke subscribe PLAYLIST playlist-id --after \"$POSITION\"        go on where another one stopped
  poke subscribe PLAYLIST playlist-id --json | jq -c .position   positions that --after takes
";

/// Subscribes to interests and prints their pokes
///
/// Reconnects by itself and resumes from its last position: it prints every poke, or a gap if pokes were lost. It exits
/// when each interest has ended (exit code 6) or was refused (3 if any was), on Ctrl-C, and after --count or --timeout.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Domain: the kind of data, for example PLAYLIST
    domain: String,
    /// Filters: which items of that kind, for example ids of playlists
    #[arg(required = true, value_name = "FILTER")]
    filters: Vec<String>,
    /// Print the position of each event, for use with --after (JSON output always has it)
    #[arg(long, help_heading = "Output")]
    positions: bool,
    /// Exit after this many pokes
    #[arg(long, short = 'n', value_name = "N", value_parser = count)]
    count: Option<u64>,
    /// Exit after this time; the exit code is 3 if an interest is refused then, and with --count 5 if fewer pokes came
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// Start with the newest poke that the server retains
    #[arg(long, conflicts_with = "after")]
    latest: bool,
    /// Start after this position, as far as the server retains it; also as JSON, {"epoch":…,"sequence":…}
    #[arg(long, value_name = "EPOCH:SEQ", value_parser = position)]
    after: Option<Position>,
    /// Receive pokes to the customer that the token names, instead of pokes to everyone
    #[arg(long)]
    customer: bool,
}

impl Args {
    fn wants(&self) -> Vec<Want> {
        let start = match (&self.after, self.latest) {
            (Some(position), _) => Start::After(position.clone()),
            (None, true) => Start::Latest,
            (None, false) => Start::New,
        };
        let interest = |filter: &String| {
            let interest = Interest::new(&self.domain, filter);
            if self.customer { interest.customer() } else { interest }
        };
        self.filters.iter().map(|filter| Want::new(interest(filter), start.clone())).collect()
    }
}

fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it is a number of pokes, at least 1".to_owned()),
        Ok(count) => Ok(count),
    }
}

/// As text or as JSON, so that what any command prints can be passed on. An epoch may hold colons; a sequence can't.
fn position(text: &str) -> Result<Position, String> {
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    let parsed = text.rsplit_once(':').and_then(|(epoch, sequence)| Some(Position::new(epoch, sequence.parse().ok()?)));
    parsed.ok_or_else(|| "a position looks like EPOCH:SEQUENCE, as `poke publish` prints it".to_owned())
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<(), Failure> {
    let server = context.server()?;
    let wants = args.wants();
    let mut listener = Listener::new(&wants, &args, context.format, &server, &mut context.output);
    let subscription = server.client.subscribe(wants);
    let done = listener.listen(subscription, args.timeout).await;
    listener.output.flush()?;
    done
}

/// Why a subscription that goes well is left.
enum Stop {
    TimeUp(Duration),
    ReaderGone,
    Interrupted,
}

async fn stop(timeout: Option<Duration>) -> Stop {
    let time_up = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).map(|()| timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        timeout = time_up => Stop::TimeUp(timeout),
        () = pipe::reader_gone() => Stop::ReaderGone,
        _ = tokio::signal::ctrl_c() => Stop::Interrupted,
    }
}

/// Prints events and keeps count.
struct Listener<'a> {
    server: &'a Server,
    output: &'a mut Output,
    format: Format,
    columns: Columns,
    count: Option<u64>,
    pokes: u64,
    interests: Interests,
    /// The name of the first interest.
    name: String,
    live_once: bool,
}

impl<'a> Listener<'a> {
    fn new(wants: &[Want], args: &Args, format: Format, server: &'a Server, output: &'a mut Output) -> Self {
        let interests = wants.iter().map(|want| want.interest.clone());
        Self {
            server,
            format,
            columns: Columns::new(&args.filters, args.positions),
            count: args.count,
            pokes: 0,
            name: interests.clone().next().as_ref().map(name).unwrap_or_default(),
            interests: Interests::new(interests),
            live_once: false,
            output,
        }
    }

    async fn listen(&mut self, mut pokes: Subscription, timeout: Option<Duration>) -> Result<(), Failure> {
        let mut stop = pin!(stop(timeout));
        while self.count.is_none_or(|count| self.pokes < count) {
            let event = tokio::select! {
                biased;
                stop = &mut stop => return self.stopped(&stop),
                event = self.next(&mut pokes) => event?,
            };
            match event {
                Some(Ok(event)) => self.handle(&event)?,
                Some(Err(error)) => return Err(self.server.failure(&error)),
                None => return Err(self.nothing_left()),
            }
        }
        Ok(())
    }

    /// The next event. The reader of the output sees what there is before it is waited for.
    async fn next(&mut self, pokes: &mut Subscription) -> Result<Option<Result<Event, poke_client::Error>>, Failure> {
        if let Some(event) = pokes.next().now_or_never() {
            return Ok(event);
        }
        self.output.flush()?;
        Ok(pokes.next().await)
    }

    fn handle(&mut self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Poke(_) => self.pokes += 1,
            Event::Rejected(rejected) => self.refused(rejected),
            Event::Reconnecting(reconnecting) => self.lost(reconnecting)?,
            _ => {}
        }
        let now = SystemTime::now();
        match self.format {
            Format::Json => {
                if let Some(record) = Received::of(event, now) {
                    self.output.json(&record)?;
                }
            }
            Format::Text => {
                if let Some(line) = line::line(event, &self.columns, now, self.output.palette()) {
                    self.output.line(&line)?;
                }
            }
        }
        self.settle(event);
        Ok(())
    }

    /// Says so where nobody looks at standard output. The command has an exit code of its own for it.
    fn refused(&self, rejected: &Rejected) {
        rejected.mark_handled();
        if self.output.is_on_terminal() {
            return;
        }
        let Rejected { interest, reason, message, .. } = rejected;
        let (name, message, reason) = (name(interest), text::escape(message), text::escape(reason));
        if rejected.is_final {
            self.output.error(&format!("{name} was refused: {message} ({reason})"));
        } else {
            self.output.warning(&format!("{name} is refused for now: {message} ({reason})"));
        }
    }

    /// Says so once everything is live, or live again.
    fn settle(&mut self, event: &Event) {
        match self.interests.note(event) {
            Change::Settled => {
                let names = match (self.interests.live(), self.interests.asked()) {
                    (1, 1) => self.name.clone(),
                    (live, asked) if live == asked => text::count(asked as u64, "interest"),
                    (live, asked) => format!("{live} of {}", text::count(asked as u64, "interest")),
                };
                let again = if self.live_once { " again" } else { "" };
                self.output.note(&format!("listening{again} to {names} at {}", self.server.url));
                self.live_once = true;
            }
            Change::Admitted => {
                let name = event.interest().map(name).unwrap_or_default();
                self.output.note(&format!("listening to {name} as well"));
                self.live_once = true;
            }
            Change::None => {}
        }
    }

    /// A lost connection comes back by itself; one that never was is more likely a wrong url.
    fn lost(&mut self, Reconnecting { cause, delay, .. }: &Reconnecting) -> Result<(), Failure> {
        if !self.live_once && !self.server.waits() {
            // What is tried again at once may tell more the second time.
            return if delay.is_zero() { Ok(()) } else { Err(self.server.failure(cause)) };
        }
        let (cause, delay) = (text::escape(&server::cause(cause)).into_owned(), text::duration(*delay));
        let what = if self.live_once { "connection lost" } else { "no connection" };
        self.output.note(&format!("{what} ({cause}); next try in {delay}"));
        self.interests.lost();
        Ok(())
    }

    fn stopped(&self, stop: &Stop) -> Result<(), Failure> {
        match stop {
            Stop::ReaderGone => Err(Failure::PipeClosed),
            Stop::Interrupted => Err(Failure::Silent(Exit::Interrupted)),
            Stop::TimeUp(after) => self.time_up(*after),
        }
    }

    fn time_up(&self, after: Duration) -> Result<(), Failure> {
        let (refused, within) = (self.interests.refused(), text::duration(after));
        match self.count {
            _ if !self.live_once && refused == 0 => {
                Err(Failure::new(Exit::Timeout, format_args!("not connected to {} within {within}", self.server.url)))
            }
            Some(count) => {
                Err(Failure::new(Exit::Timeout, format_args!("{} of {count} pokes within {within}", self.pokes)))
            }
            None if refused == 0 => Ok(()),
            None => {
                let asked = text::count(self.interests.asked() as u64, "interest");
                Err(Failure::new(Exit::Refused, format_args!("refused: {refused} of {asked}")))
            }
        }
    }

    fn nothing_left(&self) -> Failure {
        let (ended, refused) = (self.interests.ended(), self.interests.refused());
        let exit = if refused > 0 { Exit::Refused } else { Exit::Ended };
        let counts = [(ended, "ended"), (refused, "refused")];
        let counts: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        Failure::new(exit, format_args!("nothing left to listen to: {}", counts.join(", ")))
    }
}

fn name(interest: &Interest) -> String {
    interest_name(&interest.domain, &interest.filter)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_epoch_may_hold_colons() {
        assert_eq!(position("a:b:42").unwrap(), Position::new("a:b", 42));
        assert_eq!(position(&Position::new("e", 7).to_string()).unwrap(), Position::new("e", 7));
        assert_eq!(position(r#"{"epoch":"a:b","sequence":"42"}"#).unwrap(), Position::new("a:b", 42));
        for text in ["42", "e:", "e:x", "", "{}"] {
            assert!(position(text).is_err(), "{text}");
        }
    }
}
