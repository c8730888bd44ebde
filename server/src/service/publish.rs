//! `Publish`.

use poke_proto::v1;

use super::{Call, Shared, submission::Submission};
use crate::{
    auth::Right,
    backplane::{Ack, Backplane, Publication, publish_id},
    error::Error,
    frame::Draft,
};

impl<B: Backplane> Shared<B> {
    pub(super) async fn publish(&self, call: Call<v1::PublishRequest>) -> Result<v1::PublishResponse, Error> {
        let Submission { interest, domain, data, key } =
            self.admit(&call.caller, Right::Publish, call.request, call.faults)?;
        let draft = Draft::new(&interest, data.as_ref());
        let publisher = call.caller.publisher();
        let id = key.map(|key| publish_id(&publisher, &interest, &key, &draft));
        let publication = Publication { interest, domain, publisher, draft, id, deadline: Some(call.deadline) };
        let Ack { position, duplicate, local_receivers } = self.streams.backplane().publish(publication).await?;
        let metrics = self.streams.metrics();
        if duplicate {
            metrics.pokes_duplicate.inc()
        } else {
            metrics.pokes_published.inc()
        };
        metrics.publish_seconds.observe(call.began.elapsed().as_secs_f64());
        Ok(v1::PublishResponse {
            position: Some(position.into()),
            local_receiver_count: Some(i32::try_from(local_receivers).unwrap_or(i32::MAX)),
            duplicate: Some(duplicate),
        })
    }
}
