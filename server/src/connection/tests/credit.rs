//! Flow control of HTTP/2 (RFC 9113, section 5.2), in both directions.
#![allow(clippy::cast_possible_truncation, reason = "tests")]

use std::collections::BTreeMap;

use h2::{
    Reason,
    frame::{Frame, Ping, Reset, Settings, StreamId, WindowUpdate},
};

use super::{
    raw::{Raw, answer, cancel, credit, longest, measure, padded, serve, serve_over, whole},
    *,
};

#[tokio::test(start_paused = true)]
async fn padding_is_given_back_like_what_was_read() {
    const FRAMES: usize = 8000;
    let (_served, socket) = measure(Limits { idle_frames: u32::MAX, ..Limits::default() });
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.ask(1, false).await;
    let mut windows = BTreeMap::from([(0, 65_535_usize), (1, 256 << 10)]);
    let frame = padded(1, b"x", 255, false);
    for _ in 0..FRAMES {
        while windows.values().any(|&window| window < 257) {
            let frame = raw.hear().await.unwrap();
            if let Frame::WindowUpdate(update) = frame {
                *windows.get_mut(&update.stream_id().into()).unwrap() += update.size_increment() as usize;
            }
        }
        windows.values_mut().for_each(|window| *window -= 257);
        raw.say_bytes(&frame).await;
    }
    raw.say_bytes(&padded(1, b"", 0, true)).await;
    let length = raw
        .hear_until(|frame| match frame {
            Frame::Data(data) => Some(data.into_payload()),
            _ => None,
        })
        .await;
    assert_eq!(length, FRAMES.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_as_much_as_it_grants_and_no_more() {
    const LENGTH: usize = 200_000;
    let mut settings = Settings::default();
    settings.set_initial_window_size(Some(10));
    let (_served, socket) = answer(LENGTH);
    let mut raw = Raw::greet(socket, settings).await;
    raw.say(WindowUpdate::new(StreamId::ZERO, 1_000_000)).await;
    raw.ask(1, true).await;
    raw.ask(3, true).await;
    let mut got = BTreeMap::from([(1, Vec::new()), (3, Vec::new())]);
    let mut granted = 10;
    for grant in [1, 20_000, 9, 40_000, 100_000, LENGTH] {
        if grant == 9 {
            // It takes something back, which leaves it with less than nothing, even with the 9.
            let mut smaller = Settings::default();
            smaller.set_initial_window_size(Some(0));
            raw.say(smaller).await;
            granted -= 10;
        }
        for id in [1_u32, 3] {
            raw.say(WindowUpdate::new(id.into(), grant as u32)).await;
        }
        granted = (granted + grant).min(LENGTH);
        while got.values().any(|got| got.len() < granted) {
            let (id, data) = raw
                .hear_until(|frame| match frame {
                    Frame::Data(data) => Some((u32::from(data.stream_id()), data.into_payload())),
                    _ => None,
                })
                .await;
            assert!(data.len() <= 16_384);
            got.get_mut(&id).unwrap().extend_from_slice(&data);
            assert!(got[&id].len() <= granted);
        }
    }
    for got in got.values() {
        assert!(got.iter().enumerate().all(|(n, &byte)| byte == n as u8));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_that_was_reset_has_not_used_goes_to_others() {
    const LENGTH: usize = 150_000;
    let mut settings = Settings::default();
    settings.set_initial_window_size(Some(i32::MAX as u32));
    let (_served, socket) = answer(LENGTH);
    let mut raw = Raw::greet(socket, settings).await;
    // Enough for two answers, and a part of each is what is on its way when it is reset.
    raw.say(WindowUpdate::new(StreamId::ZERO, (2 * LENGTH) as u32)).await;
    let mut window = 65_535 + 2 * LENGTH;
    for id in [1_u32, 3, 5] {
        raw.ask(id, true).await;
        raw.hear_until(|frame| match frame {
            Frame::Data(data) => {
                window -= data.payload().len();
                (data.stream_id() == id).then_some(())
            }
            _ => None,
        })
        .await;
        raw.say(Reset::new(id.into(), Reason::CANCEL)).await;
    }
    raw.ask(7, true).await;
    let mut got = 0;
    loop {
        let (id, length, ends) = raw
            .hear_until(|frame| match frame {
                Frame::Data(data) => Some((u32::from(data.stream_id()), data.payload().len(), data.is_end_stream())),
                _ => None,
            })
            .await;
        window = window.checked_sub(length).expect("no more than was granted");
        got += if id == 7 { length } else { 0 };
        if id == 7 && ends {
            break;
        }
    }
    assert_eq!(got, LENGTH);
    // Exactly what is left is there for the next one.
    raw.ask(9, true).await;
    raw.ask(11, true).await;
    let mut left = window;
    while left > 0 {
        let length = raw
            .hear_until(|frame| match frame {
                Frame::Data(data) => Some(data.payload().len()),
                _ => None,
            })
            .await;
        left = left.checked_sub(length).expect("no more than was granted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_takes_nothing_of_the_window() {
    let (_served, socket) = measure(Limits { idle_frames: 10_000, ..Limits::default() });
    let mut raw = Raw::greet(socket, Settings::default()).await;
    let mut window = 65_535;
    for n in 0..200 {
        let id = 2 * n + 1;
        let mut frames = Vec::new();
        while window < 2 * 16_384 {
            if let Frame::WindowUpdate(update) = raw.hear().await.unwrap()
                && update.stream_id().is_zero()
            {
                window += update.size_increment() as usize;
            }
        }
        window -= 2 * 16_384;
        // Ways to leave a body unread: by a head that is not even looked at; by the client, at once; by a fault.
        if n % 3 == 2 {
            raw.ask_with(id, "te", "gzip").await;
        } else {
            raw.ask(id, false).await;
        }
        frames.extend(longest(id).repeat(2));
        match n % 3 {
            0 => frames.extend(cancel(id)),
            1 => frames.extend(credit(id, i32::MAX as u32)),
            _ => {}
        }
        raw.say_bytes(&frames).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_granted_by_old_settings_does_not_follow_the_answer_to_new_ones() {
    // A socket that takes so little that nothing of the answer's body has been written when new settings come.
    let (_served, socket) = serve_over(64, Limits::default(), whole(100_000));
    let mut settings = Settings::default();
    settings.set_initial_window_size(Some(60_000));
    settings.set_max_frame_size(Some(30_000));
    let mut raw = Raw::greet(socket, settings).await;
    raw.ask(1, true).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let mut smaller = Settings::default();
    smaller.set_initial_window_size(Some(20_000));
    smaller.set_max_frame_size(Some(16_384));
    raw.say(smaller).await;
    let (mut got, mut acks) = (0, 0);
    while got < 20_000 {
        match raw.hear().await.unwrap() {
            Frame::Settings(settings) => acks += usize::from(settings.is_ack()),
            Frame::Data(data) => {
                got += data.payload().len();
                assert!(data.payload().len() <= 16_384);
            }
            _ => {}
        }
    }
    assert_eq!((got, acks), (20_000, 2));
    raw.say(Ping::new([1; 8])).await;
    raw.hear_until(|frame| match frame {
        Frame::Data(data) => panic!("{} more than it grants", data.payload().len()),
        Frame::Ping(_) => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_reset_stream_leaves_of_the_window_goes_to_one_that_waits_for_it() {
    let mut settings = Settings::default();
    settings.set_initial_window_size(Some(i32::MAX as u32));
    let (_served, socket) = answer(1 << 20);
    let mut raw = Raw::greet(socket, settings).await;
    raw.ask(1, true).await;
    raw.ask(3, true).await;
    let mut window = 65_535;
    let mut is_reset = false;
    while window > 0 {
        let (id, length) = raw
            .hear_until(|frame| match frame {
                Frame::Data(data) => Some((u32::from(data.stream_id()), data.payload().len())),
                _ => None,
            })
            .await;
        window -= length;
        if !is_reset {
            is_reset = true;
            raw.say(Reset::new(id.into(), Reason::CANCEL)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_more_than_was_granted_is_stopped() {
    let never = || {
        BoxCloneSyncService::new(tower::service_fn(async |request: Request<Inbound>| {
            let _unread = request;
            std::future::pending().await
        }))
    };
    let (_served, socket) = serve(Limits::default(), never());
    let mut raw = Raw::greet(socket, Settings::default()).await;
    raw.ask(1, false).await;
    for _ in 0..17 {
        raw.say_bytes(&longest(1)).await;
    }
    assert_eq!(raw.reset_of(1).await, Reason::FLOW_CONTROL_ERROR);

    let (_served, socket) = serve(Limits::default(), never());
    let mut raw = Raw::greet(socket, Settings::default()).await;
    for id in [1, 3, 5, 7, 9] {
        raw.ask(id, false).await;
        for _ in 0..16 {
            if id < 9 {
                raw.say_bytes(&longest(id)).await;
            }
        }
    }
    raw.say_bytes(&longest(9)).await;
    assert_eq!(raw.goodbye().await, Reason::FLOW_CONTROL_ERROR);
}
