//! `poke-server`: reads its configuration, listens, serves until it is told to stop, and drains.

use std::{
    convert::Infallible,
    env, fs,
    future::pending,
    io::{self, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use poke_server::{
    auth::NewKey,
    config::{Address, Invocation, Task, Usage},
    console, limits, log,
    metrics::Metrics,
    runtime,
    server::Server,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// See the manifest for why.
#[cfg(all(feature = "jemalloc", unix, not(target_os = "macos")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exit code of a command line or a configuration that can't be followed, as shells have it.
const USAGE: u8 = 2;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    // A variable that isn't UTF-8 sets nothing of ours.
    let variables =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let done = match Invocation::read(env::args_os(), variables) {
        Ok(invocation) if invocation.task == Task::Serve => return run(invocation),
        Ok(invocation) => print(&invocation),
        // Help and the version, which go to standard output.
        Err(Usage::CommandLine(error)) if !error.use_stderr() => error.exit(),
        Err(usage @ Usage::CommandLine(_)) => {
            complain(&usage.to_string());
            return USAGE.into();
        }
        Err(Usage::Config(mistakes)) => {
            complain(&format!("{mistakes}\n"));
            return USAGE.into();
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("poke-server: can't write to standard output: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Does what ends at once: prints something.
fn print(invocation: &Invocation) -> io::Result<()> {
    match &invocation.task {
        Task::CheckConfig => {
            invocation.config.cautions().iter().try_for_each(|caution| say(&format!("warning: {caution}\n")))?;
            say("the configuration is valid\n")
        }
        Task::NewKey(name) => {
            let NewKey { key, hash } = NewKey::random();
            say(&format!("{key}\n{name} = \"{hash}\"\n"))?;
            complain(
                "The first line is the key, which is kept nowhere: give it to its holder. The second is for [keys].\n",
            );
            Ok(())
        }
        Task::PrintConfig => say(&invocation.config.to_toml()),
        Task::Serve => Ok(()),
    }
}

/// Longest wait, at the end, for a file that is being read just then.
const FILES_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the server until it has drained, and then writes what is left of the log.
fn run(invocation: Invocation) -> ExitCode {
    let metrics = Arc::new(Metrics::new());
    let started = runtime::builder().build().and_then(|runtime| {
        // Dropped last, so that it holds what the runtime says as it ends.
        Ok((log::start(&invocation.config.log, &metrics)?, runtime))
    });
    let (log, runtime) = match started {
        Ok(started) => started,
        Err(error) => {
            complain(&format!("poke-server: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let served = runtime.block_on(serve(invocation, metrics));
    runtime.shutdown_timeout(FILES_TIMEOUT);
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.write(&format!("poke-server: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(invocation: Invocation, metrics: Arc<Metrics>) -> Result<(), Error> {
    let room = limits::raise_open_files();
    let wanted = invocation.config.limits.connections;
    if let Some(room) = room.filter(|room| !invocation.dev && *room < wanted as u64) {
        tracing::warn!(room, wanted, "the limit on open files leaves less room than limits.connections says");
    }
    // Before anything is announced: whoever starts us may stop us at once.
    let mut signals = Signals::catch()?;
    let hangups = signal(SignalKind::hangup())?;
    let cautions = invocation.config.cautions();
    let server = tokio::select! {
        bound = Server::bind(invocation.config, metrics) => bound?,
        // It may be waiting for an address.
        () = signals.next() => return Ok(()),
    };
    let server = server.with_source(invocation.source);
    let server = if invocation.dev { server.with_local_names_only() } else { server };
    cautions.iter().for_each(|caution| tracing::warn!("{caution}"));
    announce(&server, invocation.dev);
    if let Some(path) = invocation.ready_file {
        fs::write(
            path,
            server.addresses().map(|address| url(address, server.speaks_tls()) + "\n").collect::<String>(),
        )?;
    }
    let stop = CancellationToken::new();
    let (reload, reloads) = watch::channel(());
    tokio::select! {
        drained = server.run(stop.cancelled(), reloads) => drained,
        () = signals.twice(&stop) => Err("told twice to stop: stopped at once".into()),
        never = pass_on(hangups, reload) => match never {},
    }
}

/// Has everything loaded again at each SIGHUP. Without anything to load it means nothing; that nobody is at the terminal
/// any more is no reason to stop.
async fn pass_on(mut hangups: Signal, reload: watch::Sender<()>) -> Infallible {
    while hangups.recv().await.is_some() {
        tracing::info!("told to load the configuration and the certificate again");
        reload.send_replace(());
    }
    pending().await
}

/// SIGTERM, as orchestrators send it, and SIGINT, as Ctrl-C does.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }

    /// Cancels `stop` at the first signal, and is ready at the second.
    async fn twice(&mut self, stop: &CancellationToken) {
        self.next().await;
        stop.cancel();
        self.next().await;
    }
}

/// Says where the server listens, one address a line: people and scripts read it.
fn announce(server: &Server, dev: bool) {
    let mut text = String::new();
    for address in server.addresses() {
        text += &format!("listening on {}\n", url(address, server.speaks_tls()));
    }
    if let Some(admin) = server.admin_address() {
        let later = if server.has_admin_address() { "" } else { ", as soon as another process leaves it" };
        text += &format!("admin on {}{later}\n", url(admin, false));
    }
    // No browser opens a UNIX socket.
    let pages = server.addresses().filter(|address| matches!(address, Address::Tcp(_)));
    if let Some(address) = pages.take(usize::from(server.has_console())).next() {
        text += &format!("console on {}{}\n", url(&reachable(address), server.speaks_tls()), console::PATH);
    }
    let addresses: Vec<_> = server.addresses().map(|address| url(address, server.speaks_tls())).collect();
    let admin = server.admin_address().map(|admin| tracing::field::display(url(admin, false)));
    let (version, mode) = (env!("CARGO_PKG_VERSION"), if dev { "development" } else { "configured" });
    tracing::info!(version, mode, addresses = addresses.join(" "), admin, "started");
    if let Some(address) = server.addresses().next().filter(|_| dev) {
        text += &greeting(&reachable(address), server.speaks_tls());
    }
    // On a thread of its own, since nobody may read a full pipe; the log has the addresses as well.
    let warn = |error: io::Error| tracing::warn!(%error, "can't write to standard output where the server listens");
    let announcing = thread::Builder::new().name("announce".into()).spawn(move || say(&text).unwrap_or_else(warn));
    announcing.map_or_else(warn, drop);
}

/// What to try first.
fn greeting(address: &Address, tls: bool) -> String {
    let url = url(address, tls);
    let plaintext = if tls { "" } else { "-plaintext " };
    let (option, grpcurl) = match address {
        Address::Tcp(address) if tls => (format!(" --url {url}"), address.to_string()),
        Address::Tcp(address) if address.port() == 8080 => (String::new(), address.to_string()),
        Address::Tcp(address) => (format!(" --url {url}"), address.to_string()),
        Address::Unix(path) => (format!(" --url {url}"), format!("-unix {}", path.display())),
    };
    format!(
        "\nDevelopment mode: every domain is open to everyone on this machine. Try, in other terminals:\n\n  \
         poke subscribe PLAYLIST playlist-id{option}\n  \
         poke publish PLAYLIST playlist-id Updated{option}\n  \
         grpcurl {plaintext}-d '{{\"domain\":\"PLAYLIST\",\"filter\":\"playlist-id\",\"data\":\"Updated\"}}' {grpcurl} \
         poke.v1.PokeService/Publish\n\n\
         (to install poke: cargo install --profile dist --path client/rust)\n"
    )
}

/// Returns an address that clients on this machine can open: loopback in place of a wildcard, which not every system connects to.
fn reachable(address: &Address) -> Address {
    match address {
        Address::Tcp(SocketAddr::V4(v4)) if v4.ip().is_unspecified() => {
            Address::Tcp((Ipv4Addr::LOCALHOST, v4.port()).into())
        }
        Address::Tcp(SocketAddr::V6(v6)) if v6.ip().is_unspecified() => {
            Address::Tcp((Ipv6Addr::LOCALHOST, v6.port()).into())
        }
        other => other.clone(),
    }
}

fn url(address: &Address, tls: bool) -> String {
    match address {
        Address::Tcp(address) if tls => format!("https://{address}"),
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(_) => address.to_string(),
    }
}

/// What was asked for goes to standard output; the log goes to standard error.
fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn complain(text: &str) {
    // Where even this can't be written, the exit code has to do.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_to_open_is_never_a_wildcard() {
        for (listens, opens) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://[::1]:8080"),
            ("192.0.2.1:8080", "http://192.0.2.1:8080"),
        ] {
            let Ok(address) = listens.parse() else { panic!("{listens} is no address") };
            assert_eq!(url(&reachable(&Address::Tcp(address)), false), opens);
        }
    }
}
