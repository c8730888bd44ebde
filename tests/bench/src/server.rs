//! The servers that are measured: how each is started, and what it speaks.

use std::{
    env,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{Fault, pinning::Pinning, tls::Identity, wire::Wire};

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

    /// Whether it can encrypt.
    pub(crate) fn has_tls(self) -> bool {
        self != Self::Floor
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
        let version = text.lines().next().unwrap_or_default().trim().to_owned();
        match env::var("BENCH_COMMIT") {
            Ok(commit) if self == Self::Poke && !commit.is_empty() => format!("{version} ({commit})"),
            _ => version,
        }
    }
}

/// The version of a dependency.
fn locked(name: &str) -> &'static str {
    let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"));
    let after = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}

/// See [`Setup::hurried`].
pub(crate) const HURRY: u32 = 10;
/// A tenth of what they are by default, 20 s and 30 s.
const HURRIED: [&str; 4] = ["--stream.heartbeat-interval", "2s", "--limits.keepalive-interval", "3s"];

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    /// It encrypts with this.
    pub(crate) tls: Option<&'a Identity>,
    /// Its heartbeats and pings come [`HURRY`] times as often as by default; only of the product.
    pub(crate) hurried: bool,
    /// It has a processor of its own.
    pub(crate) pinning: Option<&'a Pinning>,
    /// The program, in place of the one that is found.
    pub(crate) program: Option<&'a Path>,
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
    pub(crate) fn start(kind: Kind, setup: Setup<'_>, logs: &Path) -> Result<Self, Fault> {
        let found = setup.program.map(Path::to_owned).or_else(|| kind.find());
        let program = found.ok_or_else(|| format!("{} isn't installed", kind.name()))?;
        let folder = env::temp_dir().join(format!("poke-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let ports = free_ports()?;
        let [subscribe, publish, _] = ports;
        let publish = if kind == Kind::Centrifugo { publish } else { subscribe };
        let log =
            fs::OpenOptions::new().create(true).append(true).open(logs.join(format!("{}.log", kind.program())))?;
        let mut command = Command::new(program);
        command.args(arguments(kind, ports, setup, &folder)?);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = match setup.pinning {
            Some(pinning) => pinning.spawn(|| command.spawn())?,
            None => command.spawn()?,
        };
        let mut server = Self { child, subscribe, publish, folder };
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

/// What a program is started with. A file that it needs goes to `folder`.
fn arguments(
    kind: Kind,
    [subscribe, publish, other]: [SocketAddr; 3],
    Setup { tls, hurried, .. }: Setup<'_>,
    folder: &Path,
) -> Result<Vec<OsString>, Fault> {
    let configuration = match kind {
        Kind::Poke => {
            let plain = ["--listen".into(), subscribe.to_string().into(), "--admin".into(), other.to_string().into()];
            let tls = tls.map(|Identity { certificate, key, .. }| {
                ["--tls.certificate".into(), certificate.into(), "--tls.key".into(), key.into()]
            });
            let hurried = if hurried { &HURRIED[..] } else { &[] };
            let more = tls.into_iter().flatten().chain(hurried.iter().map(OsString::from));
            return Ok(plain.into_iter().chain(more).collect());
        }
        Kind::Naive | Kind::Floor => {
            let tls = tls.map(|Identity { certificate, key, .. }| [certificate.into(), key.into()]);
            return Ok(std::iter::once(subscribe.to_string().into()).chain(tls.into_iter().flatten()).collect());
        }
        Kind::Nats => nats(subscribe, tls),
        Kind::Mosquitto => mosquitto(subscribe, tls),
        Kind::Centrifugo => centrifugo([subscribe, publish, other], tls).to_string(),
    };
    // Centrifugo tells the format by the name's end; the others don't look.
    let file = folder.join(format!("{}.json", kind.program()));
    fs::write(&file, configuration)?;
    Ok(vec!["-c".into(), file.into()])
}

fn nats(listen: SocketAddr, tls: Option<&Identity>) -> String {
    // By default the server says INFO first, in plaintext.
    let tls = tls.map_or_else(String::new, |Identity { certificate, key, .. }| {
        format!("tls {{ cert_file: {certificate:?}, key_file: {key:?}, handshake_first: true }}\n")
    });
    format!("listen: {listen}\n{tls}")
}

fn mosquitto(listen: SocketAddr, tls: Option<&Identity>) -> String {
    let tls = tls.map_or_else(String::new, |Identity { certificate, key, .. }| {
        format!("certfile {}\nkeyfile {}\n", certificate.display(), key.display())
    });
    let rest = "allow_anonymous true\nset_tcp_nodelay true\nlog_dest stderr\nlog_type error\n";
    format!("listener {} {}\n{tls}{rest}", listen.port(), listen.ip())
}

fn centrifugo([subscribe, publish, http]: [SocketAddr; 3], tls: Option<&Identity>) -> serde_json::Value {
    let tls = tls.map_or(
        json!({}),
        |Identity { certificate, key, .. }| json!({ "enabled": true, "cert_pem": certificate, "key_pem": key }),
    );
    json!({
        "http_server": { "address": "127.0.0.1", "port": http.port().to_string() },
        "uni_grpc": { "enabled": true, "address": "127.0.0.1", "port": subscribe.port(), "tls": tls },
        "grpc_api": { "enabled": true, "address": "127.0.0.1", "port": publish.port(), "tls": tls },
        "client": { "insecure": true, "channel_limit": 1000 },
        "channel": { "without_namespace": { "allow_subscribe_for_client": true } },
        "log": { "level": "warn" },
    })
}
