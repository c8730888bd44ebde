//! Streams of HTTP/2 on one connection.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_body_waits_for_a_client_that_takes_no_more() {
    let scripted = Scripted::default();
    let body = scripted.body();
    let (_served, client) = Served::start(&scripted);
    let (mut send, _client) = http2(client).await;
    let (answer, _) = send.send_request(get(), true).unwrap();
    let mut answer = answer.await.unwrap().into_body();
    let part = || Ok(http_body::Frame::data(Bytes::from_static(&[0; 16 << 10])));
    let (mut sent, mut taken) = (0, 0);
    // The client reads all and gives no credit: what it has announced is used up, and the body isn't asked for more.
    while timeout(Duration::from_secs(1), body.send(part())).await.is_ok() {
        sent += 16 << 10;
        assert!(sent < 1 << 20, "the server takes whatever comes");
    }
    while let Ok(Some(part)) = timeout(Duration::from_secs(1), answer.data()).await {
        taken += part.unwrap().len();
    }
    assert_eq!(taken, 65_535);
    // With credit it goes on where it stood.
    answer.flow_control().release_capacity(taken).unwrap();
    drop(body);
    while let Some(part) = answer.data().await {
        let part = part.unwrap().len();
        taken += part;
        answer.flow_control().release_capacity(part).unwrap();
    }
    assert_eq!(taken, sent);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resets_a_stream_ends_its_body_at_once_and_no_other() {
    let scripted = Scripted::default();
    let (kept, cancelled) = (scripted.body(), scripted.body());
    let (served, client) = Served::start(&scripted);
    let (mut send, _client) = http2(client).await;
    let (answer, mut stream) = send.send_request(get(), false).unwrap();
    let _answer = answer.await.unwrap();
    let (answer, _) = send.send_request(get(), true).unwrap();
    let mut answer = answer.await.unwrap().into_body();
    stream.send_reset(h2::Reason::CANCEL);
    timeout(Duration::from_secs(1), cancelled.closed()).await.unwrap();
    kept.send(data("still here")).await.unwrap();
    assert_eq!(answer.data().await.unwrap().unwrap(), "still here");
    assert!(!served.task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn every_answer_says_who_gave_it_and_when() {
    let (_served, client) = Served::start(&Scripted::default());
    let (mut send, _client) = http2(client).await;
    let (answer, _) = send.send_request(get(), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.headers()["server"], concat!("poke-server/", env!("CARGO_PKG_VERSION")));
    let date = answer.headers()["date"].to_str().unwrap();
    let age = std::time::SystemTime::now().duration_since(httpdate::parse_http_date(date).unwrap()).unwrap();
    assert!(age < Duration::from_secs(100), "{date}");
}

#[tokio::test(start_paused = true)]
async fn more_streams_than_have_a_place_of_their_own_all_live() {
    let scripted = Scripted::default();
    let bodies: Vec<_> = (0..100).map(|_| scripted.body()).collect();
    let (_served, client) = Served::start(&scripted);
    let (mut send, _client) = http2(client).await;
    let mut answers = Vec::new();
    for _ in 0..bodies.len() {
        std::future::poll_fn(|cx| send.poll_ready(cx)).await.unwrap();
        let (answer, _) = send.send_request(get(), true).unwrap();
        answers.push(answer.await.unwrap().into_body());
    }
    // The last body was taken first.
    for (body, answer) in bodies.iter().rev().zip(&mut answers) {
        body.send(data("poke")).await.unwrap();
        assert_eq!(timeout(Duration::from_secs(1), answer.data()).await.unwrap().unwrap().unwrap(), "poke");
    }
}
