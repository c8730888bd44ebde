//! Header blocks as real gRPC clients encode them (HPACK, RFC 7541): Huffman-coded, with entries in the dynamic table.
//!
//! What a server keeps of a connection depends on it: a client that indexes nothing leaves the server's table empty.

use httlib_hpack::Encoder;

/// `Literal Header Field with Incremental Indexing` (RFC 7541, section 6.2.1), with the Huffman code for values.
const INDEXED: u8 = Encoder::WITH_INDEXING | Encoder::HUFFMAN_VALUE;
/// The same for a field whose name isn't in the static table.
const NEW_NAME: u8 = INDEXED | Encoder::HUFFMAN_NAME;
/// The best form: an index if a table has the whole field.
const BEST: u8 = Encoder::BEST_FORMAT;

/// A name by which a server in development mode may be called.
const AUTHORITY: &str = "localhost";

/// A client library whose requests are imitated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Library {
    /// grpc-go: it indexes every field, the path included.
    #[default]
    GrpcGo,
    /// OkHttp, under Connect for Kotlin and grpc-java on Android: it indexes all but pseudo-header fields.
    Okhttp,
    /// SwiftNIO, under gRPC Swift 2: it indexes every field.
    SwiftNio,
    /// No library: plain strings, nothing indexed. It is what figures before this option were taken with.
    Plain,
}

impl Library {
    fn fields(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::GrpcGo => &[
                ("content-type", "application/grpc"),
                ("user-agent", "grpc-go/1.76.0"),
                ("te", "trailers"),
                ("grpc-accept-encoding", "gzip"),
            ],
            Self::Okhttp => &[
                ("te", "trailers"),
                ("content-type", "application/grpc+proto"),
                ("grpc-accept-encoding", "gzip"),
                ("accept-encoding", "identity"),
                ("user-agent", "okhttp/5.5.1"),
            ],
            Self::SwiftNio => &[
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                ("user-agent", "grpc-swift-nio/2.6.0"),
                ("grpc-accept-encoding", "deflate,gzip"),
            ],
            Self::Plain => &[("content-type", "application/grpc"), ("te", "trailers")],
        }
    }

    /// The header block of a connection's first request, and that of each later one to the same path.
    pub(crate) fn blocks(self, path: &str) -> [Vec<u8>; 2] {
        if self == Self::Plain {
            let block = plain(path, self.fields());
            return [block.clone(), block];
        }
        let mut encoder = Encoder::with_dynamic_size(4096);
        [(); 2].map(|()| self.block(&mut encoder, path))
    }

    fn block(self, encoder: &mut Encoder<'_>, path: &str) -> Vec<u8> {
        let pseudo = if self == Self::Okhttp { Encoder::HUFFMAN_VALUE } else { INDEXED };
        let mut block = Vec::new();
        let mut put = |name: &str, value: &str, flags: u8| {
            let field = (name.as_bytes().to_vec(), value.as_bytes().to_vec(), flags | BEST);
            encoder.encode(field, &mut block).expect("a Vec takes every field");
        };
        put(":method", "POST", INDEXED);
        put(":scheme", "http", INDEXED);
        put(":path", path, pseudo);
        put(":authority", AUTHORITY, pseudo);
        for (name, value) in self.fields() {
            put(name, value, NEW_NAME);
        }
        block
    }
}

/// Fields as literals without indexing (RFC 7541, section 6.2.2) and without the Huffman code.
fn plain(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let literal = |out: &mut Vec<u8>, text: &str| {
        out.push(u8::try_from(text.len()).ok().filter(|&length| length < 0x7f).expect("short header fields"));
        out.extend_from_slice(text.as_bytes());
    };
    // `:method: POST` and `:scheme: http` are entries 3 and 6 of the static table; `:path` is 4, `:authority` 1.
    let mut out = vec![0x83, 0x86, 0x04];
    literal(&mut out, path);
    out.push(0x01);
    literal(&mut out, AUTHORITY);
    for (name, value) in fields {
        out.push(0x00);
        literal(&mut out, name);
        literal(&mut out, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use httlib_hpack::Decoder;

    use super::*;

    #[test]
    fn a_server_reads_the_fields_and_later_requests_are_short() {
        for library in [Library::GrpcGo, Library::Okhttp, Library::SwiftNio, Library::Plain] {
            let blocks = library.blocks("/poke.v1.PokeService/Subscribe");
            let mut decoder = Decoder::with_dynamic_size(4096);
            for mut block in blocks.clone() {
                let mut fields = Vec::new();
                decoder.decode(&mut block, &mut fields).expect("it is sound");
                let value = |name: &str| {
                    let field = fields.iter().find(|(field, ..)| field == name.as_bytes());
                    String::from_utf8_lossy(&field.expect("it is there").1).into_owned()
                };
                assert_eq!((value(":method").as_str(), value(":scheme").as_str()), ("POST", "http"), "{library:?}");
                assert_eq!(value(":path"), "/poke.v1.PokeService/Subscribe");
                assert_eq!(value("te"), "trailers");
                assert_eq!(fields.len(), 4 + library.fields().len());
            }
            let [first, later] = blocks.map(|block| block.len());
            match library {
                Library::Plain => assert_eq!(first, later),
                Library::Okhttp => assert!(later < 60 && first > 90, "{first} {later}"),
                _ => assert!(later < 12 && first > 70, "{library:?}: {first} {later}"),
            }
        }
    }
}
