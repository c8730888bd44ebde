//! The servers that are measured: how each is started, and what it speaks.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{Fault, wire::Wire};

const START_PATIENCE: Duration = Duration::from_secs(10);

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The product.
    Poke,
    /// tonic's generated service with tokio's broadcast channel.
    Naive,
    /// Plain TCP.
    Floor,
    /// nats-server.
    Nats,
    /// Centrifugo.
    Centrifugo,
    /// Mosquitto.
    Mosquitto,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Poke, Self::Naive, Self::Floor, Self::Nats, Self::Centrifugo, Self::Mosquitto];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Poke => "poke-server",
            Self::Naive => "naive tonic",
            Self::Floor => "TCP floor",
            Self::Nats => "nats-server",
            Self::Centrifugo => "centrifugo",
            Self::Mosquitto => "mosquitto",
        }
    }

    pub(crate) fn wire(self) -> Wire {
        match self {
            Self::Poke | Self::Naive => Wire::Poke,
            Self::Floor => Wire::Raw,
            Self::Nats => Wire::Nats,
            Self::Centrifugo => Wire::Centrifugo,
            Self::Mosquitto => Wire::Mqtt,
        }
    }

    /// Whether one connection carries several subscriptions of one interest.
    pub(crate) fn has_streams(self) -> bool {
        !matches!(self, Self::Floor | Self::Mosquitto)
    }

    fn program(self) -> &'static str {
        match self {
            Self::Poke => "poke-server",
            Self::Naive => "poke-bench-naive",
            Self::Floor => "poke-bench-floor",
            Self::Nats => "nats-server",
            Self::Centrifugo => "centrifugo",
            Self::Mosquitto => "mosquitto",
        }
    }

    /// Where its program is: beside this one, or on the PATH.
    pub(crate) fn find(self) -> Option<PathBuf> {
        let beside = env::current_exe().ok()?.parent()?.to_owned();
        let path = env::var_os("PATH")?;
        let system = [PathBuf::from("/usr/sbin")];
        let mut folders = std::iter::once(beside).chain(env::split_paths(&path)).chain(system);
        folders.find_map(|folder| Some(folder.join(self.program())).filter(|file| file.is_file()))
    }

    /// What it calls itself.
    pub(crate) fn version(self) -> String {
        let argument = match self {
            Self::Naive | Self::Floor => return format!("tonic {}", locked("tonic")),
            Self::Centrifugo => "version",
            Self::Mosquitto => "-h",
            Self::Poke | Self::Nats => "--version",
        };
        let output = self.find().and_then(|program| Command::new(program).arg(argument).output().ok());
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        text.lines().next().unwrap_or_default().trim().to_owned()
    }
}

/// The version of a dependency.
fn locked(name: &str) -> &'static str {
    let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"));
    let after = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) subscribe: SocketAddr,
    pub(crate) publish: SocketAddr,
    folder: PathBuf,
}

impl Server {
    /// Starts one on free ports of loopback, and waits until it accepts. Its output goes to `logs`.
    pub(crate) fn start(kind: Kind, logs: &Path) -> Result<Self, Fault> {
        let program = kind.find().ok_or_else(|| format!("{} isn't installed", kind.name()))?;
        let folder = env::temp_dir().join(format!("poke-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let [subscribe, publish, other] = free_ports()?;
        let mut command = Command::new(program);
        let mut publish_to = subscribe;
        match kind {
            Kind::Poke => {
                command.args(["--listen", &subscribe.to_string(), "--admin", &other.to_string()]);
            }
            Kind::Naive | Kind::Floor => {
                command.arg(subscribe.to_string());
            }
            Kind::Nats => {
                command.args(["--addr", "127.0.0.1", "--port", &subscribe.port().to_string()]);
            }
            Kind::Mosquitto => {
                let file = folder.join("mosquitto.conf");
                // Its own default drops what a slow client hasn't read: 1,000 messages are kept here.
                let text = format!(
                    "listener {} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_dest stderr\nlog_type error\n",
                    subscribe.port()
                );
                fs::write(&file, text)?;
                command.arg("-c").arg(file);
            }
            Kind::Centrifugo => {
                publish_to = publish;
                let file = folder.join("centrifugo.json");
                fs::write(&file, centrifugo(subscribe, publish, other).to_string())?;
                command.arg("-c").arg(file);
            }
        }
        let log =
            fs::OpenOptions::new().create(true).append(true).open(logs.join(format!("{}.log", kind.program())))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut server = Self { child, subscribe, publish: publish_to, folder };
        server.accepting(kind)?;
        Ok(server)
    }

    fn accepting(&mut self, kind: Kind) -> Result<(), Fault> {
        let begun = Instant::now();
        for address in [self.subscribe, self.publish] {
            while TcpStream::connect(address).is_err() {
                if let Some(status) = self.child.try_wait()? {
                    return Err(format!("{} has exited: {status}", kind.name()).into());
                }
                if begun.elapsed() > START_PATIENCE {
                    return Err(format!("{} doesn't accept", kind.name()).into());
                }
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // They fail only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_ports() -> Result<[SocketAddr; 3], Fault> {
    let listeners = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let [a, b, c] = listeners;
    Ok([a?.local_addr()?, b?.local_addr()?, c?.local_addr()?])
}

fn centrifugo(subscribe: SocketAddr, publish: SocketAddr, http: SocketAddr) -> serde_json::Value {
    json!({
        "http_server": { "address": "127.0.0.1", "port": http.port().to_string() },
        "uni_grpc": { "enabled": true, "address": "127.0.0.1", "port": subscribe.port() },
        "grpc_api": { "enabled": true, "address": "127.0.0.1", "port": publish.port() },
        "client": { "insecure": true, "channel_limit": 1000 },
        "channel": { "without_namespace": { "allow_subscribe_for_client": true } },
        "log": { "level": "warn" },
    })
}
