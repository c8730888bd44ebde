//! Sends one poke: `cargo run --example publish [DOMAIN] [FILTER] [TEXT]`
#![allow(clippy::print_stdout, reason = "it is for people")]

use std::env;

use poke_client::{Client, Error, Publish};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = env::args().skip(1);
    let domain = args.next().unwrap_or("PLAYLIST".into());
    let filter = args.next().unwrap_or("playlist-id".into());
    let client = Client::builder(env::var("POKE_URL").unwrap_or("http://127.0.0.1:8080".into())).build()?;

    let mut publish = Publish::new(domain, filter);
    if let Some(text) = args.next() {
        publish = publish.data(text);
    }
    let published = client.publish(publish).await?;
    println!("published {} receivers {}", published.position, published.local_receiver_count.unwrap_or_default());
    Ok(())
}
