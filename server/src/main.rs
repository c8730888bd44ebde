//! `poke-server`: reads its configuration, listens, serves until it is told to stop, and drains.

use std::{
    env, fs,
    io::{self, Write as _},
    process::ExitCode,
};

use poke_server::{
    config::{Address, Invocation, Task, Usage},
    log,
    server::Server,
};
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a command line or a configuration that can't be followed, as shells have it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Invocation::read(env::args_os(), env::vars()) {
        Ok(invocation) => match start(invocation) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&format!("poke-server: {error}\n"), ExitCode::FAILURE),
        },
        Err(Usage::CommandLine(error)) => error.exit(),
        Err(Usage::Config(mistakes)) => complain(&format!("{mistakes}\n"), USAGE.into()),
    }
}

fn start(invocation: Invocation) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match invocation.task {
        Task::CheckConfig => say("the configuration is valid\n")?,
        Task::PrintConfig => say(&invocation.config.to_toml())?,
        Task::Serve => {
            if invocation.dev {
                refuse_strangers(&invocation.config.listen.addresses)?;
            }
            log::start(&invocation.config.log);
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(invocation))?;
        }
    }
    Ok(())
}

async fn serve(invocation: Invocation) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Before anything is announced: whoever starts us may stop us at once.
    let stop = stop()?;
    let server = Server::bind(invocation.config).await?;
    let addresses: Vec<_> = server.addresses().cloned().collect();
    if !invocation.dev && addresses.iter().any(|address| !address.is_local()) {
        tracing::warn!("there is no authentication yet: whoever reaches this server can publish and listen");
    }
    for address in &addresses {
        say(&format!("listening on {}\n", url(address)))?;
    }
    if let Some(admin) = server.admin_address() {
        say(&format!("health, readiness and metrics on {}\n", url(admin)))?;
    }
    if let (true, Some(address)) = (invocation.dev, addresses.first()) {
        say(&greeting(address))?;
    }
    if let Some(path) = &invocation.ready_file {
        fs::write(path, addresses.iter().map(|address| url(address) + "\n").collect::<String>())?;
    }
    server.run(stop).await
}

/// Ready at the first SIGTERM or SIGINT. The second ends the process at once.
fn stop() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
            tracing::warn!("told twice to stop: stopping at once");
            std::process::exit(1);
        });
    })
}

/// Development mode opens every domain to everyone, so it must stay on this machine.
fn refuse_strangers(addresses: &[Address]) -> Result<(), String> {
    match addresses.iter().find(|address| !address.is_local()) {
        Some(address) => Err(format!(
            "{address} can be reached from other machines, but without a configuration file every domain is open to \
             everyone: name the domains in a file and pass it with --config"
        )),
        None => Ok(()),
    }
}

fn url(address: &Address) -> String {
    match address {
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(_) => address.to_string(),
    }
}

fn greeting(address: &Address) -> String {
    let url = url(address);
    let (option, grpcurl) = match address {
        Address::Tcp(address) if address.port() == 8080 => (String::new(), address.to_string()),
        Address::Tcp(address) => (format!(" --url {url}"), address.to_string()),
        Address::Unix(path) => (format!(" --url {url}"), format!("-unix {}", path.display())),
    };
    format!(
        "\nDevelopment mode: every domain is open to everyone on this machine. Try, in other terminals:\n\n  \
         poke subscribe PLAYLIST playlist-id{option}\n  \
         poke publish PLAYLIST playlist-id Updated{option}\n  \
         grpcurl -plaintext -d '{{\"domain\":\"PLAYLIST\",\"filter\":\"playlist-id\",\"data\":\"Updated\"}}' {grpcurl} \
         poke.v1.PokeService/Publish\n\n\
         (poke is built by: cargo install --path client/rust)\n"
    )
}

/// What was asked for goes to standard output; the log goes to standard error.
fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn complain(text: &str, code: ExitCode) -> ExitCode {
    // Where even this can't be written, the code has to do.
    let _ = io::stderr().write_all(text.as_bytes());
    code
}
