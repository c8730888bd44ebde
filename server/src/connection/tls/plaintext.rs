//! Clients that forget to speak TLS: told so in their own language.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::goodbye;

/// What a record that begins a handshake begins with (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// An HTTP/2 server's empty SETTINGS, and GOAWAY with INADEQUATE_SECURITY (RFC 9113, section 7).
const GOAWAY: &[u8] = b"\0\0\0\x04\0\0\0\0\0\
    \0\0\x31\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0cthis port speaks TLS: use an https:// URL";

const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 42\r\n\
    connection: close\r\n\r\nthis port speaks TLS: use an https:// URL\n";

/// What a client speaks instead of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plaintext {
    Http1,
    Http2,
    Unknown,
}

impl Plaintext {
    /// Looks at the first bytes of a client; `None` if they can begin a handshake.
    pub(super) fn recognise(first: &[u8]) -> Option<Self> {
        match first {
            [HANDSHAKE, ..] => None,
            [b'P', b'R', b'I', b' ', ..] => Some(Self::Http2),
            [b'A'..=b'Z', ..] => Some(Self::Http1),
            _ => Some(Self::Unknown),
        }
    }

    /// What the log calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Unknown => "something that is neither TLS nor HTTP",
        }
    }

    /// Tells the client, and waits until it leaves.
    pub(super) async fn answer(self, mut socket: TcpStream) {
        let answer = match self {
            Self::Http1 => BAD_REQUEST,
            Self::Http2 => GOAWAY,
            Self::Unknown => return,
        };
        // Who doesn't wait for the answer doesn't need it.
        if socket.write_all(answer).await.is_ok() {
            goodbye::part(socket).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_by_its_first_bytes() {
        assert_eq!(Plaintext::recognise(&[22, 3, 1, 2]), None);
        assert_eq!(Plaintext::recognise(b"PRI * HT"), Some(Plaintext::Http2));
        assert_eq!(Plaintext::recognise(b"POST /po"), Some(Plaintext::Http1));
        assert_eq!(Plaintext::recognise(&[0x80, 0x2e, 1]), Some(Plaintext::Unknown));
    }

    #[test]
    fn the_answers_state_their_lengths() {
        let (settings, goaway) = GOAWAY.split_at(9);
        assert_eq!(settings, [0, 0, 0, 4, 0, 0, 0, 0, 0]);
        let [0, 0, length, 7, 0, 0, 0, 0, 0, payload @ ..] = goaway else { unreachable!("it is a GOAWAY") };
        assert_eq!(payload.len(), usize::from(*length));
        let answer = String::from_utf8_lossy(BAD_REQUEST);
        let body = answer.split("\r\n\r\n").last().unwrap_or_default();
        assert!(answer.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
    }
}
