//! Causes for closing a connection with ENHANCE_YOUR_CALM.

/// The limit that a client has exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abuse {
    /// Frames that make no progress, more than `limits.idle_frames` allows.
    IdleFrames,
    /// Header fields of one request, more than `limits.refused_header_bytes` allows.
    HeaderBytes,
    /// Header fields that come in several frames, on so many connections at once that there is no memory for more.
    HeaderMemory,
}

impl Abuse {
    /// Returns what GOAWAY says about it.
    pub(super) fn debug_data(self) -> &'static [u8] {
        match self {
            Self::IdleFrames => b"too many frames that make no progress",
            Self::HeaderBytes => b"the header fields of a request are far too large",
            Self::HeaderMemory => b"too many requests with large header fields at once",
        }
    }
}
