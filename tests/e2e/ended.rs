//! What the contract promises about the end of an interest.

use poke_tests::{
    Config, Data, Event, Server, Stream, after, interest, json, latest, new_pokes, refusal, request, text,
    v1::{EndInterestRequest, Ended, GapReason, Outcome},
};
use serde_json::json;
use tonic::Code;

async fn ended(stream: &mut Stream) -> Ended {
    match stream.next_but_heartbeat().await {
        Event::Ended(ended) => ended,
        other => panic!("not ended but {other:?}"),
    }
}

#[tokio::test]
async fn ended_comes_after_every_earlier_poke_and_the_stream_closes_with_ok() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("over");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    for i in 0..20 {
        publisher.poke(&ours, &i.to_string()).await;
    }
    let position = publisher.end(&ours, Some(json(json!({"final": [3, 1]})))).await;
    for i in 0..20 {
        assert_eq!(stream.poke().await.data, Some(text(&i.to_string())));
    }
    let end = ended(&mut stream).await;
    assert_eq!((end.interest, end.position), (Some(ours), Some(position)));
    assert_eq!(end.data, Some(json(json!({"final": [3, 1]}))));
    assert_eq!(stream.ends_next().await.code(), Code::Ok);
}

#[tokio::test]
async fn the_other_interests_of_a_stream_go_on() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let (first, second) = (interest("first"), interest("second"));
    let mut stream = server.subscribe([new_pokes(first.clone()), new_pokes(second.clone())]).await;
    stream.live(Outcome::Fresh).await;
    stream.live(Outcome::Fresh).await;
    publisher.end(&first, None).await;
    let end = ended(&mut stream).await;
    assert_eq!((end.interest, end.data), (Some(first), None), "absent data is undefined");
    publisher.poke(&second, "goes on").await;
    assert_eq!(stream.data(1).await, ["goes on"]);
    publisher.end(&second, Some(Data::null())).await;
    assert_eq!(ended(&mut stream).await.data, Some(Data::null()), "null is a value");
    assert_eq!(stream.ends_next().await.code(), Code::Ok);
}

#[tokio::test]
async fn the_first_end_wins_and_repeats_return_its_position() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("twice");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;
    let first = publisher.end(&ours, Some(text("first"))).await;
    assert_eq!(publisher.end(&ours, Some(text("second"))).await, first);
    assert_eq!(publisher.end(&ours, None).await, first);
    assert_eq!(ended(&mut stream).await.data, Some(text("first")));

    // Whatever the key: it is no more than checked for its form.
    let keyed = |data: &str, key: &str| EndInterestRequest {
        domain: "PLAYLIST".into(),
        filter: "keyed".into(),
        data: Some(text(data)),
        idempotency_key: key.into(),
        ..Default::default()
    };
    let mut client = publisher.client();
    let first = client.end_interest(keyed("first", "key")).await.unwrap().into_inner().position;
    for (data, key) in [("first", "key"), ("second", "key"), ("first", "another"), ("third", "")] {
        assert_eq!(client.end_interest(keyed(data, key)).await.unwrap().into_inner().position, first, "{data} {key}");
    }
    let mut late = server.subscribe([new_pokes(interest("keyed"))]).await;
    late.subscribed().await;
    assert_eq!(ended(&mut late).await.data, Some(text("first")));
    let malformed = refusal(&client.end_interest(keyed("first", "\n")).await.expect_err("a malformed key"));
    assert_eq!(malformed.reason, "INVALID_IDEMPOTENCY_KEY");
}

#[tokio::test]
async fn publish_to_an_ended_interest_is_refused() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("refused");
    publisher.end(&ours, None).await;
    let refused = refusal(&publisher.send(request(&ours, Some(text("x")))).await.expect_err("it has ended"));
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "INTEREST_ENDED"));
    assert_eq!(refused.retry, None);
    publisher.poke(&interest("another"), "fine").await;
}

#[tokio::test]
async fn one_who_comes_late_gets_ended_at_once() {
    let server = Server::start(Config::new()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("late");
    let seen = publisher.poke(&ours, "1").await;
    publisher.poke(&ours, "2").await;
    let end = publisher.end(&ours, Some(text("bye"))).await;

    let mut fresh = server.subscribe([new_pokes(ours.clone())]).await;
    fresh.subscribed().await;
    assert_eq!(ended(&mut fresh).await.position, Some(end.clone()));
    assert_eq!(fresh.ends_next().await.code(), Code::Ok);

    // One who resumes gets what was missed first.
    let mut resumed = server.subscribe([after(ours.clone(), seen)]).await;
    resumed.live(Outcome::Recovered).await;
    assert_eq!(resumed.data(1).await, ["2"]);
    assert_eq!(ended(&mut resumed).await.data, Some(text("bye")));

    // And one who saw the end hears of it again, rather than waiting for ever.
    let mut again = server.subscribe([after(ours.clone(), end), latest(interest("open"))]).await;
    again.subscribed().await;
    loop {
        match again.next_but_heartbeat().await {
            Event::Ended(ended) => break assert_eq!(ended.interest, Some(ours)),
            Event::Subscribed(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_racing_publish_precedes_the_end_or_is_refused() {
    let server = Server::start(Config::new().set("retention.pokes", 10_000)).await;
    for round in 0..10 {
        let ours = interest(&format!("race {round}"));
        let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
        stream.live(Outcome::Fresh).await;
        let mut racers = Vec::new();
        for racer in 0..4 {
            let (mut publisher, ours) = (server.publisher().await, ours.clone());
            racers.push(tokio::spawn(async move {
                let mut accepted = Vec::new();
                loop {
                    let data = format!("{racer} {}", accepted.len());
                    match publisher.send(request(&ours, Some(text(&data)))).await {
                        Ok(_) => accepted.push(data),
                        Err(status) => break assert_eq!(refusal(&status).reason, "INTEREST_ENDED"),
                    }
                }
                accepted
            }));
        }
        // Let them get going: the first poke has come.
        let mut seen = stream.data(1).await;
        let end = server.publisher().await.end(&ours, None).await;
        loop {
            match stream.next_but_heartbeat().await {
                Event::Poke(poke) => {
                    assert!(poke.position.unwrap().sequence < end.sequence);
                    seen.push(poke.data.unwrap().to_value().unwrap());
                }
                Event::Ended(ended) => break assert_eq!(ended.position, Some(end)),
                other => panic!("{other:?}"),
            }
        }
        let mut accepted = Vec::new();
        for racer in racers {
            accepted.extend(racer.await.unwrap());
        }
        let mut seen: Vec<_> = seen.iter().map(|data| data.as_str().unwrap().to_owned()).collect();
        seen.sort_unstable();
        accepted.sort_unstable();
        assert_eq!(seen, accepted, "what was accepted has arrived, before the end");
    }
}

#[tokio::test]
async fn after_the_window_the_interest_is_fresh_and_older_positions_are_a_gap() {
    let server = Server::start(Config::new().text("retention.window", "1s")).await;
    let mut publisher = server.publisher().await;
    let ours = interest("reborn");
    let old = publisher.poke(&ours, "old").await;
    publisher.end(&ours, None).await;
    // The tombstone lasts for the window: then Publish is accepted again.
    poke_tests::eventually("the end to be forgotten", async || {
        publisher.send(request(&ours, Some(text("new")))).await.ok()
    })
    .await;
    let mut stream = server.subscribe([after(ours, old)]).await;
    stream.live(Outcome::Gap).await;
    let Event::Gap(gap) = stream.next().await else { panic!("no gap") };
    assert_eq!(gap.reason(), GapReason::Evicted);
}

#[tokio::test]
async fn an_end_keeps_to_the_rules_and_the_size_of_a_poke() {
    let server = Server::start(Config::new()).await;
    let mut client = server.connect().await;
    let end = |filter: &str, data| EndInterestRequest {
        domain: "PLAYLIST".into(),
        filter: filter.into(),
        data,
        ..Default::default()
    };
    for (request, code, reason) in [
        (end("", None), Code::InvalidArgument, "INVALID_FILTER"),
        (EndInterestRequest { domain: "a b".into(), ..end("f", None) }, Code::InvalidArgument, "INVALID_DOMAIN"),
        (EndInterestRequest { audience: 7, ..end("f", None) }, Code::InvalidArgument, "INVALID_AUDIENCE"),
        (EndInterestRequest { customer_id: "c".into(), ..end("f", None) }, Code::InvalidArgument, "INVALID_CUSTOMER"),
        (end("f", Some(Data::default())), Code::InvalidArgument, "INVALID_DATA"),
        (end("f", Some(text(&"x".repeat(131_072)))), Code::ResourceExhausted, "POKE_TOO_LARGE"),
    ] {
        let refused = refusal(&client.end_interest(request).await.expect_err(reason));
        assert_eq!((refused.code, refused.reason.as_str()), (code, reason));
    }
    // Nothing was ended by any of them.
    server.publisher().await.poke(&interest("f"), "x").await;
}
