//! One local AWS account: its services over one database.

use std::{
    fmt,
    future::Future,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bytes::Bytes;
use http::{Request, Response};
use s3s::Body;
use tokio::net::TcpListener;

use crate::cloudfront::{CloudFrontError, CloudFrontService};
use crate::database::{Database, DatabaseError};
use crate::documents::Documents;
use crate::iam::{IamClock, IamError, IamService};
use crate::router::{InProcess, Router};
use crate::s3::{self, ObjectStore};
use crate::sts::StsService;

/// The file in the account's directory that holds everything except large bodies.
const DATABASE_FILE: &str = "tidegate.redb";

/// The directory in the account's directory that holds large bodies.
const BODIES_DIRECTORY: &str = "bodies";

/// Why an account cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be created.
    #[error("cannot use the directory `{}`: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process, or another account of this process, has it open.
    #[error("`{}` is in use by another process; stop the other tidegate or choose another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file is damaged or is not a database.
    #[error("cannot open the database in `{}`: {source}; delete the directory to start over", path.display())]
    Database {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: Box<redb::DatabaseError>,
    },
    /// The database opened, but its contents cannot be read.
    #[error(transparent)]
    Storage(#[from] DatabaseError),
    /// The stored identities cannot be read.
    #[error(transparent)]
    Identities(#[from] IamError),
    /// The stored distributions cannot be read.
    #[error(transparent)]
    Distributions(#[from] CloudFrontError),
}

/// An AWS account with its buckets, identities and distributions. Cheap to clone; all clones are the same account.
#[derive(Clone)]
pub struct LocalAws {
    store: ObjectStore,
    iam: IamService,
    cloudfront: CloudFrontService,
    router: Arc<Router>,
}

impl fmt::Debug for LocalAws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalAws").finish_non_exhaustive()
    }
}

impl LocalAws {
    /// Creates an account in memory. It is gone when its last clone is dropped.
    ///
    /// # Errors
    /// The system provides no thread or no random bytes.
    pub fn in_memory() -> Result<Self, OpenError> {
        let database = Arc::new(Database::in_memory()?);
        Self::new(Arc::clone(&database), ObjectStore::in_memory(database))
    }

    /// Opens the account in `directory`, and creates it if there is none. Only one process at a time can have it open.
    ///
    /// # Errors
    /// The directory cannot be created, is in use, or holds something else.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = || directory.to_owned();
        std::fs::create_dir_all(directory).map_err(|source| OpenError::Directory { path: path(), source })?;
        let database = Database::open(&directory.join(DATABASE_FILE)).map_err(|source| match source {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path: path() },
            source => OpenError::Database { path: path(), source: Box::new(source) },
        })?;
        let database = Arc::new(database);
        let store = ObjectStore::open(Arc::clone(&database), directory.join(BODIES_DIRECTORY))?;
        Self::new(database, store)
    }

    fn new(database: Arc<Database>, store: ObjectStore) -> Result<Self, OpenError> {
        let documents = Documents::new(database);
        let iam = IamService::open(&documents, IamClock::default())?;
        let sts = StsService::new(iam.clone());
        let cloudfront = CloudFrontService::open(documents, iam.clone(), store.clone())?;
        let router = Arc::new(Router::new(s3::service(store.clone(), iam.clone())));
        let account = Self { store, iam, cloudfront, router };
        let (iam, cloudfront) = (account.iam.clone(), account.cloudfront.clone());
        account.add_service("iam", move |request| iam.handle(request));
        account.add_service("sts", move |request| sts.handle(request));
        let stores = cloudfront.clone();
        account.add_service("cloudfront", move |request| cloudfront.handle(request));
        account.add_service("cloudfront-keyvaluestore", move |request| stores.handle_keys(request));
        Ok(account)
    }

    /// Adds a service, or replaces one other than S3. `name` is what requests to it are signed for, such as `ssm`.
    ///
    /// The handler authenticates its callers with [`crate::iam::signature::verify`] and authorizes them with
    /// [`IamService::authorize`].
    pub fn add_service(
        &self,
        name: &'static str,
        handler: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) {
        self.router.add(name, handler);
    }

    /// Credentials of the root user, which may do everything.
    #[must_use]
    pub fn root_credentials(&self) -> Credentials {
        self.iam.root_credentials()
    }

    /// An HTTP client for AWS SDKs. It sends every request to this account, whatever its host, without a socket.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(InProcess::new(Arc::clone(&self.router)))
    }

    /// Users, roles, groups, policies, keys and sessions. Asks for no permissions.
    #[must_use]
    pub fn iam(&self) -> &IamService {
        &self.iam
    }

    /// Distributions and invalidations. Asks for no permissions.
    #[must_use]
    pub fn cloudfront(&self) -> &CloudFrontService {
        &self.cloudfront
    }

    /// Buckets and objects. Asks for no permissions.
    #[must_use]
    pub fn s3(&self) -> &ObjectStore {
        &self.store
    }

    /// The account as an `axum` router, for middleware in front of it.
    pub fn router(&self) -> axum::Router {
        let router = Arc::clone(&self.router);
        let handle = move |request: axum::extract::Request| {
            let router = Arc::clone(&router);
            async move {
                let response = router.answer(request.map(Body::http_body_unsync)).await;
                response.map(axum::body::Body::new)
            }
        };
        axum::Router::new().fallback(handle)
    }

    /// Serves the account over HTTP/1.1 until `shutdown` completes, then finishes the requests in flight.
    ///
    /// A bucket is addressed by path, `http://127.0.0.1:PORT/bucket/key`, or by host,
    /// `http://bucket.s3.localhost:PORT/key`. The signature of a request names its service.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        axum::serve(listener, self.router()).with_graceful_shutdown(shutdown).await
    }
}
