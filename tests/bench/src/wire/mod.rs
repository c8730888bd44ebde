//! What each kind of server speaks, as the least that a subscriber and a publisher need of it.

mod grpc;
mod header_block;
mod http2;
mod mqtt;
mod nats;
pub(crate) mod raw;

pub(crate) use self::{
    header_block::{Headers, Library},
    http2::STREAM_WINDOW,
};
use crate::Fault;

/// The domain of everything that the bench listens to.
pub(crate) const DOMAIN: &str = "BENCH";
/// The filter that is published to.
pub(crate) const SHARED: &str = "shared";

/// The most that a message holds beside the payload: names, a position, a time.
pub(crate) const ENVELOPE_BYTES: usize = 160;

/// What a session made of what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// So many more interests are live.
    Live(usize),
    /// A poke has arrived whole.
    Delivery {
        /// The stream of the connection.
        stream: usize,
        /// Bytes of its message: those of the payload, and at most [`ENVELOPE_BYTES`] more.
        bytes: usize,
    },
    /// A publish was answered.
    Answer,
    /// The server says on a stream that it lives.
    Heartbeat,
    /// The server says that a stream has missed something.
    Loss,
}

/// One connection's state. It does no I/O.
pub(crate) trait Session {
    /// Takes what was read, and appends what that asks to be written.
    fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>, each: &mut dyn FnMut(Event)) -> Result<(), Fault>;

    /// Appends the publish of a poke.
    fn publish(&mut self, payload: &[u8], out: &mut Vec<u8>);
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// `poke.v1.PokeService` over gRPC.
    Poke,
    /// Centrifugo's unidirectional gRPC stream, and its gRPC API to publish.
    Centrifugo,
    /// The NATS client protocol.
    Nats,
    /// MQTT 3.1.1 at QoS 0.
    Mqtt,
    /// A length and as many bytes.
    Raw,
}

impl Wire {
    /// A connection that listens, with the filters of each of its streams. Returns its state and its first bytes.
    pub(crate) fn subscribe(
        self,
        headers: Headers,
        streams: &[Vec<String>],
        window: u32,
    ) -> (Box<dyn Session>, Vec<u8>) {
        let grpc = |contract| boxed(http2::Session::subscribe(contract, headers, streams, window));
        match self {
            Self::Poke => grpc(grpc::Contract::Poke),
            Self::Centrifugo => grpc(grpc::Contract::Centrifugo),
            Self::Nats => boxed(nats::Session::subscribe(streams)),
            Self::Mqtt => boxed(mqtt::Session::subscribe(streams)),
            Self::Raw => boxed(raw::Session::subscribe()),
        }
    }

    /// A connection that publishes.
    pub(crate) fn publisher(self, headers: Headers) -> (Box<dyn Session>, Vec<u8>) {
        match self {
            Self::Poke => boxed(http2::Session::publisher(grpc::Contract::Poke, headers)),
            Self::Centrifugo => boxed(http2::Session::publisher(grpc::Contract::Centrifugo, headers)),
            Self::Nats => boxed(nats::Session::publisher()),
            Self::Mqtt => boxed(mqtt::Session::publisher()),
            Self::Raw => boxed(raw::Session::publisher()),
        }
    }
}

fn boxed((session, opening): (impl Session + 'static, Vec<u8>)) -> (Box<dyn Session>, Vec<u8>) {
    (Box::new(session), opening)
}

/// Counts the bytes of messages whose length is known from their start, however they are cut by reads.
#[derive(Debug, Default)]
struct Rest(usize);

impl Rest {
    /// Skips what belongs to the message. Answers what follows, and whether the message has just ended.
    fn skip<'a>(&mut self, bytes: &'a [u8]) -> (&'a [u8], bool) {
        let taken = self.0.min(bytes.len());
        self.0 -= taken;
        (&bytes[taken..], self.0 == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a session makes of these bytes when they come in pieces of this size.
    fn read(wire: Wire, bytes: &[u8], piece: usize) -> Vec<Event> {
        let (mut session, _) = wire.subscribe(Headers::default(), &[vec![SHARED.to_owned()]], STREAM_WINDOW);
        let mut events = Vec::new();
        for piece in bytes.chunks(piece) {
            session.read(piece, &mut Vec::new(), &mut |event| events.push(event)).expect("the bytes are sound");
        }
        events
    }

    #[test]
    fn it_doesn_t_matter_how_reads_cut_what_comes() {
        let nats = b"INFO {}\r\nPONG\r\nMSG BENCH.shared 0 3\r\na\nb\r\nMSG BENCH.shared 0 0\r\n\r\n".to_vec();
        let mqtt = [&[0x20, 2, 0, 0][..], &[0x90, 3, 0, 1, 0], &[0x30, 3, 0, 0, 1], &[0x30, 2, 0, 0]].concat();
        let raw = [&[0; 4][..], &[0, 0, 0, 2, 7, 7], &[0, 0, 0, 1, 7]].concat();
        // SETTINGS; HEADERS without END_STREAM; `subscribed` and a poke's first byte in one DATA frame; the rest.
        let http2 = [
            &[0, 0, 0, 4, 0, 0, 0, 0, 0][..],
            &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88],
            &[0, 0, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0x12, 0, 0],
            &[0, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x22, 0],
            &[0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0x22, 0],
        ]
        .concat();
        for (wire, input, sizes) in [
            (Wire::Nats, nats, [3, 0]),
            (Wire::Mqtt, mqtt, [3, 2]),
            (Wire::Raw, raw, [2, 1]),
            (Wire::Poke, http2, [2, 2]),
        ] {
            let [first, second] = sizes.map(|bytes| Event::Delivery { stream: 0, bytes });
            let expected = [Event::Live(1), first, second];
            for piece in [1, 2, 5, 1000] {
                assert_eq!(read(wire, &input, piece), expected, "{wire:?} in pieces of {piece}");
            }
        }
    }
}
