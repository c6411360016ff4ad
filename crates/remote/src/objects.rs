//! Object stores as a storage of pipelines.

mod address;
mod folder;
mod read;
mod store;
mod upload;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nexus_data::Cancel;
use nexus_data::limits::FILES_MAX;
use nexus_data::storage::{
    Listing, LocalStorage, MANIFEST, NewFile, NewFolder, Ranges, Selection, Storage, StoredFile,
};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

use crate::connect::{Patience, Waiting, check_outside};
use crate::request::{Request, Version, next, refused};
use crate::{Error, ErrorKind};
use address::{Address, Service};
use folder::{Folder, WRITING};
use read::{Parts, Stream};
use upload::Upload;

/// How often it is looked whether the run is cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);

/// Amazon S3 and what speaks like it (`s3://bucket/key`), Google Cloud Storage (`gs://`), Azure Blob
/// Storage (`az://container/key`, `abfss://container@account.dfs.core.windows.net/key`) and single files
/// on web servers (`https://`), beside the file system of this machine.
///
/// Credentials and settings are those of the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`,
/// `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`, ...), and options by the names that
/// [`object_store`] has for them. Nothing is connected before a run needs it.
///
/// ```no_run
/// use nexus_data::{Format, Output, Pipeline, RunOptions};
/// use nexus_remote::Objects;
///
/// let report = Pipeline::read("s3://bucket/crawl/*.jsonl.gz")
///     .storage(Objects::new().with_option("aws_region", "eu-central-1")?)
///     .dedup_exact()
///     .write(Output::new("s3://bucket/out").format(Format::Parquet))
///     .run(&RunOptions::default())?;
/// # drop(report);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Objects {
    options: Vec<(String, String)>,
    patience: Patience,
    cancel: Cancel,
    /// What a run has connected.
    live: Arc<OnceLock<Arc<Live>>>,
}

impl Default for Objects {
    fn default() -> Self {
        Self::new()
    }
}

impl Objects {
    /// Object stores by the environment alone: 8 attempts, and 30 seconds for a connection and for the
    /// next bytes of an answer.
    pub fn new() -> Self {
        Self {
            options: Vec::new(),
            patience: Patience {
                timeout: Duration::from_secs(30),
                attempts: const { NonZero::new(8).unwrap() },
            },
            cancel: Cancel::new(),
            live: Arc::default(),
        }
    }

    /// Sets an option, such as `aws_region`, `google_service_account` or `azure_storage_account_name`. It
    /// goes before the environment.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) when no service has an option of this name.
    pub fn with_option(
        mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, Error> {
        let key = key.into().to_ascii_lowercase();
        if !store::is_option(&key) {
            let message = format!("object stores have no option `{key}`");
            return Err(Error::new(ErrorKind::InvalidInput, message).with_hint(
                "the options are those of the crate object_store: aws_endpoint, aws_region, \
                 google_service_account, azure_storage_account_name, ...",
            ));
        }
        self.options.push((key, value.into()));
        self.live = Arc::default();
        Ok(self)
    }

    /// How often a request is sent, the first time included, before its error counts.
    #[must_use]
    pub fn with_attempts(mut self, attempts: NonZero<usize>) -> Self {
        self.patience.attempts = attempts;
        self.live = Arc::default();
        self
    }

    /// How long to wait for a connection, and for the next bytes of an answer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.patience.timeout = timeout;
        self.live = Arc::default();
        self
    }

    fn live(&self, name: &str) -> Result<Arc<Live>, Error> {
        check_outside(name)?;
        if let Some(live) = self.live.get() {
            return Ok(live.clone());
        }
        let live = Arc::new(Live {
            runtime: Waiting::start(
                Builder::new_multi_thread()
                    .worker_threads(1)
                    .thread_name("nexus-objects"),
            )
            .map_err(|error| {
                let message = format!("cannot reach `{name}`: {error}");
                Error::new(ErrorKind::Unavailable, message)
            })?,
            stores: Mutex::default(),
            writable: Mutex::default(),
            options: self.options.clone(),
            patience: self.patience,
            cancel: self.cancel.clone(),
        });
        Ok(self.live.get_or_init(|| live).clone())
    }

    /// What is needed to read a file that was found.
    fn request(&self, address: &Address, file: &StoredFile) -> Result<(Arc<Live>, Request), Error> {
        let live = self.live(&address.name)?;
        let request = Request {
            name: address.name.as_str().into(),
            store: live.store(address)?,
            path: address.path()?,
            version: Some(Version::from_text(file.size, &file.version)),
        };
        Ok((live, request))
    }
}

impl fmt::Debug for Objects {
    /// Says nothing of the values of options: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.options.iter().map(|(key, _)| key).collect();
        f.debug_struct("Objects")
            .field("options", &keys)
            .finish_non_exhaustive()
    }
}

/// The connections of a run.
struct Live {
    runtime: Waiting,
    /// Clients by the roots of addresses.
    stores: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
    /// Roots that are known to take writes.
    writable: Mutex<HashSet<String>>,
    options: Vec<(String, String)>,
    patience: Patience,
    cancel: Cancel,
}

impl Live {
    fn patience(&self) -> Patience {
        self.patience
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.runtime()
    }

    fn store(&self, address: &Address) -> Result<Arc<dyn ObjectStore>, Error> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(&address.root) {
            return Ok(store.clone());
        }
        let _inside = self.runtime().enter();
        let store = store::build(address, &self.options, self.patience)?;
        stores.insert(address.root.clone(), store.clone());
        Ok(store)
    }

    /// Fails when nothing can be written at an address, before a run works for hours. Asks once for each
    /// bucket.
    fn check_write(&self, address: &Address) -> Result<(), Error> {
        let (store, path) = (self.store(address)?, address.path()?);
        let is_new = |roots: &mut HashSet<String>| roots.insert(address.root.clone());
        if !is_new(&mut self.writable.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        self.wait(async {
            let asked = match address.service {
                // Azure begins no uploads: their parts are there or not.
                Service::Azure => match next(&mut store.list(Some(&path))).await {
                    Some(Err(error)) if !is_refusal(&error) => Err(error),
                    _ => Ok(()),
                },
                _ => match store.put_multipart(&path).await {
                    Ok(mut upload) => upload.abort().await,
                    Err(error) => Err(error),
                },
            };
            asked.map_err(|error| upload::failed(address, &error))
        })
    }

    /// Waits for some work, unless the run is cancelled.
    fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime().block_on(async {
            tokio::pin!(work);
            loop {
                tokio::select! {
                    result = &mut work => return result,
                    () = tokio::time::sleep(CANCEL_INTERVAL) => {
                        if self.cancel.is_cancelled() {
                            return Err(Error::new(ErrorKind::Cancelled, "the run was cancelled"));
                        }
                    }
                }
            }
        })
    }

    /// Waits for some work that must not be left half done.
    fn wait_to_the_end<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }

    /// Waits for some work even though the run is cancelled, but not for ever.
    fn wait_at_most(&self, time: Duration, work: impl Future<Output = ()>) {
        let work = async { tokio::time::timeout(time, work).await };
        // What was not done by then is left.
        let _ = self.runtime().block_on(work);
    }
}

/// An error that ends the run.
fn into_io(error: Error) -> io::Error {
    nexus_data::Error::from(error).into_io()
}

impl Storage for Objects {
    fn for_run(&self, cancel: &Cancel) -> Arc<dyn Storage> {
        Arc::new(Self {
            cancel: cancel.clone(),
            live: Arc::default(),
            ..self.clone()
        })
    }

    fn is_local(&self, path: &Path) -> bool {
        !Address::is(path)
    }

    fn list(&self, root: &Path, listing: &mut Listing) -> Result<(), nexus_data::Error> {
        match Address::parse(root) {
            None => LocalStorage.list(root, listing),
            Some(address) => self.list_objects(&address?, listing),
        }
    }

    fn open(&self, file: &StoredFile) -> io::Result<Box<dyn Read + Send>> {
        let Some(address) = Address::parse(&file.path) else {
            return LocalStorage.open(file);
        };
        let address = address.map_err(into_io)?;
        let (live, request) = self.request(&address, file).map_err(into_io)?;
        let in_parts = address.service != Service::Http;
        Ok(Box::new(Stream::start(&live, request, file.size, in_parts)))
    }

    fn ranges(&self, file: &StoredFile) -> io::Result<Box<dyn Ranges>> {
        let Some(address) = Address::parse(&file.path) else {
            return LocalStorage.ranges(file);
        };
        let address = address.map_err(into_io)?;
        let (live, request) = self.request(&address, file).map_err(into_io)?;
        let size = file.size;
        Ok(Box::new(Parts {
            live,
            request,
            size,
        }))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn NewFile>, nexus_data::Error> {
        match Address::parse(path) {
            None => LocalStorage.create(path),
            Some(address) => {
                let address = writable(address?)?;
                let live = self.live(&address.name)?;
                Ok(Box::new(Upload::begin(&live, &address, None)?))
            }
        }
    }

    fn create_folder(
        &self,
        path: &Path,
        mark: &str,
    ) -> Result<Box<dyn NewFolder>, nexus_data::Error> {
        match Address::parse(path) {
            None => LocalStorage.create_folder(path, mark),
            Some(address) => {
                let address = writable(address?)?;
                let live = self.live(&address.name)?;
                Ok(Box::new(Folder::begin(&live, &address, mark)?))
            }
        }
    }
}

/// Whether a server wants to know who asks.
fn is_refusal(error: &object_store::Error) -> bool {
    use object_store::Error as Theirs;
    matches!(
        error,
        Theirs::PermissionDenied { .. } | Theirs::Unauthenticated { .. }
    )
}

fn writable(address: Address) -> Result<Address, Error> {
    if address.service == Service::Http {
        let message = format!("cannot write `{}`: web servers are only read", address.name);
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("write to s3://, gs://, az:// or a path of this machine"));
    }
    Ok(address)
}

impl Objects {
    fn list_objects(
        &self,
        address: &Address,
        listing: &mut Listing,
    ) -> Result<(), nexus_data::Error> {
        let live = self.live(&address.name)?;
        let store = live.store(address)?;
        let is_one = !address.key.is_empty() && !address.key.ends_with('/');
        if address.service == Service::Http || is_one {
            let path = address.path()?;
            let found = live.wait(async {
                match store.head(&path).await {
                    Ok(meta) => Ok(Some(meta)),
                    Err(object_store::Error::NotFound { .. })
                        if address.service != Service::Http =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(refused(
                        "read",
                        &address.name,
                        "there is no such file",
                        &error,
                    )),
                }
            })?;
            if let Some(meta) = found {
                let name = address.name.rsplit('/').next().unwrap_or_default();
                return listing.file(stored(address, &meta), name.to_owned());
            }
        }
        let selection = Selection::new(&address.key)?;
        let mut found = live.objects(address, &selection)?;
        // As on a disk: sorted by name at each level, and not by the whole key.
        found.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
        if let Some(folder) = half_written(&found, &selection) {
            let message = format!(
                "cannot read `{}`: a run is writing there, or was ended while it let its output appear",
                address.with_key(folder).name
            );
            return Err(Error::new(ErrorKind::Unavailable, message)
                .with_hint("wait for the run, or run it again")
                .into());
        }
        for (key, meta) in found {
            let is_manifest = split(&key).1 == MANIFEST;
            if let Some(id) = selection.id(&key).filter(|_| !is_manifest) {
                listing.file(stored(&address.with_key(&key), &meta), id.to_owned())?;
            }
        }
        Ok(())
    }
}

/// The folder and the name in it of an object.
fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('/').unwrap_or(("", key))
}

/// A folder of which something is read, and that is not complete. Of a pattern those that it does not reach
/// do not matter.
fn half_written<'a>(found: &'a [(String, ObjectMeta)], selection: &Selection) -> Option<&'a str> {
    let keys = || found.iter().map(|(key, _)| key.as_str());
    let is_note = |key: &&str| split(key).1 == WRITING;
    let mut notes = keys().filter(is_note).peekable();
    notes.peek()?;
    let read = keys().filter(|key| !is_note(key) && selection.id(key).is_some());
    let read: HashSet<&str> = read.map(|key| split(key).0).collect();
    let mut folders = notes.map(|key| split(key).0);
    folders.find(|folder| !selection.has_pattern() || read.contains(folder))
}

impl Live {
    /// All objects below the prefix of a selection that are selected, by their keys.
    fn objects(
        &self,
        address: &Address,
        selection: &Selection,
    ) -> Result<Vec<(String, ObjectMeta)>, Error> {
        let store = self.store(address)?;
        let prefix = address
            .with_key(selection.prefix().trim_end_matches('/'))
            .path()?;
        self.wait(async {
            let mut found = Vec::new();
            let mut objects = store.list(Some(&prefix));
            while let Some(meta) = next(&mut objects).await {
                let meta = meta.map_err(|error| {
                    refused("list", &address.name, "there is no such bucket", &error)
                })?;
                let key = meta.location.to_string();
                if selection.id(&key).is_none() && split(&key).1 != WRITING {
                    continue;
                }
                if found.len() == FILES_MAX {
                    let name = &address.name;
                    let message = format!("`{name}` has more objects than FILES_MAX = {FILES_MAX}");
                    return Err(Error::new(ErrorKind::LimitReached, message)
                        .with_hint("read a folder or a pattern of fewer"));
                }
                found.push((key, meta));
            }
            Ok(found)
        })
    }
}

/// A file as it was found.
fn stored(address: &Address, meta: &ObjectMeta) -> StoredFile {
    StoredFile {
        path: match address.service {
            Service::Http => address.root.as_str().into(),
            _ => address.name.as_str().into(),
        },
        size: meta.size,
        version: Version::of(meta).to_text(),
    }
}
