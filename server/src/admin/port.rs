//! The admin port's address, which a server leaves to its successor.

use std::{sync::Arc, time::Duration};

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
    /// How long its owner is expected to take.
    wait: Duration,
}

impl AdminAddress {
    /// Binds the address. If another process has it and `wait` isn't zero, leaves it for later: clients needn't wait for
    /// the operators' port.
    pub(crate) async fn bind(address: &Address, wait: Duration) -> Result<Self, BindError> {
        match Listener::bind(address, Duration::ZERO).await {
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
        let first = Arc::new(Mutex::new(listener));
        let (to_serve, of) = (Arc::clone(&serve), address.clone());
        tasks.spawn(BackgroundTask::Admin, move || {
            let (serve, address, first) = (Arc::clone(&to_serve), of.clone(), Arc::clone(&first));
            async move {
                let listener = first.lock().take();
                let listener = match listener {
                    Some(listener) => listener,
                    None => take(&address, wait).await,
                };
                serve(listener).await;
            }
        });
        Self { address, serve, tasks }
    }

    /// Leaves the address to a successor, whose readiness and metrics it then tells. If there is none, serves again: a
    /// drain can be watched to its end. Connections that are open go on.
    pub(crate) async fn leave(&mut self) {
        self.tasks.shutdown().await;
        let (serve, address) = (Arc::clone(&self.serve), self.address.clone());
        self.tasks.spawn(BackgroundTask::Admin, move || {
            let (serve, address) = (Arc::clone(&serve), address.clone());
            async move {
                sleep(HANDOVER).await;
                let mut is_told = false;
                loop {
                    match Listener::bind(&address, Duration::ZERO).await {
                        Ok(listener) => return serve(listener).await,
                        Err(error) if !std::mem::replace(&mut is_told, true) => {
                            tracing::info!(%error, "the admin port is another process's now, or can't be bound");
                        }
                        Err(_) => {}
                    }
                    sleep(PATIENT_RETRY).await;
                }
            }
        });
    }
}

/// Binds the address as soon as that is possible.
async fn take(address: &Address, wait: Duration) -> Listener {
    let expected = Instant::now() + wait;
    let mut last = Listener::bind(address, Duration::ZERO).await;
    if let Err(error) = &last {
        tracing::info!(%error, "the server works without its admin port until the address is free");
    }
    let mut is_late = false;
    loop {
        match last {
            Ok(listener) => {
                tracing::info!(%address, "the admin port was taken over");
                return listener;
            }
            Err(error) if Instant::now() >= expected => {
                if !std::mem::replace(&mut is_late, true) {
                    tracing::error!(%error, ?wait, "the server still has no admin port");
                }
                sleep(PATIENT_RETRY).await;
            }
            Err(_) => sleep(RETRY).await,
        }
        last = Listener::bind(address, Duration::ZERO).await;
    }
}
