//! Goes on where an earlier run has stopped, whatever happened meanwhile: `cargo run --example reconnect [DOMAIN] [FILTER]`
#![allow(clippy::print_stdout, reason = "it is for people")]

use std::{env, error::Error, fs};

use poke_client::{Client, Event, Interest, Positions};

const FILE: &str = "positions.json";
const NEW_FILE: &str = "positions.json.new";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let domain = args.next().unwrap_or("PLAYLIST".into());
    let filter = args.next().unwrap_or("playlist-id".into());
    let client = Client::builder(env::var("POKE_URL").unwrap_or("http://127.0.0.1:8080".into())).build()?;

    let interest = Interest::new(domain, filter);
    let saved: Positions = fs::read(FILE).map_or(Ok(Positions::default()), |json| serde_json::from_slice(&json))?;
    let mut pokes = client.subscribe([match saved.get(&interest) {
        Some(position) => interest.after(position.clone()),
        None => interest.into(),
    }]);
    while let Some(event) = pokes.next().await {
        match event? {
            Event::Live(live) => println!("live {:?}", live.outcome),
            Event::Poke(poke) => println!("poke {}", poke.text().unwrap_or_default()),
            Event::Gap(gap) => println!("missed {:?}, reload in {:?}", gap.reason, gap.reload_after),
            Event::Reconnecting(reconnecting) => println!("reconnecting in {:?}", reconnecting.delay),
            _ => {}
        }
        // What was handled isn't asked for again. Whoever stops this while it writes leaves the file as it was.
        fs::write(NEW_FILE, serde_json::to_vec(&pokes.control().positions())?)?;
        fs::rename(NEW_FILE, FILE)?;
    }
    Ok(())
}
