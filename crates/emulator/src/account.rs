//! One AWS account that lives here. Owns putting its services together over one store of state; every service's own rules
//! live in its module.

use std::{
    fmt,
    future::Future,
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::net::TcpListener;

use crate::cloudfront::{CloudFrontError, CloudFrontService};
use crate::database::{Database, DatabaseError};
use crate::documents::{Documents, StoredDocuments};
use crate::http::{InProcess, Router};
use crate::iam::{IamClock, IamError, IamService};
use crate::parameters::ParameterStore;
use crate::s3::{self, ObjectStore};
use crate::secrets::Secrets;
use crate::sts::StsService;

/// The file in an account's directory that holds everything but larger bodies.
const DATABASE_FILE: &str = "tidegate.redb";

/// The directory in an account's directory that holds larger bodies.
const BODIES_DIRECTORY: &str = "bodies";

/// Why an account could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or used.
    #[error("the directory `{}` cannot be used: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process, or another account of this process, has it open.
    #[error("`{}` is in use by another process: stop the other tidegate, or choose another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file is not a database, or a broken one.
    #[error("the database in `{}` cannot be opened: {source}; delete the directory to start anew", path.display())]
    Database {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: Box<redb::DatabaseError>,
    },
    /// The database opened, but not what is in it.
    #[error(transparent)]
    Storage(#[from] DatabaseError),
    /// The identities in it cannot be read.
    #[error(transparent)]
    Identities(#[from] IamError),
    /// The distributions in it cannot be read.
    #[error(transparent)]
    Distributions(#[from] CloudFrontError),
}

/// An account with its buckets, identities and distributions. Cheap to clone; all clones are one account.
#[derive(Clone)]
pub struct LocalAws(Arc<AwsServices>);

struct AwsServices {
    store: ObjectStore,
    front: Arc<Router>,
}

impl fmt::Debug for LocalAws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Account").finish_non_exhaustive()
    }
}

impl LocalAws {
    /// An account that goes with its last owner.
    ///
    /// # Errors
    /// The machine gives no thread or no randomness.
    pub fn in_memory() -> Result<Self, OpenError> {
        let database = Arc::new(Database::in_memory()?);
        Self::over(Arc::clone(&database), ObjectStore::in_memory(database))
    }

    /// The account kept in `directory`, made there if there is none. One process at a time may have it open.
    ///
    /// # Errors
    /// The directory cannot be used, is in use, or holds something else.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = || directory.to_owned();
        std::fs::create_dir_all(directory).map_err(|source| OpenError::Directory { path: path(), source })?;
        let database = Database::open(&directory.join(DATABASE_FILE)).map_err(|source| match source {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path: path() },
            source => OpenError::Database { path: path(), source: Box::new(source) },
        })?;
        let database = Arc::new(database);
        let store = ObjectStore::open(Arc::clone(&database), directory.join(BODIES_DIRECTORY))?;
        Self::over(database, store)
    }

    fn over(database: Arc<Database>, store: ObjectStore) -> Result<Self, OpenError> {
        let documents: Arc<dyn Documents> = Arc::new(StoredDocuments::new(database));
        let iam = IamService::open(&documents, IamClock::default())?;
        let cloudfront = CloudFrontService::open(Arc::clone(&documents), iam.clone())?;
        let front = Arc::new(Router {
            s3: s3::service(store.clone(), iam.clone()),
            sts: StsService::new(iam.clone()),
            cloudfront,
            secrets: Secrets::new(Arc::clone(&documents), iam.clone()),
            parameters: ParameterStore::new(documents, iam.clone()),
            iam,
            requests: AtomicU64::new(1),
        });
        Ok(Self(Arc::new(AwsServices { store, front })))
    }

    /// Credentials that may do everything.
    #[must_use]
    pub fn root_credentials(&self) -> Credentials {
        self.0.front.iam.root_credentials()
    }

    /// An HTTP client for the SDKs whose requests reach this account without a socket, whatever their host.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(InProcess::new(self.front()))
    }

    /// Users, roles, groups, policies, keys and sessions.
    #[must_use]
    pub fn iam(&self) -> &IamService {
        &self.0.front.iam
    }

    /// Distributions and invalidations.
    #[must_use]
    pub fn cloudfront(&self) -> &CloudFrontService {
        &self.0.front.cloudfront
    }

    /// Secrets, to seed them.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.0.front.secrets
    }

    /// Parameters of Systems Manager, to seed them.
    #[must_use]
    pub fn parameters(&self) -> &ParameterStore {
        &self.0.front.parameters
    }

    /// Buckets and objects, without permissions: to seed and to look.
    #[must_use]
    pub fn s3(&self) -> &ObjectStore {
        &self.0.store
    }

    pub(crate) fn front(&self) -> Arc<Router> {
        Arc::clone(&self.0.front)
    }

    /// Serves the account over HTTP/1.1: see [`crate::http::serve`].
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        crate::http::serve(self, listener, shutdown).await
    }
}
