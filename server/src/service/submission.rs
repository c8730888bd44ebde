//! What Publish and EndInterest have in common: an interest, data, and a key.

use std::sync::Arc;

use poke_proto::{Data, DataError, v1};

use super::{Shared, too_large};
use crate::{
    auth::{Caller, Right},
    backplane::Backplane,
    domain::{Audience, Domain},
    error::{Error, Faults, Kind, Size},
    frame::{self, MAX_POKE_BYTES},
    interest::{Interest, Recipients},
};

/// The most bytes of an idempotency key.
const MAX_KEY_BYTES: usize = 128;

/// The fields, as they came.
pub(super) struct Fields {
    domain: String,
    filter: String,
    data: Option<Data>,
    audience: i32,
    customer_id: String,
    idempotency_key: String,
}

/// The fields, when they are sound.
pub(super) struct Submission {
    pub(super) interest: Interest,
    pub(super) domain: Arc<Domain>,
    /// In canonical form.
    pub(super) data: Option<Data>,
    pub(super) key: Option<String>,
}

impl From<v1::PublishRequest> for Fields {
    fn from(request: v1::PublishRequest) -> Self {
        let v1::PublishRequest { domain, filter, data, audience, customer_id, idempotency_key } = request;
        Self { domain, filter, data, audience, customer_id, idempotency_key }
    }
}

impl From<v1::EndInterestRequest> for Fields {
    fn from(request: v1::EndInterestRequest) -> Self {
        let v1::EndInterestRequest { domain, filter, data, audience, customer_id, idempotency_key } = request;
        Self { domain, filter, data, audience, customer_id, idempotency_key }
    }
}

impl<B: Backplane> Shared<B> {
    /// Checks everything that can be checked without the core. What `faults` already holds counts too.
    pub(super) fn admit(
        &self,
        caller: &Caller,
        right: Right,
        fields: impl Into<Fields>,
        faults: Faults,
    ) -> Result<Submission, Error> {
        let (interest, data, key) = fields.into().check(faults)?;
        let audience = match interest.recipients() {
            Recipients::Everyone => Audience::Everyone,
            Recipients::Customer(_) => Audience::Customer,
        };
        self.auth.may_publish(caller, interest.domain(), right)?;
        let domain = self.domain_for(interest.domain(), audience)?;
        let size = frame::size(&interest, data.as_ref());
        if size > MAX_POKE_BYTES {
            return Err(too_large(Size::Exactly(size)).into());
        }
        Ok(Submission { interest, domain, data, key })
    }
}

impl Fields {
    fn check(self, mut faults: Faults) -> Result<(Interest, Option<Data>, Option<String>), Error> {
        let Self { domain, filter, data, audience, customer_id, idempotency_key } = self;
        let recipients = faults.check(recipients(audience, &customer_id)).unwrap_or(Recipients::Everyone);
        let invalid = Interest::faults(&recipients, &domain, &filter);
        invalid.for_each(|invalid| faults.note(invalid.into()));
        let canonical = match data.as_ref().map(|data| data.canonical_within(MAX_POKE_BYTES)).transpose() {
            Err(DataError::TooLarge) => {
                // Its encoding is whole, and as the server would make it but for odd encoders.
                let size = Interest::new(recipients, &domain, &filter)
                    .map_or(Size::MoreThan(MAX_POKE_BYTES), |interest| {
                        Size::Exactly(frame::size(&interest, data.as_ref()))
                    });
                return Err(too_large(size).into());
            }
            canonical => faults.check(canonical).flatten(),
        };
        let key = faults.check(check_key(idempotency_key)).flatten();
        faults.into_result()?;
        Ok((Interest::new(recipients, &domain, &filter)?, canonical, key))
    }
}

/// A lost field must not turn one customer's poke into a broadcast, so the two have to agree.
fn recipients(audience: i32, customer_id: &str) -> Result<Recipients, Error> {
    let invalid_customer = |rule: &'static str| Error::invalid(Kind::InvalidCustomer, "customer_id", rule);
    match (v1::Audience::try_from(audience), customer_id) {
        (Ok(v1::Audience::Unspecified), "") => Ok(Recipients::Everyone),
        (Ok(v1::Audience::Unspecified), _) => Err(invalid_customer("customer_id needs AUDIENCE_CUSTOMER")),
        (Ok(v1::Audience::Customer), "") => Err(invalid_customer("AUDIENCE_CUSTOMER needs a customer_id")),
        (Ok(v1::Audience::Customer), id) => Ok(Recipients::Customer(id.into())),
        (Err(_), _) => Err(Error::invalid(Kind::InvalidAudience, "audience", "audience is unknown")),
    }
}

fn check_key(key: String) -> Result<Option<String>, Error> {
    let printable = key.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    match key.len() {
        0 => Ok(None),
        1..=MAX_KEY_BYTES if printable => Ok(Some(key)),
        _ => Err(Error::invalid(
            Kind::InvalidIdempotencyKey,
            "idempotency_key",
            "idempotency_key must be 1 to 128 printable ASCII characters",
        )),
    }
}
