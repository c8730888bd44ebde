//! Header blocks as gRPC clients encode them (HPACK, RFC 7541): Huffman-coded, with entries in the dynamic table.
//!
//! A server keeps the dynamic table for as long as the connection lives, so its memory depends on what clients index. The
//! tests hold blocks that the libraries sent themselves.

use httlib_hpack::Encoder;

/// `Literal Header Field with Incremental Indexing` (RFC 7541, section 6.2.1), with the Huffman code for values.
const INDEXED: u8 = Encoder::WITH_INDEXING | Encoder::HUFFMAN_VALUE;
/// `Literal Header Field without Indexing` (section 6.2.2), with the Huffman code for values.
const NOT_INDEXED: u8 = Encoder::HUFFMAN_VALUE;
/// An index in place of a field, or of its name, that one of the tables has.
const BEST: u8 = Encoder::BEST_FORMAT;
/// Bytes of the dynamic table, unless a server's SETTINGS allow fewer.
const TABLE_BYTES: u32 = 4096;

/// A name by which a server in development mode may be called.
const AUTHORITY: &str = "localhost";

/// A client library whose requests are imitated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Library {
    /// grpc-go.
    GrpcGo,
    /// OkHttp, with the header fields of the Kotlin SDK. It doesn't index the path.
    Okhttp,
    /// SwiftNIO, with the header fields of the Swift SDK: of the SDKs on phones the one that indexes most.
    #[default]
    SwiftNio,
    /// No library: plain strings, nothing indexed, no token.
    Plain,
}

/// How clients encode their requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Headers {
    pub(crate) library: Library,
    /// Bytes of the token in `authorization`. Without any, that field isn't sent.
    pub(crate) token_bytes: usize,
}

/// A field of a request.
#[derive(Clone, Copy, Debug)]
enum Field {
    Method,
    Scheme,
    Path,
    Authority,
    Authorization,
    /// The rest of a unary call's deadline, so a new value for nearly each call.
    GrpcTimeout,
    /// Of a unary call.
    ContentLength,
    Fixed(&'static str, &'static str),
}

const TE: Field = Field::Fixed("te", "trailers");
const GRPC: Field = Field::Fixed("content-type", "application/grpc");

impl Library {
    /// The fields of a request, in the order in which the library sends them.
    fn fields(self) -> &'static [Field] {
        use Field::{Authority, Authorization, ContentLength, Fixed, GrpcTimeout, Method, Path, Scheme};
        match self {
            Self::GrpcGo => &[
                Method,
                Scheme,
                Path,
                Authority,
                GRPC,
                Fixed("user-agent", "grpc-go/1.85.0"),
                TE,
                GrpcTimeout,
                Authorization,
            ],
            Self::Okhttp => &[
                Method,
                Path,
                Authority,
                Scheme,
                Fixed("user-agent", "poke-client-kotlin/0.1.0"),
                Authorization,
                TE,
                Fixed("content-type", "application/grpc+proto"),
                ContentLength,
                Fixed("accept-encoding", "gzip"),
            ],
            Self::SwiftNio => &[
                Method,
                Scheme,
                Path,
                Authority,
                GRPC,
                TE,
                Fixed("grpc-accept-encoding", "deflate"),
                Fixed("grpc-accept-encoding", "gzip"),
                Authorization,
                GrpcTimeout,
            ],
            Self::Plain => &[Method, Scheme, Path, Authority, GRPC, TE],
        }
    }

    /// Returns true if the library sends its first request only after the server's SETTINGS.
    pub(super) fn awaits_settings(self) -> bool {
        matches!(self, Self::GrpcGo | Self::SwiftNio)
    }
}

/// A request, as far as its header block depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) path: &'a str,
    /// A unary call's body length in bytes and the rest of its deadline in microseconds.
    pub(super) unary: Option<(usize, u32)>,
}

/// The HPACK encoder of one connection.
pub(super) struct HeaderEncoder {
    library: Library,
    authority: &'static str,
    authorization: Option<String>,
    encoder: Encoder<'static>,
    table_bytes: u32,
    /// The size of the dynamic table changed since the last block, which the next one has to begin with.
    resized: bool,
}

impl HeaderEncoder {
    pub(super) fn new(Headers { library, token_bytes }: Headers) -> Self {
        // The characters of a token of base64, which the Huffman code shortens by a fifth.
        let token: String = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjQyIn0".chars().cycle().take(token_bytes).collect();
        Self {
            library,
            authority: AUTHORITY,
            authorization: (token_bytes > 0).then(|| format!("Bearer {token}")),
            encoder: Encoder::with_dynamic_size(TABLE_BYTES),
            table_bytes: TABLE_BYTES,
            resized: false,
        }
    }

    /// Takes `SETTINGS_HEADER_TABLE_SIZE`: a server may allow fewer bytes than a client would use.
    pub(super) fn resize(&mut self, allowed: u32) {
        let bytes = allowed.min(TABLE_BYTES);
        self.resized |= bytes != self.table_bytes;
        self.table_bytes = bytes;
    }

    pub(super) fn block(&mut self, request: Request<'_>) -> Vec<u8> {
        let mut block = Vec::new();
        if std::mem::take(&mut self.resized) {
            self.encoder.update_max_dynamic_size(self.table_bytes, &mut block).expect("a Vec takes every byte");
        }
        for field in self.library.fields() {
            let unary = request.unary;
            let (name, value) = match *field {
                Field::Method => (":method", "POST".to_owned()),
                Field::Scheme => (":scheme", "http".to_owned()),
                Field::Path => (":path", request.path.to_owned()),
                Field::Authority => (":authority", self.authority.to_owned()),
                Field::Fixed(name, value) => (name, value.to_owned()),
                Field::Authorization => match &self.authorization {
                    Some(value) => ("authorization", value.clone()),
                    None => continue,
                },
                Field::GrpcTimeout | Field::ContentLength => match (*field, unary) {
                    (_, None) => continue,
                    (Field::GrpcTimeout, Some((_, micros))) => ("grpc-timeout", format!("{micros}u")),
                    (_, Some((bytes, _))) => ("content-length", bytes.to_string()),
                },
            };
            self.put(name, value, &mut block);
        }
        block
    }

    fn put(&mut self, name: &str, value: String, block: &mut Vec<u8>) {
        let flags = match self.library {
            Library::Plain if name == ":method" || name == ":scheme" => BEST,
            Library::Plain => 0,
            Library::Okhttp if name == ":path" => NOT_INDEXED | BEST,
            // The other libraries don't shorten `te`, since it stays two bytes.
            Library::GrpcGo | Library::Okhttp if name == "te" => INDEXED | BEST,
            _ => INDEXED | Encoder::HUFFMAN_NAME | BEST,
        };
        self.encoder
            .encode((name.as_bytes().to_vec(), value.into_bytes(), flags), block)
            .expect("a Vec takes every byte");
    }
}

#[cfg(test)]
mod tests {
    use httlib_hpack::Decoder;

    use super::*;

    const SUBSCRIBE: Request<'_> = Request { path: "/poke.v1.PokeService/Subscribe", unary: None };
    const TOKEN: &str = "eyJ0b2tlbiI6eyJ0b2tlbiI6eyJ0b2tlbiI6eyJ0b2tlbiI6";

    fn publish(micros: u32) -> Request<'static> {
        Request { path: "/poke.v1.PokeService/Publish", unary: Some((58, micros)) }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hex")).collect()
    }

    fn decode(decoder: &mut Decoder<'_>, mut block: Vec<u8>) -> Vec<(String, String)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("fields are ASCII");
        let mut fields = Vec::new();
        decoder.decode(&mut block, &mut fields).expect("the block is sound");
        fields.into_iter().map(|(name, value, _)| (text(name), text(value))).collect()
    }

    /// Encodes requests of one connection, and checks that the blocks hold the fields of the recorded ones, as long as those
    /// are. A field indexed in another way would show in its block, or in the next one.
    fn assert_recorded(library: Library, authority: &'static str, requests: [Request<'_>; 3], recorded: [&str; 3]) {
        let mut encoder = HeaderEncoder::new(Headers { library, token_bytes: 0 });
        encoder.authority = authority;
        encoder.authorization = Some(format!("Bearer {TOKEN}"));
        let [mut ours, mut theirs] = [(); 2].map(|()| Decoder::with_dynamic_size(TABLE_BYTES));
        for (request, recorded) in requests.into_iter().zip(recorded) {
            let (block, recorded) = (encoder.block(request), bytes(recorded));
            assert_eq!(block.len(), recorded.len(), "{library:?}, {request:?}");
            assert_eq!(decode(&mut ours, block), decode(&mut theirs, recorded), "{library:?}, {request:?}");
        }
    }

    #[test]
    fn blocks_are_those_of_grpc_go() {
        // Recorded of grpc-go 1.85.0.
        let recorded = [
            "8386459662b3f52afdc2beb3f52ee2d9dcc42b1bad8d04b0d1974186a0e41d139d095f8b1d75d0620d263d4c4d65647a8a9acac8b4c7602bbcda\
             e040027465864d833505b11f57a8ba51d85b142faca08c49a2336470beb282312688cd91c2faca08c49a2336470beb282312688cd91c",
            "8386459562b3f52afdc2beb3f52ee2d9dcc42b1aed8e83227fc3c2c1c040899acac8b24d494f6a7f867df7df7df6adc0",
            "8386bfc4c3c2c17e867df7df7df7adc1",
        ];
        assert_recorded(Library::GrpcGo, "localhost", [SUBSCRIBE, publish(9_999_994), publish(9_999_998)], recorded);
    }

    #[test]
    fn blocks_are_those_of_the_kotlin_sdk() {
        // Recorded of the SDK on OkHttp 5.5.1.
        let recorded = [
            "83049662b3f52afdc2beb3f52ee2d9dcc42b1bad8d04b0d197418ba0e41d139d09b8d36d3a1f867a91acfd4ab128316a4add4e9a0d53005c2b83\
             57a8ba51d85b142faca08c49a2336470beb282312688cd91c2faca08c49a2336470beb282312688cd91c40027465864d833505b11f5f901d75d0\
             620d263d4c4d6564ff75d8749f50839bd9ab",
            "83049562b3f52afdc2beb3f52ee2d9dcc42b1aed8e83227fc386c2c1c0bf5c023538bf",
            "83049562b3f52afdc2beb3f52ee2d9dcc42b1aed8e83227fc486c3c2c1c0bebf",
        ];
        assert_recorded(Library::Okhttp, "localhost:45471", [SUBSCRIBE, publish(0), publish(0)], recorded);
    }

    #[test]
    fn blocks_are_those_of_the_swift_sdk() {
        // Recorded of the SDK on SwiftNIO HTTP/2 1.42.0.
        let recorded = [
            "8386449662b3f52afdc2beb3f52ee2d9dcc42b1bad8d04b0d197418ba0e41d139d09b8c89f65bf5f8b1d75d0620d263d4c4d65644082497f864d\
             833505b11f408e9acac8b0c842d6958b510f21aa9b8590b2d034977e839bd9ab57a8ba51d85b142faca08c49a2336470beb282312688cd91c2fa\
             ca08c49a2336470beb282312688cd91c",
            "8386449562b3f52afdc2beb3f52ee2d9dcc42b1aed8e83227fc4c3c2c1c0bf40899acac8b24d494f6a7f8669f7df7dd76d",
            "8386bfc5c4c3c2c1c07e8669f7df7de66d",
        ];
        assert_recorded(
            Library::SwiftNio,
            "localhost:32935",
            [SUBSCRIBE, publish(4_999_977), publish(4_999_983)],
            recorded,
        );
    }

    #[test]
    fn plain_blocks_are_equal_and_leave_nothing_in_the_table() {
        let mut encoder = HeaderEncoder::new(Headers { library: Library::Plain, token_bytes: 700 });
        let [first, second] = [(); 2].map(|()| encoder.block(SUBSCRIBE));
        assert_eq!(first, second);
        // Only entries of the static table, which ends with 61, and literals without indexing.
        assert!(first.windows(4).any(|window| window == b"path") && first[..2] == [0x83, 0x86], "{first:?}");
        let fields = decode(&mut Decoder::with_dynamic_size(0), first);
        assert_eq!(fields.last(), Some(&("te".to_owned(), "trailers".to_owned())));
    }

    #[test]
    fn a_server_may_allow_a_smaller_table() {
        let mut encoder = HeaderEncoder::new(Headers { library: Library::SwiftNio, token_bytes: 700 });
        let mut decoder = Decoder::with_dynamic_size(TABLE_BYTES);
        let before = decode(&mut decoder, encoder.block(SUBSCRIBE));
        encoder.resize(100);
        let block = encoder.block(SUBSCRIBE);
        // A `Dynamic Table Size Update` to 100 (section 6.3).
        assert_eq!(block[..2], [0x3f, 100 - 31]);
        assert_eq!(decode(&mut decoder, block), before);
        encoder.resize(100);
        assert_eq!(encoder.block(SUBSCRIBE)[0], 0x83);
    }
}
