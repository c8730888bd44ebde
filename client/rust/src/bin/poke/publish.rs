//! `poke publish`: one poke, or one for each line.

mod lines;
mod request;

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use poke_client::{Position, Publish, Published};
use serde::Serialize;

use self::{lines::Lines, request::Request};
use crate::{Context, Failure, duration, input::Source, server::Server, text};

const AFTER_HELP: &str = "\
Examples:
  poke publish PLAYLIST playlist-id                       undefined: only \"something changed\"
  poke publish PLAYLIST playlist-id Updated               a string
  poke publish PLAYLIST playlist-id '{\"added\":\"track-7\"}' JSON
  poke publish PLAYLIST playlist-id --string 42           the string \"42\"
  poke publish PLAYLIST playlist-id --file change.json --data-json
  poke publish PLAYLIST playlist-id Updated --json        the answer as JSON
  jq -c .change app.log | poke publish PLAYLIST playlist-id --lines
  echo '{\"domain\":\"PLAYLIST\",\"filter\":\"1\",\"data\":\"Updated\"}' | poke publish --lines
";

/// Publishes a poke to every subscriber of its interest
///
/// Prints the poke's position, the number of streams with the interest on the server that responded, and whether the key
/// had been used before. Retries with the same key until the server responds or the timeout is over, so that
/// subscribers receive the poke once.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Domain: the kind of data, for example PLAYLIST
    #[arg(required_unless_present = "lines", requires = "filter", value_parser = NonEmptyStringValueParser::new())]
    domain: Option<String>,
    /// Filter: which item of that kind, for example a playlist's id
    #[arg(required_unless_present = "lines", value_parser = NonEmptyStringValueParser::new())]
    filter: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Publish one poke per line of standard input or of --file, in order, until one fails. With DOMAIN and
    /// FILTER each line is the data; without them each line is {"domain":…,"filter":…,"data":…,"idempotencyKey":…,"customerId":…}
    #[arg(long, conflicts_with_all = ["data", "key"], help_heading = "Data")]
    lines: bool,
    /// Idempotency key: the server delivers only the first poke with this key
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    key: Option<String>,
    /// Send to this customer only
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    customer: Option<String>,
    /// Time for which each poke is retried
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "10s")]
    timeout: Duration,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<(), Failure> {
    let Args { domain, filter, source, lines, key, customer, timeout } = args;
    let interest = domain.zip(filter);
    if lines {
        let (file, reading) = source.into_lines();
        let lines = Lines::open(file, &context.output)?;
        let server = context.server()?;
        return publish_lines(lines, &server, timeout, context, |line| match &interest {
            None => Ok((request::parse(line, customer.as_deref())?, None)),
            Some((domain, filter)) => {
                let (data, note) = reading.parse(line)?;
                Ok((Request::new(domain, filter, Some(data), customer.clone()), note))
            }
        })
        .await;
    }
    // clap has asked for both.
    let Some((domain, filter)) = interest else { return Err(Failure::usage("DOMAIN and FILTER are missing")) };
    let data = source.read(&context.output).await?;
    let server = context.server()?;
    server.reach(timeout).await?;
    let request = Request { key, ..Request::new(&domain, &filter, data, customer) };
    publish(&request, &server, timeout, context).await
}

async fn publish_lines(
    mut lines: Lines,
    server: &Server,
    timeout: Duration,
    context: &mut Context,
    parse: impl Fn(&str) -> Result<(Request, Option<String>), String>,
) -> Result<(), Failure> {
    server.reach(timeout).await?;
    while let Some(line) = lines.next().await {
        let (number, line) = line?;
        let (request, note) = parse(&line).map_err(|error| Failure::usage(format_args!("line {number}: {error}")))?;
        if let Some(note) = note {
            context.output.warning(&format!("line {number}: {note}"));
        }
        publish(&request, server, timeout, context)
            .await
            .map_err(|failure| failure.at(format_args!("line {number}")))?;
    }
    Ok(())
}

async fn publish(request: &Request, server: &Server, timeout: Duration, context: &mut Context) -> Result<(), Failure> {
    let key = request.key.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let mut publish = Publish::new(&request.domain, &request.filter).key(&key).deadline(timeout);
    if let Some(data) = &request.data {
        publish = publish.data(data.clone());
    }
    if let Some(customer) = &request.customer {
        publish = publish.customer(customer);
    }
    let published = server.client.publish(publish).await.map_err(|error| {
        let failure = server.call_failure(&error, timeout);
        // Nobody knows whether the poke was accepted. With its key, trying again is safe.
        if failure.is_uncertain() { failure.hint(format_args!("--key {key} makes a repeat safe")) } else { failure }
    })?;
    let answer = Answer::new(request, &published);
    if context.json() {
        context.output.json(&answer)?;
    } else {
        context.output.line(&answer.text())?;
    }
    Ok(context.output.flush()?)
}

/// What the server answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    domain: &'a str,
    filter: &'a str,
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_receiver_count: Option<u32>,
    duplicate: bool,
}

impl<'a> Answer<'a> {
    fn new(request: &'a Request, published: &Published) -> Self {
        Self {
            domain: &request.domain,
            filter: &request.filter,
            position: published.position.clone(),
            local_receiver_count: published.local_receiver_count,
            duplicate: published.duplicate,
        }
    }

    fn text(&self) -> String {
        let name = interest_name(self.domain, self.filter);
        let position = self.position.to_string();
        let position = text::escape(&position);
        if self.duplicate {
            return format!("duplicate {name}  position {position}  nothing was sent again");
        }
        let receivers = self.local_receiver_count.map(|n| format!("  {}", text::count(n.into(), "receiver")));
        format!("published {name}  position {position}{}", receivers.unwrap_or_default())
    }
}

/// An interest as people read it.
pub(crate) fn interest_name(domain: &str, filter: &str) -> String {
    format!("{}/{}", text::escape(domain), text::escape(filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(local_receiver_count: Option<u32>, duplicate: bool) -> Answer<'static> {
        Answer { domain: "PLAYLIST", filter: "p1", position: Position::new("e", 42), local_receiver_count, duplicate }
    }

    #[test]
    fn people_read_a_sentence() {
        assert_eq!(answer(Some(3), false).text(), "published PLAYLIST/p1  position e:42  3 receivers");
        assert_eq!(answer(Some(1), false).text(), "published PLAYLIST/p1  position e:42  1 receiver");
        assert_eq!(answer(None, false).text(), "published PLAYLIST/p1  position e:42");
        assert_eq!(answer(Some(3), true).text(), "duplicate PLAYLIST/p1  position e:42  nothing was sent again");
    }

    #[test]
    fn programs_read_the_contracts_names() {
        let json = serde_json::json!(answer(Some(3), false));
        assert_eq!(
            json,
            serde_json::json!({
                "domain": "PLAYLIST", "filter": "p1", "position": {"epoch": "e", "sequence": "42"},
                "localReceiverCount": 3, "duplicate": false
            })
        );
    }
}
