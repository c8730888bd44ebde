//! Tells everyone who listens that there is no more: `cargo run --example end [DOMAIN] [FILTER]`
#![allow(clippy::print_stdout, reason = "it is for people")]

use std::env;

use poke_client::{Client, End, Error};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = env::args().skip(1);
    let domain = args.next().unwrap_or("PLAYLIST".into());
    let filter = args.next().unwrap_or("playlist-id".into());
    let client = Client::builder(env::var("POKE_URL").unwrap_or("http://127.0.0.1:8080".into())).build()?;

    let position = client.end(End::new(domain, filter)).await?;
    println!("ended {position}");
    Ok(())
}
