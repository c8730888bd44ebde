//! `EndInterest`.

use poke_proto::v1;

use super::{Call, Shared, submission::Submission};
use crate::{
    auth::Right,
    backplane::{Backplane, Ending},
    error::Error,
};

impl<B: Backplane> Shared<B> {
    pub(super) async fn end_interest(
        &self,
        call: Call<v1::EndInterestRequest>,
    ) -> Result<v1::EndInterestResponse, Error> {
        // Ending is idempotent by itself: the key is checked, and that is all.
        let Submission { interest, domain, data, .. } =
            self.admit(&call.caller, Right::End, call.request, call.faults)?;
        let publisher = call.caller.publisher();
        let ending = Ending { interest, domain, publisher, data, deadline: Some(call.deadline) };
        let position = self.streams.backplane().end(ending).await?;
        self.streams.metrics().ends.inc();
        Ok(v1::EndInterestResponse { position: Some(position.into()) })
    }
}
