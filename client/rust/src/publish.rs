//! What a back end sends: a poke, or the end of an interest.

use std::time::Duration;

use poke_proto::{Data, DataError, v1};
use prost::Message as _;

use crate::{Error, ErrorKind, Position};

/// For how long a call is tried, unless `deadline` says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// What can be the data of a poke: JSON, text, or [`Data`] that is already encoded.
pub trait IntoData {
    /// The encoded data.
    ///
    /// # Errors
    /// When it has no form on the wire: an integer that a double can't hold, or more than 24 nested arrays and objects.
    fn into_data(self) -> Result<Data, DataError>;
}

impl IntoData for Data {
    fn into_data(self) -> Result<Data, DataError> {
        self.canonical()
    }
}

impl IntoData for &str {
    fn into_data(self) -> Result<Data, DataError> {
        Ok(Data::string(self))
    }
}

impl IntoData for String {
    fn into_data(self) -> Result<Data, DataError> {
        Ok(Data::string(&self))
    }
}

impl IntoData for serde_json::Value {
    fn into_data(self) -> Result<Data, DataError> {
        Data::from_value(&self)
    }
}

impl IntoData for &serde_json::Value {
    fn into_data(self) -> Result<Data, DataError> {
        Data::from_value(self)
    }
}

/// How many bytes `data` adds to a poke. Domain, filter and data of one poke may take 131,072 together. A number in an
/// array costs 11.
#[must_use]
pub fn encoded_size(data: &Data) -> usize {
    v1::PublishRequest { data: Some(data.clone()), ..Default::default() }.encoded_len()
}

/// What [`Publish`] and [`End`] have in common.
#[derive(Clone, Debug)]
struct Letter {
    domain: String,
    filter: String,
    data: Option<Result<Data, DataError>>,
    customer_id: Option<String>,
    key: Option<String>,
    deadline: Duration,
}

impl Letter {
    fn new(domain: String, filter: String) -> Self {
        Self { domain, filter, data: None, customer_id: None, key: None, deadline: DEFAULT_DEADLINE }
    }
}

macro_rules! letter {
    ($(#[$doc:meta])* $name:ident => $request:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[must_use = "nothing is sent until a `Client` takes it"]
        pub struct $name(Letter);

        impl $name {
            /// For everyone who holds the interest of `domain` and `filter`. Without data it is *undefined*.
            pub fn new(domain: impl Into<String>, filter: impl Into<String>) -> Self {
                Self(Letter::new(domain.into(), filter.into()))
            }

            /// What it says: JSON, text, or encoded [`Data`]. Data without a form on the wire fails the call, not this.
            pub fn data(mut self, data: impl IntoData) -> Self {
                self.0.data = Some(data.into_data());
                self
            }

            /// For one customer only, in a domain of that audience.
            pub fn customer(mut self, customer_id: impl Into<String>) -> Self {
                self.0.customer_id = Some(customer_id.into());
                self
            }

            /// Names the call, so that a repeat isn't a second one: 1 to 128 printable ASCII characters. Without it, or
            /// with an empty one, the client makes one for its own retries.
            pub fn key(mut self, key: impl Into<String>) -> Self {
                self.0.key = Some(key.into());
                self
            }

            /// For how long the call is tried, a day at most. Default [`DEFAULT_DEADLINE`].
            pub fn deadline(mut self, deadline: Duration) -> Self {
                self.0.deadline = deadline;
                self
            }

            /// The message, with a key of its own if it has none yet, and the deadline.
            pub(crate) fn into_request(self) -> Result<(v1::$request, Duration), Error> {
                let Letter { domain, filter, data, customer_id, key, deadline } = self.0;
                let key = key.filter(|key| !key.is_empty());
                let audience = match customer_id {
                    Some(_) => v1::Audience::Customer,
                    None => v1::Audience::Unspecified,
                };
                let request = v1::$request {
                    domain,
                    filter,
                    data: data.transpose().map_err(|error| Error::with(ErrorKind::Data, error))?,
                    audience: audience.into(),
                    customer_id: customer_id.unwrap_or_default(),
                    // 128 random bits: a retry is recognised, and no two senders make the same.
                    idempotency_key: key.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>())),
                };
                Ok((request, deadline))
            }
        }
    };
}

letter! {
    /// One poke to send.
    ///
    /// ```
    /// # use poke_client::Publish;
    /// # fn main() -> Result<(), poke_client::Error> {
    /// let publish = Publish::new("PLAYLIST", "42").data(serde_json::json!({ "added": "track-7" }));
    /// assert!(publish.encoded_size()? < 131_072);
    /// # Ok(())
    /// # }
    /// ```
    Publish => PublishRequest
}

letter! {
    /// The end of an interest: "there is no more". The data is a last word for the subscribers.
    End => EndInterestRequest
}

impl Publish {
    /// How many bytes the poke has by the server's count: domain, filter and data, of which 131,072 are allowed.
    ///
    /// # Errors
    /// [`ErrorKind::Data`] when the data has no form on the wire.
    pub fn encoded_size(&self) -> Result<usize, Error> {
        let data = self.0.data.clone().transpose().map_err(|error| Error::with(ErrorKind::Data, error))?;
        let (domain, filter) = (self.0.domain.clone(), self.0.filter.clone());
        Ok(v1::PublishRequest { domain, filter, data, ..Default::default() }.encoded_len())
    }
}

/// The server's answer to a [`Publish`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Where the poke stands in the log.
    pub position: Position,
    /// How many streams held the interest on the answering node at that instant: for people, never for decisions.
    pub local_receiver_count: Option<u32>,
    /// True when the key had been used before: the position is the first one's, and nothing was sent again.
    pub duplicate: bool,
}
