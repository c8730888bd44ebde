//! A server with one service more.

use std::{convert::Infallible, future::pending, net::SocketAddr, sync::Arc};

use http::{Request, Response};
use poke_server::{
    config::{Address, Config},
    metrics::Metrics,
    server::Server,
};
use tokio::sync::watch;
use tonic::{body::Body, server::NamedService};
use tower::Service;

use crate::{Fault, trailers::Trailing};

/// A server that listens on a free port.
pub(crate) struct Bound {
    server: Server,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// Binds a server of this configuration with this service. Its domains are none; nothing else differs from the product.
pub(crate) async fn bind<S>(mut config: Config, service: S) -> Result<Bound, Fault>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: NamedService + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    config.listen.addresses = vec![Address::Tcp(([127, 0, 0, 1], 0).into())];
    config.admin.listen = None;
    let server = Server::bind(config, Arc::new(Metrics::new())).await?.with_service(Trailing(service));
    let Some(&Address::Tcp(address)) = server.addresses().next() else { return Err("no address".into()) };
    Ok(Bound { server, address })
}

impl Bound {
    /// Serves until the process is stopped.
    pub(crate) async fn run(self) -> Result<(), Fault> {
        self.server.run(pending(), watch::channel(()).1).await
    }
}
