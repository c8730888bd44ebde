//! Prints the pokes of an interest until it ends: `cargo run --example watch [DOMAIN] [FILTER]`
#![allow(clippy::print_stdout, reason = "it is for people")]

use std::env;

use poke_client::{Client, Error, Event, Interest};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = env::args().skip(1);
    let domain = args.next().unwrap_or("PLAYLIST".into());
    let filter = args.next().unwrap_or("playlist-id".into());
    let client = Client::builder(env::var("POKE_URL").unwrap_or("http://127.0.0.1:8080".into())).build()?;

    let mut pokes = client.subscribe([Interest::new(domain, filter)]);
    while let Some(event) = pokes.next().await {
        match event? {
            Event::Live(_) => println!("live"),
            Event::Poke(poke) => println!("poke {}", poke.text().unwrap_or_default()),
            Event::Gap(_) => println!("something was missed: reload"),
            Event::Ended(_) => println!("ended"),
            Event::Rejected(rejected) => println!("refused {}", rejected.reason),
            _ => {}
        }
    }
    Ok(())
}
