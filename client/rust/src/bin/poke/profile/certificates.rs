//! The certificates of a connection: whom to trust, and which to present.

use std::path::{Path, PathBuf};

use super::{Read, shown};
use crate::failure::Failure;

/// The files, as the command line, the environment or a profile names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct Files {
    /// Trust the authorities in this PEM file, and no others [env: POKE_CA] [default: the system's]
    #[arg(long, global = true, value_name = "PATH")]
    pub(super) ca: Option<PathBuf>,
    /// Present this certificate, a PEM file, to a server that asks for one [env: POKE_CERT]
    #[arg(long, global = true, value_name = "PATH")]
    pub(super) cert: Option<PathBuf>,
    /// Its private key, a PEM file [env: POKE_CERT_KEY] [default: the certificate's own file]
    #[arg(long, global = true, value_name = "PATH", requires = "cert")]
    pub(super) cert_key: Option<PathBuf>,
}

impl Files {
    /// What these leave out, `others` give. A certificate and its key belong together.
    pub(super) fn or(self, others: Self) -> Self {
        let Self { cert, cert_key, .. } = if self.cert.is_some() { self.clone() } else { others.clone() };
        Self { ca: self.ca.or(others.ca), cert, cert_key }
    }

    pub(super) fn map(&self, place: impl Fn(&Path) -> PathBuf) -> Self {
        let place = |path: &Option<PathBuf>| path.as_deref().map(&place);
        Self { ca: place(&self.ca), cert: place(&self.cert), cert_key: place(&self.cert_key) }
    }

    pub(super) fn read(&self, read: Read<'_>) -> Result<Certificates, Failure> {
        let read = |path: &PathBuf| {
            read(path).map_err(|error| Failure::usage(format_args!("can't read {}: {error}", shown(path.display()))))
        };
        let own = match (&self.cert, &self.cert_key) {
            (Some(cert), key) => Some((read(cert)?, read(key.as_ref().unwrap_or(cert))?)),
            (None, Some(_)) => return Err(Failure::usage("a cert_key needs its cert")),
            (None, None) => None,
        };
        Ok(Certificates { authorities: self.ca.as_ref().map(read).transpose()?, own })
    }
}

/// What the files hold: PEM.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Certificates {
    /// Those of the authorities to trust; without them the system's.
    pub(crate) authorities: Option<String>,
    /// The one to present, and its key.
    pub(crate) own: Option<(String, String)>,
}
