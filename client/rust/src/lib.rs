//! The Rust client of Multicast Poke: listen to interests, and send pokes.
//!
//! ```no_run
//! # async fn example() -> Result<(), poke_client::Error> {
//! use poke_client::{Client, Event, Interest, Publish};
//!
//! let client = Client::builder("http://127.0.0.1:8080").build()?;
//! let mut pokes = client.subscribe([Interest::new("PLAYLIST", "42")]);
//! client.publish(Publish::new("PLAYLIST", "42").data("Updated")).await?;
//! while let Some(event) = pokes.next().await {
//!     match event? {
//!         Event::Poke(poke) => println!("{}: {:?}", poke.interest, poke.text()),
//!         Event::Gap(gap) => println!("{}: reload", gap.interest),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What a subscription does when connections are lost, servers drain and tokens expire is written down once for all
//! languages in `client/README.md`.

mod backoff;
mod client;
mod clock;
mod connection;
mod error;
mod event;
mod http_answer;
mod interest;
mod publish;
mod subscription;
mod tls;
mod token;

#[cfg(test)]
mod tests;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

pub use client::{Builder, Client};
pub use connection::Channel;
pub use error::{Error, ErrorKind};
pub use event::{Connected, Ended, Event, Gap, GapReason, Limits, Live, Outcome, Poke, Reconnecting, Rejected};
pub use interest::{Audience, Interest, Position, Start, Want};
pub use poke_proto::{Data, DataError};
pub use publish::{DEFAULT_DEADLINE, End, IntoData, Publish, Published, encoded_size};
pub use subscription::{Control, Positions, Subscription};
pub use tls::TlsProblem;
pub use tonic::Code;
