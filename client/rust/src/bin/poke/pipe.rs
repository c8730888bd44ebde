//! Notices that nobody reads standard output any more.

/// Resolves when standard output is a pipe whose reader has gone. Without it, `poke subscribe … | head -1` would stay
/// until the next poke finds the pipe closed, and that can be never.
#[cfg(unix)]
pub(crate) async fn reader_gone() {
    use std::{
        fs::File,
        io,
        os::{fd::AsFd as _, unix::fs::FileTypeExt as _},
    };

    use tokio::{io::Interest, net::unix::pipe::Sender};

    let pipe = || -> io::Result<Option<Sender>> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        if !file.metadata()?.file_type().is_fifo() {
            return Ok(None);
        }
        // Unchecked, it leaves the pipe in blocking mode, which writing to it counts on. Nothing is written here.
        Sender::from_file_unchecked(file).map(Some)
    };
    match pipe() {
        Ok(Some(pipe)) => drop(pipe.ready(Interest::ERROR).await),
        // A file, a terminal, or nothing that can be watched: writing will tell.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

/// There is no such notice on this system: the next write tells.
#[cfg(not(unix))]
pub(crate) async fn reader_gone() {
    std::future::pending().await
}
