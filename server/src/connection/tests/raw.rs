//! A client that says what it is told to say, frame by frame.
#![allow(clippy::cast_possible_truncation, reason = "tests")]

use h2::{
    Codec, Reason,
    frame::{Frame, Headers, Pseudo, Settings},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt as _, Full};

use super::*;

/// A client that says what it is told to say, and hears all.
pub(super) struct Raw(pub(super) Codec<DuplexStream, Bytes>);

impl Raw {
    pub(super) async fn greet(mut socket: DuplexStream, settings: Settings) -> Self {
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut raw = Self(Codec::new(socket));
        raw.say(settings).await;
        raw
    }

    pub(super) async fn say(&mut self, frame: impl Into<Frame>) {
        std::future::poll_fn(|cx| self.0.poll_ready(cx)).await.unwrap();
        self.0.buffer(frame.into()).unwrap();
        std::future::poll_fn(|cx| self.0.flush(cx)).await.unwrap();
    }

    pub(super) async fn say_bytes(&mut self, frames: &[u8]) {
        self.0.get_mut().write_all(frames).await.unwrap();
    }

    /// Opens a stream. It is all of the request if it `ends`.
    pub(super) async fn ask(&mut self, id: u32, ends: bool) {
        let mut head = head(id, HeaderMap::new());
        if ends {
            head.set_end_stream();
        }
        self.say(head).await;
    }

    /// Opens a stream by a head that has a field besides.
    pub(super) async fn ask_with(&mut self, id: u32, name: &'static str, value: &'static str) {
        let fields = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
        self.say(head(id, fields)).await;
    }

    /// The next frame, unless the connection has ended.
    pub(super) async fn hear(&mut self) -> Option<Frame> {
        let next = std::future::poll_fn(|cx| futures_util::Stream::poll_next(Pin::new(&mut self.0), cx));
        timeout(Duration::from_secs(5), next).await.expect("there is a next frame").transpose().ok().flatten()
    }

    /// The next frame that is of interest.
    pub(super) async fn hear_until<T>(&mut self, mut find: impl FnMut(Frame) -> Option<T>) -> T {
        loop {
            let frame = self.hear().await.expect("the connection is open");
            if let Some(found) = find(frame) {
                return found;
            }
        }
    }

    /// Why a stream was reset.
    pub(super) async fn reset_of(&mut self, id: u32) -> Reason {
        self.hear_until(|frame| match frame {
            Frame::Reset(reset) if reset.stream_id() == id => Some(reset.reason()),
            Frame::GoAway(goaway) => panic!("the connection ends: {goaway:?}"),
            _ => None,
        })
        .await
    }

    /// Why the connection ends.
    pub(super) async fn goodbye(&mut self) -> Reason {
        self.hear_until(|frame| match frame {
            Frame::GoAway(goaway) => Some(goaway.reason()),
            _ => None,
        })
        .await
    }
}

fn head(id: u32, fields: HeaderMap) -> Headers {
    let pseudo = Pseudo::request(Method::POST, Uri::from_static("http://test/"), None);
    Headers::new(id.into(), pseudo, fields)
}

/// A connection whose answers say how long the request's body was.
pub(super) fn measure(limits: Limits) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    measure_on(&Arc::new(Connection::new(1, Peer::default(), Arc::default())), limits)
}

/// The same for a connection that the test has made.
pub(super) fn measure_on(connection: &Arc<Connection>, limits: Limits) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    let service = BoxCloneSyncService::new(tower::service_fn(async |request: Request<Inbound>| {
        let body =
            request.into_body().collect().await.map_or_else(|error| error.to_string().into(), |all| all.to_bytes());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body.len().to_string()))))
    }));
    let (ours, theirs) = duplex(32 << 10);
    let connection = Arc::clone(connection);
    (tokio::spawn(async move { Http::new(limits).serve(ours, &connection, service).await }), theirs)
}

/// A connection whose answers are as long as this.
pub(super) fn answer(length: usize) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    serve(Limits::default(), whole(length))
}

pub(super) type Whole = BoxCloneSyncService<Request<Inbound>, Response<Full<Bytes>>, Infallible>;

/// Answers that are as long as this.
pub(super) fn whole(length: usize) -> Whole {
    let body = Bytes::from((0..length).map(|n| n as u8).collect::<Vec<_>>());
    BoxCloneSyncService::new(tower::service_fn(move |_: Request<Inbound>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(body.clone()))))
    }))
}

pub(super) fn serve(limits: Limits, service: Whole) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    serve_over(32 << 10, limits, service)
}

/// A connection over a socket that holds as many bytes.
pub(super) fn serve_over(bytes: usize, limits: Limits, service: Whole) -> (JoinHandle<ConnectionEnd>, DuplexStream) {
    let (ours, theirs) = duplex(bytes);
    let connection = Arc::new(Connection::new(1, Peer::default(), Arc::default()));
    (tokio::spawn(async move { Http::new(limits).serve(ours, &connection, service).await }), theirs)
}

/// A DATA frame as long as one may be at first.
pub(super) fn longest(id: u32) -> Vec<u8> {
    [&[0, 0x40, 0, 0, 0][..], &id.to_be_bytes(), &[0; 16_384]].concat()
}

/// RST_STREAM, by a client that wants no more of it.
pub(super) fn cancel(id: u32) -> Vec<u8> {
    [&[0, 0, 4, 3, 0][..], &id.to_be_bytes(), &[0, 0, 0, 8]].concat()
}

/// WINDOW_UPDATE.
pub(super) fn credit(id: u32, more: u32) -> Vec<u8> {
    [&[0, 0, 4, 8, 0][..], &id.to_be_bytes(), &more.to_be_bytes()].concat()
}

/// A DATA frame, padded.
pub(super) fn padded(id: u32, data: &[u8], padding: u8, ends: bool) -> Vec<u8> {
    let length = 1 + data.len() + usize::from(padding);
    let [.., a, b, c] = length.to_be_bytes();
    let head = [&[a, b, c, 0, 8 | u8::from(ends)][..], &id.to_be_bytes(), &[padding]].concat();
    [&head[..], data, &vec![0; padding.into()]].concat()
}
