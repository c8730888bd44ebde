//! The admin port's address, which a server leaves to its successor.

use std::{mem, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::{
    config::Address,
    connection::{BindError, Listener},
    metrics::BackgroundTask,
    supervisor::Supervisor,
};

/// Pause before a taken address is tried again, while its owner is expected to leave it and afterwards.
const RETRY: Duration = Duration::from_millis(20);
const PATIENT_RETRY: Duration = Duration::from_secs(1);

/// Time that a successor has for taking the address. Successors try it every 20 ms.
const HANDOVER: Duration = Duration::from_millis(500);

/// The address of the admin port: bound, or to be taken when another process leaves it.
#[derive(Debug)]
pub(crate) struct AdminAddress {
    pub(crate) address: Address,
    pub(crate) listener: Option<Listener>,
    /// Time within which the process that has it is expected to leave it.
    wait: Duration,
}

impl AdminAddress {
    /// Binds the address. If another process has it and `wait` isn't zero, leaves it for later: clients needn't wait for
    /// the operators' port.
    pub(crate) async fn bind(address: &Address, wait: Duration) -> Result<Self, BindError> {
        match Listener::bind(address).await {
            Ok(listener) => Ok(Self { address: listener.address().clone(), listener: Some(listener), wait }),
            Err(error) if error.is_in_use() && !wait.is_zero() => {
                Ok(Self { address: address.clone(), listener: None, wait })
            }
            Err(error) => Err(error),
        }
    }
}

/// Accepts connections from a listener, until it is dropped.
pub(crate) type Serve = Arc<dyn Fn(Listener) -> BoxFuture<'static, ()> + Send + Sync>;

/// The admin port, which accepts connections in the background.
pub(crate) struct AdminPort {
    address: Address,
    serve: Serve,
    tasks: Supervisor,
}

impl AdminPort {
    /// Starts to serve, now or as soon as the address is free.
    pub(crate) fn open(address: AdminAddress, serve: Serve, mut tasks: Supervisor) -> Self {
        let AdminAddress { address, listener, wait } = address;
        let state = (Arc::clone(&serve), address.clone(), Arc::new(Mutex::new(listener)));
        tasks.spawn(BackgroundTask::Admin, state, move |(serve, address, first)| async move {
            let bound = first.lock().take();
            let listener = match bound {
                Some(listener) => listener,
                None => take(&address, wait).await,
            };
            serve(listener).await;
        });
        Self { address, serve, tasks }
    }

    /// Leaves the address to a successor, whose readiness and metrics it then tells. If there is none, serves again: a
    /// drain can be watched to its end. Connections that are open go on.
    pub(crate) async fn leave(&mut self) {
        self.tasks.shutdown().await;
        let state = (Arc::clone(&self.serve), self.address.clone());
        self.tasks.spawn(BackgroundTask::Admin, state, |(serve, address)| async move {
            sleep(HANDOVER).await;
            serve(take_back(&address).await).await;
        });
    }
}

/// Takes the address over from a process that is expected to leave it within `wait`.
async fn take(address: &Address, wait: Duration) -> Listener {
    let expected = Instant::now() + wait;
    let (mut is_told, mut is_late) = (false, false);
    let listener = bind_when_free(address, |error| {
        if !mem::replace(&mut is_told, true) {
            tracing::info!(%error, "the server works without its admin port until the address is free");
        }
        if Instant::now() < expected {
            return RETRY;
        }
        if !mem::replace(&mut is_late, true) {
            tracing::error!(%error, ?wait, "the server still has no admin port");
        }
        PATIENT_RETRY
    })
    .await;
    tracing::info!(%address, "the admin port was taken over");
    listener
}

/// Binds the address again, unless another process has it for as long as this one lives.
async fn take_back(address: &Address) -> Listener {
    let mut is_told = false;
    bind_when_free(address, |error| {
        if !mem::replace(&mut is_told, true) {
            tracing::info!(%error, "the admin port is another process's now, or can't be bound");
        }
        PATIENT_RETRY
    })
    .await
}

/// Binds the address as soon as that is possible. `pause` returns the time to wait after a failure.
async fn bind_when_free(address: &Address, mut pause: impl FnMut(BindError) -> Duration + Send) -> Listener {
    loop {
        match Listener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => sleep(pause(error)).await,
        }
    }
}
