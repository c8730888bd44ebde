//! What the contract promises to those who are asked to move.

use std::time::Duration;

use poke_tests::{
    Config, Event, Server, after,
    frames::{Connection, Messages, kind},
    interest, new_pokes, refusal,
    v1::{Outcome, ReconnectReason, SubscribeRequest, SubscribeResponse},
};
use tonic::Code;

fn ageing() -> Config {
    Config::new().text("stream.max_age", "2s").set("stream.max_age_jitter", 0.25).text("stream.move_timeout", "2s")
}

fn duration(duration: Option<&prost_types::Duration>) -> Duration {
    Duration::try_from(*duration.expect("it is set")).expect("it isn't negative")
}

#[tokio::test]
async fn an_old_stream_is_told_ahead_goes_on_and_ends_with_a_status_and_retry_info() {
    let server = Server::start(ageing()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("old");
    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    stream.live(Outcome::Fresh).await;

    // A heartbeat comes right before it, so that the new stream resumes from the newest place.
    let mut before = None;
    let reconnect = stream
        .until(|event| match event {
            Event::Reconnect(reconnect) => Some(reconnect),
            other => {
                before = Some(other);
                None
            }
        })
        .await;
    assert!(matches!(before, Some(Event::Heartbeat(_))), "{before:?}");
    assert_eq!(reconnect.reason(), ReconnectReason::MaxAge);
    let (min, max) = (duration(reconnect.min_delay.as_ref()), duration(reconnect.max_delay.as_ref()));
    let closes = duration(reconnect.closes_after.as_ref());
    assert!(min <= max && max <= closes, "{min:?} {max:?} {closes:?}");

    // Until then it goes on.
    publisher.poke(&ours, "still here").await;
    assert_eq!(stream.data(1).await, ["still here"]);
    let refused = refusal(&stream.end().await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "MAX_AGE"));
    assert!(refused.retry.is_some());
}

#[tokio::test]
async fn the_connection_says_goaway_before_reconnect_and_keeps_its_streams() {
    let server = Server::start(ageing()).await;
    let mut publisher = server.publisher().await;
    let ours = interest("goaway");
    let mut connection = Connection::open(server.address()).await;
    let request = SubscribeRequest { subscriptions: vec![new_pokes(ours.clone())] };
    let stream = connection.call("Subscribe", &request);
    connection.flush().await.unwrap();
    let (mut messages, mut goaway, mut told) = (Messages::default(), false, false);
    let mut poked = false;
    while let Some(frame) = connection.next().await {
        if frame.kind == kind::GOAWAY {
            let code = frame.payload.get(4..8).unwrap();
            assert_eq!(code, [0, 0, 0, 0], "NO_ERROR");
            goaway = true;
        }
        if frame.kind == kind::HEADERS && told {
            break; // The trailers: the stream has ended by itself.
        }
        if frame.kind != kind::DATA || frame.stream != stream {
            continue;
        }
        messages.push(&frame.payload);
        while let Some(response) = messages.pop::<SubscribeResponse>() {
            match response.event.unwrap() {
                Event::Reconnect(_) => {
                    assert!(goaway, "GOAWAY comes first");
                    told = true;
                    publisher.poke(&ours, "after goaway").await;
                }
                Event::Poke(_) => poked = true,
                _ => {}
            }
        }
    }
    assert!(told && poked, "told: {told}, poked after it: {poked}");
}

#[tokio::test]
async fn ages_are_jittered() {
    let server = Server::start(ageing().set("stream.max_age_jitter", 0.5)).await;
    let mut streams = Vec::new();
    for i in 0..20 {
        let mut stream = server.subscribe([new_pokes(interest(&i.to_string()))]).await;
        streams.push(tokio::spawn(async move {
            stream.asked_to_move().await;
            tokio::time::Instant::now()
        }));
    }
    let mut times = Vec::new();
    for stream in streams {
        times.push(stream.await.unwrap());
    }
    let spread = *times.iter().max().unwrap() - *times.iter().min().unwrap();
    // 1 to 3 seconds for the ages; 20 of them within a tenth of that has odds of about 10^-18.
    assert!(spread > Duration::from_millis(200), "{spread:?}");
}

#[tokio::test]
async fn make_before_break_misses_nothing_and_repeats_nothing() {
    let server = Server::start(ageing()).await;
    let ours = interest("moving");
    let mut publisher = server.publisher().await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let publishing = tokio::spawn({
        let ours = ours.clone();
        async move {
            let mut count = 0_i64;
            while stopped.try_recv().is_err() {
                publisher.poke(&ours, &count.to_string()).await;
                count += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            count
        }
    });

    let mut stream = server.subscribe([new_pokes(ours.clone())]).await;
    let mut saved = stream.live(Outcome::Fresh).await;
    let (mut last, mut moves) = (None, 0);
    while moves < 4 {
        match stream.next().await {
            Event::Poke(poke) => {
                let number: i64 = poke.data.unwrap().to_value().unwrap().as_str().unwrap().parse().unwrap();
                assert!(last.is_none_or(|last| number == last + 1), "{number} after {last:?}");
                last = Some(number);
                saved = poke.position.unwrap();
            }
            Event::Heartbeat(heartbeat) => saved = heartbeat.checkpoints[0].clone(),
            Event::Reconnect(_) => {
                let mut next = server.subscribe([after(ours.clone(), saved.clone())]).await;
                assert_eq!(next.live(Outcome::Recovered).await, saved);
                stream = next;
                moves += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    stop.send(()).unwrap();
    assert!(publishing.await.unwrap() > 100);
}
