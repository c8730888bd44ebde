//! The last answer of an HTTP/1.1 connection arrives, whatever its client still sends.

use super::*;

const REFUSED: &[u8] = b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000000\r\n\r\nits beginning";

#[tokio::test]
async fn who_sends_all_of_a_refused_request_before_reading_gets_the_answer() {
    let (address, connections, _metrics) = accept(&Limits::default(), &Scripted::default()).await;
    let head =
        |length: usize| format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n").into_bytes();
    let long = [b"GET / HTTP/1.1\r\nlong: ".to_vec(), vec![b'x'; 2 << 20], b"\r\n\r\n".to_vec()].concat();
    for (request, status) in [
        ([head(2 << 20), vec![b' '; 2 << 20]].concat(), "200 OK"),
        ([head(1 << 30), vec![b' '; 6 << 20]].concat(), "200 OK"),
        (long, "431 Request Header Fields Too Large"),
    ] {
        for _ in 0..20 {
            let mut client = TcpStream::connect(address).await.unwrap();
            // In parts, as the answer and the end must not overtake them.
            for part in request.chunks(100_000) {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut answer = String::new();
            within(client.read_to_string(&mut answer)).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        }
    }
    within(connections.gone()).await;
}

#[tokio::test(start_paused = true)]
async fn what_hyper_refuses_by_itself_may_go_on_too() {
    for (request, status) in [
        ([b"GET / HTTP/1.1\r\nlong: ".to_vec(), vec![b'x'; 20_000]].concat(), "431 Request Header Fields Too Large"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n".to_vec(), "400 Bad Request"),
    ] {
        let (served, mut client) = Served::start(&Scripted::default());
        client.write_all(&request).await.unwrap();
        // The answer is there before the rest comes.
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.write_all(&vec![b'x'; 200_000]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert_eq!(served.end().await, (ConnectionEnd::Protocol, 0), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_heard_out_for_ever() {
    let handshake = seconds(Limits::default().handshake_timeout);
    // Says nothing more, and stays.
    let (served, mut client) = Served::start(&Scripted::default());
    client.write_all(REFUSED).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(served.end().await, (ConnectionEnd::Closed, handshake));

    // Says a word now and then.
    let (served, mut client) = Served::start(&Scripted::default());
    client.write_all(REFUSED).await.unwrap();
    let talk = async {
        while client.write_all(b"more").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (ended, ()) = tokio::join!(served.end(), talk);
    assert_eq!(ended, (ConnectionEnd::Closed, handshake));

    // Says as much as there is room for.
    let (served, mut client) = Served::start(&Scripted::default());
    client.write_all(REFUSED).await.unwrap();
    let mut said = 0;
    while client.write_all(&[b' '; 10_000]).await.is_ok() {
        said += 10_000;
    }
    assert!((8 << 20..10 << 20).contains(&said), "{said}");
    assert_eq!(served.end().await, (ConnectionEnd::Closed, 0));

    // Owes nothing: there is nothing to wait for.
    let (served, mut client) = Served::start(&Scripted::default());
    client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(served.end().await, (ConnectionEnd::Closed, 0));
}
