//! A subscription that was refused doesn't end in silence.

use tonic::Code;

use super::{interest, next, peer::*, start};
use crate::{ErrorKind, Event};

#[tokio::test(start_paused = true)]
async fn a_refused_interest_is_the_error_with_which_the_subscription_ends() {
    let mut peer = Peer::new();
    let mut pokes = peer.client().subscribe([interest("nope")]);
    let call = peer.call().await;
    call.send_all([welcome(), rejected("nope", Code::NotFound, None)]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    assert_eq!(next(&mut pokes).await, "rejected nope true");
    let Some(Err(error)) = pokes.next().await else { panic!("it ended in silence") };
    assert_eq!(
        (error.kind(), error.code(), error.reason()),
        (ErrorKind::Refused, Some(Code::NotFound), Some("REASON"))
    );
    assert!(error.to_string().contains("D/nope"), "{error}");
    assert!(pokes.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_order_of_ends_and_refusals_does_not_matter() {
    for refused_first in [true, false] {
        let mut peer = Peer::new();
        let (mut pokes, call) = start(&mut peer, &["a", "b"]).await;
        let (refusal, end) = (rejected("a", Code::PermissionDenied, None), ended("b", 1));
        let told = ["rejected a true", "ended b 1"];
        if refused_first {
            call.send_all([refusal, end]).await;
            assert_eq!([next(&mut pokes).await, next(&mut pokes).await], told);
        } else {
            call.send_all([end, refusal]).await;
            assert_eq!([next(&mut pokes).await, next(&mut pokes).await], [told[1], told[0]]);
        }
        assert_eq!(next(&mut pokes).await, "failed Refused");
        assert_eq!(next(&mut pokes).await, "over");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_too_long_is_cut_in_the_error() {
    let mut peer = Peer::new();
    let filter = "é".repeat(50_000);
    let mut pokes = peer.client().subscribe([interest(&filter)]);
    let call = peer.call().await;
    call.send_all([welcome(), rejected("é", Code::InvalidArgument, None)]).await;
    assert_eq!(next(&mut pokes).await, "connected");
    assert_eq!(next(&mut pokes).await, format!("rejected {filter} true"));
    let Some(Err(error)) = pokes.next().await else { panic!("it ended in silence") };
    assert!(error.to_string().contains(&"é".repeat(128)) && error.to_string().len() < 500, "{error}");
}

#[tokio::test(start_paused = true)]
async fn who_handles_a_refusal_gets_a_normal_end() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b"]).await;
    call.send_all([rejected("a", Code::NotFound, None), ended("b", 1)]).await;
    let Some(Ok(Event::Rejected(rejected))) = pokes.next().await else { panic!("it was not told") };
    rejected.mark_handled();
    assert_eq!(next(&mut pokes).await, "ended b 1");
    assert_eq!(next(&mut pokes).await, "over");
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_and_then_accepted_is_no_refusal() {
    let mut peer = Peer::new();
    let (mut pokes, call) = start(&mut peer, &["a", "b"]).await;
    call.send(rejected("a", Code::PermissionDenied, None)).await;
    assert_eq!(next(&mut pokes).await, "rejected a true");
    pokes.control().add(interest("a")).unwrap();
    let second = peer.call().await;
    second.send_all([welcome(), fresh("a", 1), recovered("b", 0), ended("a", 2), ended("b", 3)]).await;
    for told in ["connected", "live a Fresh", "ended a 2", "ended b 3", "over"] {
        assert_eq!(next(&mut pokes).await, told);
    }
}
