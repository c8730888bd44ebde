//! All cells: which are run, how many at once, and what becomes of them.

use std::{any::Any, collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use tokio::{sync::Mutex, time::Duration};

use crate::{
    adapter::Adapter,
    case::Case,
    client::{Client, Folders},
    play::{Failure, play},
    product::{self, Party},
    report::{Cell, Verdict},
};

/// What is to be run.
pub(crate) struct Run<'a> {
    pub(crate) cases: &'a [Case],
    /// What each client publishes to each other.
    pub(crate) product: &'a [Value],
    pub(crate) clients: &'a [Client],
    pub(crate) folders: &'a Folders,
    pub(crate) jobs: usize,
}

/// What came of it.
pub(crate) struct Results {
    pub(crate) cells: Vec<Cell>,
    /// A row is a publisher, a column a subscriber.
    pub(crate) product: Vec<Cell>,
    /// Of each client that ran.
    pub(crate) versions: BTreeMap<String, String>,
}

/// A client that is built and runs, or why it doesn't.
struct Ready<'a> {
    client: &'a Client,
    adapter: Mutex<Arc<Adapter>>,
}

enum Readiness<'a> {
    Ready(Ready<'a>),
    Skip(String),
    Broken(String),
}

impl Run<'_> {
    /// Builds and starts the clients, then plays all cells.
    pub(crate) async fn all(&self) -> Results {
        let mut clients = Vec::new();
        for client in self.clients {
            let ready = self.prepare(client).await;
            match &ready {
                Readiness::Ready(_) => eprintln!("{}: ready", client.name),
                Readiness::Skip(reason) => eprintln!("{}: skipped, {reason}", client.name),
                Readiness::Broken(reason) => eprintln!("{}: FAILED, {reason}", client.name),
            }
            clients.push((client, ready));
        }
        let mut versions = BTreeMap::new();
        for (client, ready) in &clients {
            if let Readiness::Ready(ready) = ready {
                versions.insert(client.name.clone(), ready.adapter.lock().await.version().to_owned());
            }
        }
        // Case by case, so that one client isn't asked for everything at once.
        let clients = &clients;
        let cells =
            self.cases.iter().flat_map(|case| clients.iter().map(move |(client, ready)| (case, *client, ready)));
        let mut cells = stream::iter(cells.enumerate())
            .map(
                |(number, (case, client, ready))| async move { (number, self.cell(number, case, client, ready).await) },
            )
            .buffer_unordered(self.jobs)
            .collect::<Vec<_>>()
            .await;
        cells.sort_by_key(|(number, _)| *number);
        let cells = cells.into_iter().map(|(_, cell)| cell).collect();
        Results { cells, product: self.product(clients).await, versions }
    }

    async fn product(&self, clients: &[(&Client, Readiness<'_>)]) -> Vec<Cell> {
        if self.product.is_empty() {
            return Vec::new();
        }
        let mut parties = Vec::new();
        for (client, ready) in clients {
            if let Readiness::Ready(ready) = ready {
                // One that can't be started anew has failed its cells already.
                let adapter = self.adapter(ready).await;
                parties.extend(adapter.map(|adapter| Party { name: client.name.clone(), adapter }));
            }
        }
        let cells = product::play(&parties, self.product).await;
        for cell in &cells {
            if let Verdict::Fail(reason) = &cell.verdict {
                eprintln!("{} from {}: FAILED, {reason}", cell.client, cell.case);
            }
        }
        cells
    }

    async fn prepare<'a>(&self, client: &'a Client) -> Readiness<'a> {
        if let Some(reason) = client.missing() {
            return Readiness::Skip(reason);
        }
        let started = async {
            client.build(self.folders).await?;
            self.start(client).await
        };
        match started.await {
            Ok(adapter) => Readiness::Ready(Ready { client, adapter: Mutex::new(Arc::new(adapter)) }),
            Err(reason) => Readiness::Broken(reason),
        }
    }

    async fn start(&self, client: &Client) -> Result<Adapter, String> {
        Adapter::start(client.command(self.folders).ok_or("no command")?).await
    }

    async fn cell(&self, number: usize, case: &Case, client: &Client, ready: &Readiness<'_>) -> Cell {
        let started = Instant::now();
        let verdict = match ready {
            Readiness::Skip(reason) => Verdict::Skip(reason.clone()),
            Readiness::Broken(reason) => Verdict::Fail(reason.clone()),
            Readiness::Ready(ready) => match client.lacks(&case.needs) {
                Some(reason) => Verdict::Skip(reason),
                None => self.play(number, case, ready).await,
            },
        };
        let took = started.elapsed();
        if let Verdict::Fail(reason) = &verdict {
            eprintln!("{} / {}: FAILED after {:.1} s, {reason}", client.name, case.name, took.as_secs_f32());
        }
        Cell { client: client.name.clone(), case: case.name.clone(), verdict, took }
    }

    async fn play(&self, number: usize, case: &Case, ready: &Ready<'_>) -> Verdict {
        let adapter = match self.adapter(ready).await {
            Ok(adapter) => adapter,
            Err(reason) => return Verdict::Fail(reason),
        };
        let played = AssertUnwindSafe(play(case, &adapter, format!("{number}-"))).catch_unwind();
        // More than all that a case may wait for.
        match tokio::time::timeout(Duration::from_secs(120), played).await {
            Ok(Ok(Ok(()))) => Verdict::Pass,
            Ok(Ok(Err(Failure::Unsupported(reason)))) => Verdict::Skip(reason),
            Ok(Ok(Err(Failure::Failed(reason)))) => Verdict::Fail(reason),
            Ok(Err(panic)) => Verdict::Fail(message(&*panic)),
            Err(_) => Verdict::Fail("it takes more than two minutes".into()),
        }
    }

    /// The client's adapter; a new one where a case has ended the last.
    async fn adapter(&self, ready: &Ready<'_>) -> Result<Arc<Adapter>, String> {
        let mut adapter = ready.adapter.lock().await;
        if adapter.is_over() {
            *adapter = Arc::new(self.start(ready.client).await?);
        }
        Ok(Arc::clone(&adapter))
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
