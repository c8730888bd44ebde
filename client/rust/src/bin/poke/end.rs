//! `poke end`: there is no more of an interest.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use poke_client::End;
use serde_json::json;

use crate::{Context, Failure, duration, input::Source, publish::interest_name};

const AFTER_HELP: &str = "\
Examples:
  poke end PLAYLIST playlist-id
  poke end MATCH final '{\"score\":\"2:1\"}'
";

/// Ends an interest: tells its subscribers that no more pokes will come
///
/// Ending an interest again changes nothing: the data of the first call counts, and the position of the first end is
/// printed. The server refuses further pokes to the interest for its retention window.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Domain: the kind of data, for example PLAYLIST
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    domain: String,
    /// Filter: which item of that kind, for example a playlist's id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    filter: String,
    #[command(flatten)]
    source: Source,
    /// Send to this customer only
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    customer: Option<String>,
    /// Time for which the command retries
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "10s")]
    timeout: Duration,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Result<(), Failure> {
    let data = args.source.read(&context.output).await?;
    let server = context.server()?;
    let mut end = End::new(&args.domain, &args.filter).deadline(args.timeout);
    if let Some(data) = data {
        end = end.data(data);
    }
    if let Some(customer) = args.customer {
        end = end.customer(customer);
    }
    server.reach(args.timeout).await?;
    let position = server.client.end(end).await.map_err(|error| server.call_failure(&error, args.timeout))?;
    if context.json() {
        let ended = json!({"domain": args.domain, "filter": args.filter, "position": position});
        return Ok(context.output.json(&ended)?);
    }
    let name = interest_name(&args.domain, &args.filter);
    Ok(context.output.line(&format!("ended {name}  position {position}"))?)
}
