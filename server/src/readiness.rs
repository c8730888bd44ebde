//! The server's readiness for calls, which `/readyz` and gRPC's health service return.

use tokio::sync::Mutex;
use tonic::server::NamedService;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    backplane::Memory,
    metrics::{BackgroundTask, Label as _},
    service::PokeService,
};

/// Names under which gRPC's health service is asked: one service, and the whole server.
const SERVICES: [&str; 2] = [PokeService::<Memory>::NAME, ""];

/// Reasons why the server shouldn't get calls; without any it is ready.
pub struct Readiness {
    reasons: Mutex<Reasons>,
    health: HealthReporter,
}

#[derive(Default)]
struct Reasons {
    is_draining: bool,
    failed: Vec<BackgroundTask>,
}

impl Readiness {
    /// Of a server that is ready. `health` tells it from now on.
    pub async fn new(health: HealthReporter) -> Self {
        let readiness = Self { reasons: Mutex::default(), health };
        readiness.report(ServingStatus::Serving).await;
        readiness
    }

    /// Returns the reasons why the server shouldn't get calls, a line for each. Empty if it is ready.
    pub(crate) async fn reasons(&self) -> String {
        let reasons = self.reasons.lock().await;
        let draining = reasons.is_draining.then(|| "draining\n".to_owned());
        let failed = reasons.failed.iter().map(|task| format!("the background task {} has failed\n", task.name()));
        draining.into_iter().chain(failed).collect()
    }

    /// Notes that the server is going away.
    pub(crate) async fn drain(&self) {
        let mut reasons = self.reasons.lock().await;
        reasons.is_draining = true;
        self.report(ServingStatus::NotServing).await;
    }

    /// Notes that a background task has died.
    pub(crate) async fn fail(&self, task: BackgroundTask) {
        let mut reasons = self.reasons.lock().await;
        if !reasons.is_draining {
            self.report(ServingStatus::NotServing).await;
        }
        reasons.failed.push(task);
    }

    /// Notes that a background task runs again.
    pub(crate) async fn recover(&self, task: BackgroundTask) {
        let mut reasons = self.reasons.lock().await;
        if let Some(place) = reasons.failed.iter().position(|failed| *failed == task) {
            reasons.failed.swap_remove(place);
        }
        if !reasons.is_draining && reasons.failed.is_empty() {
            self.report(ServingStatus::Serving).await;
        }
    }

    /// Ends all watches of health: they have said all that there is to say, and would go on for ever.
    pub(crate) async fn end_watches(&self) {
        let _reasons = self.reasons.lock().await;
        for service in SERVICES {
            self.health.clone().clear_service_status(service).await;
        }
    }

    /// The caller holds the lock, so that reports come in the order of what they report.
    async fn report(&self, status: ServingStatus) {
        for service in SERVICES {
            self.health.set_service_status(service, status).await;
        }
    }
}
