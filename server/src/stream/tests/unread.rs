//! Clients that don't read, and chunks that are on their way.

use std::task::Wake;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_told_so_and_its_connection_goes_with_it() {
    let fixture = fixture(Settings::default());
    let wire = Arc::new(Wire::default());
    let mut stalled = fixture.open_on(Some(Arc::clone(&wire) as _), [new("a")], None).live(1).await;
    assert!(stalled.is_quiet());
    fixture.publish("a", "unread").await;
    while !wire.closed.load(SeqCst) {
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!(stalled.status().await, "10");
    drop(stalled);
    assert_eq!(fixture.metrics.streams_ended.get(StreamEnd::Stalled), 1);
    assert_eq!((fixture.metrics.streams_open.get(), fixture.metrics.streams_stalled.get()), (0, 0));
    assert_eq!(fixture.backplane.registry().stats().topics.load(SeqCst), 1, "the retained poke's");
}

#[tokio::test(start_paused = true)]
async fn one_that_stops_reading_beside_another_goes_alone() {
    let fixture = fixture(Settings::default());
    let wire = Arc::new(Wire::default());
    let mut stalled = fixture.open_on(Some(Arc::clone(&wire) as _), [new("a")], None).live(1).await;
    let mut healthy = fixture.open_on(Some(Arc::clone(&wire) as _), [new("b")], None).live(1).await;
    assert!(stalled.is_quiet());
    fixture.publish("a", "unread").await;
    for _ in 0..4 {
        assert!(matches!(healthy.next().await, Some(Event::Heartbeat(_))));
        assert_eq!(fixture.metrics.streams_open.get() + fixture.metrics.streams_stalled.get(), 2);
    }
    assert!(!wire.closed.load(SeqCst), "another stream of the connection is read");
    let end = poll_fn(|cx| Pin::new(&mut stalled.stream).poll_frame(cx)).await.unwrap();
    assert_eq!(end.unwrap_err().reason(), Some(h2::Reason::CANCEL));
    drop(stalled);
    assert_eq!((fixture.metrics.streams_open.get(), fixture.metrics.streams_stalled.get()), (1, 0));
}

/// Notes whether it was woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// A connection asks for the next chunk at once, when the last one is still on its way.
#[tokio::test(start_paused = true)]
async fn whatever_comes_while_a_chunk_is_on_its_way_wakes_the_stream_when_that_is_written() {
    let fixture = fixture(Settings::default());
    for last in ["opening", "end", "poke", "poke meanwhile", "deadline"] {
        let deadline = (last == "deadline").then(|| Instant::now() + Duration::from_secs(5));
        let mut reader = fixture.open_on(None, [new(last)], deadline);
        let bell = Arc::new(Bell::default());
        let waker = Arc::clone(&bell).into();
        let mut cx = Context::from_waker(&waker);
        let mut poll = |reader: &mut Reader| Pin::new(&mut reader.stream).poll_frame(&mut cx);
        let Poll::Ready(Some(Ok(opening))) = poll(&mut reader) else { panic!("at once") };
        if last == "end" || last == "poke" {
            drop(opening);
            assert!(poll(&mut reader).is_pending());
            if last == "end" {
                fixture.end(last).await
            } else {
                fixture.publish(last, "x").await
            };
            let Poll::Ready(Some(Ok(chunk))) = poll(&mut reader) else { panic!("{last}") };
            assert!(poll(&mut reader).is_pending());
            bell.0.store(false, SeqCst);
            drop(chunk);
            // After a poke there is nothing to do, and so nobody is woken; an end leaves the status to send.
            assert_eq!((bell.0.load(SeqCst), poll(&mut reader).is_ready()), (last == "end", last == "end"));
            continue;
        }
        assert!(poll(&mut reader).is_pending());
        if last == "poke meanwhile" {
            fixture.publish(last, "x").await;
            assert!(bell.0.swap(false, SeqCst) && poll(&mut reader).is_pending());
        }
        if deadline.is_some() {
            advance(Duration::from_secs(10)).await;
            tokio::task::yield_now().await;
            assert!(bell.0.swap(false, SeqCst) && poll(&mut reader).is_pending());
        }
        drop(opening);
        // Attaching wakes the stream by itself.
        assert!(bell.0.load(SeqCst), "{last}");
        assert_eq!(poll(&mut reader).is_ready(), last != "opening", "{last}");
    }
}

/// The next chunk waits for the last one, and while nobody takes that it doesn't matter who asks how often.
#[tokio::test(start_paused = true)]
async fn one_chunk_that_is_not_written_is_a_stall_however_often_the_stream_is_polled() {
    let settings = Settings { stall_timeout: Duration::from_secs(5), ..Settings::default() };
    for is_written in [false, true] {
        let fixture = fixture(settings);
        let mut reader = fixture.open([new("a")]).live(1).await;
        fixture.publish("a", "the only one").await;
        let frame = poll_fn(|cx| Pin::new(&mut reader.stream).poll_frame(cx)).await.unwrap().unwrap();
        let mut chunk = frame.into_data().unwrap();
        for second in 0..10 {
            if is_written && second % 3 == 0 {
                chunk.advance(1);
            }
            advance(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
            if reader.is_quiet() {
                continue;
            }
            break;
        }
        let stalled = fixture.metrics.streams_ended.get(StreamEnd::Stalled);
        assert_eq!(stalled, u64::from(!is_written), "written in parts: {is_written}");
    }
}
