//! A running `poke-server`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tonic::transport::{Channel, Endpoint};

use crate::{
    Config, Metrics, Publisher, Stream, binary, eventually, http,
    v1::{Subscription, poke_service_client::PokeServiceClient},
    within,
};

/// A server process. Dropping it kills it, and fails the test if its log holds a panic or an error that the test
/// hasn't allowed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    scheme: &'static str,
    admin: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    folder: PathBuf,
    errors_allowed: bool,
}

impl Server {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// When it doesn't.
    pub async fn start(config: Config) -> Self {
        let folder = new_folder();
        Self::spawn(configured(&config, &folder), folder).await
    }

    /// Starts a server whose output goes anywhere, and waits until it is ready. Its addresses are known by other ways
    /// than its output: by its ready file, and by the choice of a free port.
    ///
    /// # Panics
    /// When it can't be started.
    pub async fn start_with_output(config: Config, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Self {
        let folder = new_folder();
        let admin = free_address();
        let ready_file = folder.join("ready");
        let mut command = configured(&config.admin(admin), &folder);
        command.arg("--ready-file").arg(&ready_file);
        let child = command.stdout(stdout).stderr(stderr).spawn().expect("poke-server can be run");
        let url = eventually("the server's ready file", async || {
            let text = fs::read_to_string(&ready_file).ok()?;
            text.strip_suffix('\n')?.strip_prefix("http://")?.parse().ok()
        })
        .await;
        let server = Self {
            child,
            address: url,
            scheme: "http",
            admin,
            log: Arc::default(),
            readers: Vec::new(),
            folder,
            errors_allowed: false,
        };
        server.ready().await;
        server
    }

    /// Starts a server without a configuration, as a developer does, and waits until it listens.
    ///
    /// # Panics
    /// When it doesn't.
    pub async fn start_in_development() -> Self {
        Self::start_in_development_on("127.0.0.1:0").await
    }

    /// As [`Server::start_in_development`], on these addresses, of which one is TCP.
    ///
    /// # Panics
    /// When it doesn't start.
    pub async fn start_in_development_on(addresses: &str) -> Self {
        let mut command = Command::new(binary("poke-server"));
        command.stdin(Stdio::null()).args(Config::without_domains().listen(addresses).addresses());
        Self::spawn(command, new_folder()).await
    }

    /// A folder of its own, which goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    async fn spawn(mut command: Command, folder: PathBuf) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("poke-server can be run");
        let log = Arc::default();
        let readers = vec![
            follow(child.stdout.take().expect("stdout is piped"), &log),
            follow(child.stderr.take().expect("stderr is piped"), &log),
        ];
        let (address, scheme, admin) = eventually("the server to listen", async || {
            let lines = lock(&log);
            let ended = child.try_wait().expect("the server is our child");
            assert!(ended.is_none(), "the server didn't start: {ended:?} {lines:#?}");
            let plain = announced(&lines, "listening on http://").map(|address| (address, "http"));
            let (address, scheme) = plain.or_else(|| Some((announced(&lines, "listening on https://")?, "https")))?;
            Some((address, scheme, announced(&lines, "admin on http://")?))
        })
        .await;
        Self { child, address, scheme, admin, log, readers, folder, errors_allowed: false }
    }

    /// Where gRPC, gRPC-Web and Connect are spoken.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The same without a scheme.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection.
    pub async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(self.url()).expect("a valid URL");
        within("a connection", endpoint.connect()).await.expect("the server accepts")
    }

    /// A client on a new connection.
    pub async fn connect(&self) -> PokeServiceClient<Channel> {
        PokeServiceClient::new(self.channel().await)
    }

    /// A publisher on a new connection.
    pub async fn publisher(&self) -> Publisher {
        Publisher::new(self.channel().await)
    }

    /// A Subscribe on a connection of its own.
    pub async fn subscribe(&self, subscriptions: impl IntoIterator<Item = Subscription>) -> Stream {
        Stream::open(&mut self.connect().await, subscriptions).await
    }

    /// `GET` on the admin port.
    pub async fn admin(&self, path: &str) -> http::Answer {
        http::get(&format!("http://{}{path}", self.admin)).await
    }

    /// `GET` on the admin port; `None` while nobody listens there.
    pub async fn admin_if_open(&self, path: &str) -> Option<http::Answer> {
        http::try_send(http::request(&format!("http://{}{path}", self.admin))).await.ok()
    }

    /// The admin port.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// A reading of the metrics.
    pub async fn metrics(&self) -> Metrics {
        Metrics::parse(&self.admin("/metrics").await.text())
    }

    /// Waits until a metric's sum satisfies the condition.
    pub async fn metric_becomes(&self, name: &str, mut condition: impl FnMut(f64) -> bool) {
        eventually(name, async || condition(self.metrics().await.sum(name)).then_some(())).await;
    }

    /// Asks the server to go away, as an orchestrator does.
    pub fn sigterm(&self) {
        signal(self.pid(), "TERM");
    }

    /// Asks the server to read again what it can.
    pub fn sighup(&self) {
        signal(self.pid(), "HUP");
    }

    /// Writes its configuration file anew.
    ///
    /// # Panics
    /// When that isn't possible.
    pub fn rewrite(&self, config: &Config) {
        self.rewrite_as(&config.file());
    }

    /// Writes anything into its configuration file.
    ///
    /// # Panics
    /// When that isn't possible.
    pub fn rewrite_as(&self, text: &str) {
        fs::write(self.folder.join("poke.toml"), text).expect("the temporary folder is writable");
    }

    /// Ends the server as a crash does, and waits until it is gone.
    pub async fn kill9(&mut self) {
        self.child.kill().expect("the server runs");
        self.exited().await;
    }

    /// Starts a successor on the same addresses, the admin port's included, and asks this one to go away: the deploy that
    /// README describes. Waits until the successor has both addresses.
    pub async fn replace(&self, config: Config) -> Self {
        let config = config.listen(self.address).admin(self.admin).text("listen.wait", "60s");
        let successor = tokio::join!(Self::start(config), async { self.sigterm() }).0;
        // This one fails readiness as it drains, so that only the successor can be the one that is ready.
        successor.ready().await;
        successor
    }

    /// Waits until the admin port says that the server is ready.
    pub async fn ready(&self) {
        eventually("the server to be ready", async || {
            self.admin_if_open("/readyz").await.filter(|answer| answer.status == 200).map(drop)
        })
        .await;
    }

    /// Waits until the process has ended.
    pub async fn exited(&mut self) -> ExitStatus {
        eventually("the server to exit", async || self.child.try_wait().expect("the server is our child")).await
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("the server is our child").is_none()
    }

    /// The log so far, a line each.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    /// Lets the log hold errors: for tests that provoke them.
    pub fn allow_errors(&mut self) {
        self.errors_allowed = true;
    }

    /// Resident memory in bytes.
    #[must_use]
    pub fn rss(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// The highest resident memory so far, in bytes.
    #[must_use]
    pub fn peak_rss(&self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    /// Processor time that it has taken so far, in ticks of the kernel's clock.
    #[must_use]
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the server runs");
        // Behind the name, which may hold anything but is in brackets: user time is the 12th, system time the 13th.
        let (_, fields) = stat.rsplit_once(')').expect("Linux brackets the name");
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number of ticks")).sum()
    }

    /// Open file descriptors.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the server runs").count()
    }

    /// Lets the process have this many open files, and no more.
    ///
    /// # Panics
    /// When the system doesn't allow that.
    pub fn limit_descriptors(&self, count: usize) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let count = Some(count as u64);
        prlimit(pid, Resource::Nofile, Rlimit { current: count, maximum: count }).expect("it is our child");
    }

    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the server runs");
        let line = status.lines().find(|line| line.starts_with(field)).expect("Linux has the field");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // All of it can fail only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
        let _ = fs::remove_dir_all(&self.folder);
        let faults: Vec<_> = self.log().into_iter().filter(|line| is_fault(line, self.errors_allowed)).collect();
        if thread::panicking() {
            // The test has failed already: the log says why.
            self.log().iter().rev().take(40).rev().for_each(|line| println!("server: {line}"));
        } else {
            assert!(faults.is_empty(), "the server's log holds faults: {faults:#?}");
        }
    }
}

/// The command of a server that is configured by a file in its folder.
fn configured(config: &Config, folder: &Path) -> Command {
    let file = folder.join("poke.toml");
    fs::write(&file, config.file()).expect("the temporary folder is writable");
    let mut command = Command::new(binary("poke-server"));
    command.stdin(Stdio::null()).arg("--config").arg(&file).args(config.addresses());
    command
}

/// An address on loopback that was free just now. Nothing else in these tests uses this IP address, so that its port
/// isn't given to anybody else meanwhile.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.2:0").expect("there is a free port");
    listener.local_addr().expect("it is bound")
}

/// Sends a signal to a process.
///
/// # Panics
/// When that isn't possible.
fn signal(pid: u32, name: &str) {
    let sent = std::process::Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIG{name} to {pid} failed");
}

fn is_fault(line: &str, errors_allowed: bool) -> bool {
    let panicked = line.contains("panicked at");
    let error = line.contains("ERROR") || line.contains("\"level\":\"error\"");
    panicked || (error && !errors_allowed)
}

fn announced(lines: &[String], words: &str) -> Option<SocketAddr> {
    let rest = lines.iter().find_map(|line| line.split_once(words))?.1;
    rest.split(|c: char| !(c.is_ascii_digit() || ".:[]".contains(c))).next()?.parse().ok()
}

fn follow(output: impl Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lock(&log).push(line);
        }
    })
}

fn lock(log: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    log.lock().expect("nobody panics while holding the log")
}

/// An empty folder of its own.
pub(crate) fn new_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("poke-tests-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("the temporary folder is writable");
    folder
}
