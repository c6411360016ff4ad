//! Folders under construction: their uploads are completed at the end, all at once as nearly as object
//! stores can.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use nexus_data::storage::{NewFile, NewFolder, Selection};
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tokio::task::JoinSet;

use super::Live;
use super::address::Address;
use super::upload::{Upload, Waiting, Whole, failed};
use crate::limits::{ABORT_TIME_MAX, ENDINGS_UNDER_WAY_MAX};
use crate::{Error, ErrorKind};

/// Stands in a folder while its files are exchanged: what is there is not complete.
pub(super) const WRITING: &str = "_writing.json";

pub(super) struct Folder {
    live: Arc<Live>,
    store: Arc<dyn ObjectStore>,
    address: Address,
    mark: String,
    waiting: Arc<Mutex<Waiting>>,
}

impl Folder {
    /// Refuses to write among other files than a pipeline's.
    pub(super) fn begin(live: &Arc<Live>, address: &Address, mark: &str) -> Result<Self, Error> {
        let address = address.with_key(address.key.trim_end_matches('/'));
        let folder = Self {
            live: live.clone(),
            store: live.store(&address)?,
            mark: mark.to_owned(),
            waiting: Arc::default(),
            address,
        };
        let old = folder.old()?;
        let is_ours = old.contains(mark) || old.contains(WRITING);
        if !old.is_empty() && !is_ours {
            let message = format!(
                "cannot write the folder `{}`: it exists and holds other files than a pipeline's",
                folder.address.name
            );
            return Err(Error::new(ErrorKind::InvalidInput, message)
                .with_hint("give another folder, or remove this one"));
        }
        Ok(folder)
    }

    /// Names of what lies in the folder now.
    fn old(&self) -> Result<HashSet<String>, Error> {
        let selection = Selection::new(&self.address.key)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, error.to_string()))?;
        if Selection::is_pattern(&self.address.key) {
            let message = format!("cannot write `{}`: it is a pattern", self.address.name);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let objects = self.live.objects(&self.address, &selection)?;
        let name = |key: &str| key.strip_prefix(selection.prefix()).map(str::to_owned);
        Ok(objects.iter().filter_map(|(key, _)| name(key)).collect())
    }

    fn file(&self, name: &str) -> Address {
        match self.address.key.as_str() {
            "" => self.address.with_key(name),
            key => self.address.with_key(&format!("{key}/{name}")),
        }
    }

    /// Until the note is there nothing has changed; from then on it is done or undone whole.
    fn finish(self) -> Result<(), Error> {
        let old = self.old()?;
        if let Err(error) = self.live.wait(self.put_note()) {
            // It may be there all the same. That of an earlier run stays: it says what is true.
            if !old.contains(WRITING) {
                self.live.wait_at_most(ABORT_TIME_MAX, async {
                    let _ = self.delete(&self.file(WRITING)).await;
                });
            }
            return Err(error);
        }
        let mut whole = self.take_waiting();
        let marked = self.file(&self.mark);
        let at = whole.iter().position(|whole| whole.address == marked);
        let mark = at.map(|at| whole.remove(at));
        let new: HashSet<&str> = whole
            .iter()
            .filter_map(|whole| whole.address.key.rsplit('/').next())
            .collect();
        let stale: Vec<_> = old
            .iter()
            .filter(|name| is_ours(name) && !new.contains(name.as_str()))
            .map(|name| self.file(name))
            .collect();
        let all = whole.iter().chain(&mark);
        let appeared: Vec<_> = all.map(|whole| whole.address.clone()).collect();
        self.live.wait_to_the_end(async {
            let unmarked = if old.contains(&self.mark) {
                self.delete(&marked).await
            } else {
                Ok(())
            };
            let is_old_there = unmarked.is_err();
            let mut result = complete(whole, unmarked).await;
            for address in &stale {
                if result.is_ok() {
                    result = self.delete(address).await;
                }
            }
            result = complete(mark.into_iter().collect(), result).await;
            if result.is_err() && !is_old_there {
                // What is left of an older output is no output any more.
                for address in appeared.iter().chain(&stale) {
                    if self.delete(address).await.is_err() {
                        // The note stays, and says that the folder is not complete.
                        return result;
                    }
                }
            }
            let _ = self.delete(&self.file(WRITING)).await;
            result
        })
    }

    fn take_waiting(&self) -> Vec<Whole> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting.whole)
    }

    async fn put_note(&self) -> Result<(), Error> {
        let address = self.file(WRITING);
        let note = PutPayload::from_static(b"{\"complete\": false}\n");
        let put = self.store.put(&address.path()?, note).await;
        put.map(drop).map_err(|error| failed(&address, &error))
    }

    async fn delete(&self, address: &Address) -> Result<(), Error> {
        match self.store.delete(&address.path()?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(address, &error)),
        }
    }
}

/// Whether a name is one that an output gives its files.
fn is_ours(name: &str) -> bool {
    name == "index.json"
        || name.strip_prefix("part-").is_some_and(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            digits >= 5 && rest[digits..].starts_with('.') && !rest.contains('/')
        })
}

/// Lets uploads appear, some at once. After an error, which may have been before, the others are aborted.
async fn complete(whole: Vec<Whole>, before: Result<(), Error>) -> Result<(), Error> {
    let mut under_way = JoinSet::new();
    let (mut waiting, mut result) = (whole.into_iter(), before);
    loop {
        while under_way.len() < ENDINGS_UNDER_WAY_MAX {
            let Some(whole) = waiting.next() else {
                break;
            };
            let is_given_up = result.is_err();
            under_way.spawn(async move {
                if is_given_up {
                    whole.abort().await;
                    return Ok(());
                }
                whole.complete().await
            });
        }
        match under_way.join_next().await {
            None => return result,
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => result = result.and(Err(error)),
            Some(Err(error)) => {
                let message = format!("cannot complete an upload: {error}");
                result = result.and(Err(Error::new(ErrorKind::Unavailable, message)));
            }
        }
    }
}

impl NewFolder for Folder {
    fn create(&self, name: &str) -> Result<Box<dyn NewFile>, nexus_data::Error> {
        let waiting = Some(self.waiting.clone());
        Ok(Box::new(Upload::begin(
            &self.live,
            &self.file(name),
            waiting,
        )?))
    }

    fn commit(self: Box<Self>) -> Result<(), nexus_data::Error> {
        Ok(self.finish()?)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let whole = self.take_waiting();
        if whole.is_empty() {
            return;
        }
        self.live.wait_at_most(ABORT_TIME_MAX, async {
            let mut under_way = JoinSet::new();
            for whole in whole {
                if under_way.len() == ENDINGS_UNDER_WAY_MAX {
                    under_way.join_next().await;
                }
                under_way.spawn(whole.abort());
            }
            while under_way.join_next().await.is_some() {}
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::num::NonZero;
    use std::path::Path as LocalPath;
    use std::pin::Pin;
    use std::time::Duration;

    use futures_core::stream::BoxStream;
    use nexus_data::Cancel;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
        PutMultipartOptions, PutOptions, PutResult, Result as Theirs,
    };
    use tokio::runtime::Builder;

    use super::*;
    use crate::connect::{Patience, Waiting as Runtime};

    /// A store in memory. What it writes by one name it says that it could not.
    #[derive(Debug)]
    struct Broken {
        store: InMemory,
        name: &'static str,
    }

    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Broken")
        }
    }

    type Work<'a, T> = Pin<Box<dyn Future<Output = Theirs<T>> + Send + 'a>>;

    impl ObjectStore for Broken {
        fn put_opts<'a, 'b, 'c>(
            &'a self,
            path: &'b Path,
            bytes: PutPayload,
            options: PutOptions,
        ) -> Work<'c, PutResult>
        where
            'a: 'c,
            'b: 'c,
            Self: 'c,
        {
            Box::pin(async move {
                let put = self.store.put_opts(path, bytes, options).await?;
                if path.filename() == Some(self.name) {
                    let source = "the line is cut".into();
                    return Err(object_store::Error::Generic {
                        store: "it",
                        source,
                    });
                }
                Ok(put)
            })
        }

        fn put_multipart_opts<'a, 'b, 'c>(
            &'a self,
            path: &'b Path,
            options: PutMultipartOptions,
        ) -> Work<'c, Box<dyn MultipartUpload>>
        where
            'a: 'c,
            'b: 'c,
            Self: 'c,
        {
            self.store.put_multipart_opts(path, options)
        }

        fn get_opts<'a, 'b, 'c>(
            &'a self,
            path: &'b Path,
            options: GetOptions,
        ) -> Work<'c, GetResult>
        where
            'a: 'c,
            'b: 'c,
            Self: 'c,
        {
            self.store.get_opts(path, options)
        }

        fn delete_stream(
            &self,
            paths: BoxStream<'static, Theirs<Path>>,
        ) -> BoxStream<'static, Theirs<Path>> {
            self.store.delete_stream(paths)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Theirs<ObjectMeta>> {
            self.store.list(prefix)
        }

        fn list_with_delimiter<'a, 'b, 'c>(
            &'a self,
            prefix: Option<&'b Path>,
        ) -> Work<'c, ListResult>
        where
            'a: 'c,
            'b: 'c,
            Self: 'c,
        {
            self.store.list_with_delimiter(prefix)
        }

        fn copy_opts<'a, 'b, 'd, 'c>(
            &'a self,
            from: &'b Path,
            to: &'d Path,
            options: CopyOptions,
        ) -> Work<'c, ()>
        where
            'a: 'c,
            'b: 'c,
            'd: 'c,
            Self: 'c,
        {
            self.store.copy_opts(from, to, options)
        }
    }

    const OLD: [(&str, &str); 4] = [
        ("_manifest.json", "old"),
        ("part-00000.jsonl", "old 0"),
        ("part-00001.jsonl", "old 1"),
        ("part-00002.jsonl", "old 2"),
    ];

    /// What lies in a folder with an older output, and this beside, when an output of two shards was
    /// written of which one object fails.
    fn after(failing: &'static str, beside: &[(&str, &str)]) -> (bool, BTreeMap<String, String>) {
        let store = Arc::new(Broken {
            store: InMemory::new(),
            name: failing,
        });
        let address = Address::parse(LocalPath::new("s3://bucket/out"));
        let address = address.unwrap().unwrap();
        let stores = HashMap::from([(address.root.clone(), store.clone() as Arc<dyn ObjectStore>)]);
        let live = Arc::new(Live {
            runtime: Runtime::start(Builder::new_multi_thread().worker_threads(1)).unwrap(),
            stores: Mutex::new(stores),
            writable: Mutex::new(HashSet::from([address.root.clone()])),
            options: Vec::new(),
            patience: Patience {
                timeout: Duration::from_secs(1),
                attempts: NonZero::<usize>::MIN,
            },
            cancel: Cancel::new(),
        });
        let path = |name: &str| Path::from(format!("out/{name}"));
        live.wait_to_the_end(async {
            for (name, text) in OLD.iter().chain(beside) {
                let bytes = PutPayload::from(text.as_bytes().to_vec());
                store.store.put(&path(name), bytes).await.unwrap();
            }
        });
        let folder = Folder::begin(&live, &address, "_manifest.json").unwrap();
        for (name, text) in [
            ("part-00000.jsonl", "new 0"),
            ("part-00001.jsonl", "new 1"),
            ("_manifest.json", "new"),
        ] {
            let mut file = NewFolder::create(&folder, name).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.commit().unwrap();
        }
        let is_done = NewFolder::commit(Box::new(folder)).is_ok();
        let found = live.wait_to_the_end(async {
            let mut found = BTreeMap::new();
            let out = Path::from("out");
            let listed = store.store.list_with_delimiter(Some(&out)).await;
            for meta in listed.unwrap().objects {
                let got = store.store.get(&meta.location).await.unwrap();
                let text = String::from_utf8(got.bytes().await.unwrap().to_vec()).unwrap();
                found.insert(meta.location.filename().unwrap().to_owned(), text);
            }
            found
        });
        (is_done, found)
    }

    #[test]
    fn an_output_takes_the_place_of_another_or_nothing_is_left_of_both() {
        let objects = |objects: &[(&str, &str)]| {
            let objects = objects.iter();
            objects
                .map(|&(name, text)| (name.to_owned(), text.to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let new = [
            ("_manifest.json", "new"),
            ("part-00000.jsonl", "new 0"),
            ("part-00001.jsonl", "new 1"),
        ];
        assert_eq!(after("nothing", &[]), (true, objects(&new)));
        // Nothing has changed before the note is there, and it does not stay.
        assert_eq!(after(WRITING, &[]), (false, objects(&OLD)));
        // But for that of a run that was ended in the middle of it.
        let note = [(WRITING, "{}")];
        let (is_done, found) = after(WRITING, &note);
        assert!(!is_done && found.contains_key(WRITING), "{found:?}");
        // A shard, and what comes last. Files of others stay.
        for name in ["part-00001.jsonl", "_manifest.json"] {
            let mine = [("notes.txt", "mine")];
            assert_eq!(after(name, &mine), (false, objects(&mine)), "{name}");
        }
    }

    #[test]
    fn only_names_of_outputs_are_taken_away() {
        for (name, expected) in [
            ("part-00000.parquet", true),
            ("part-123456.bin", true),
            ("index.json", true),
            ("part-1.parquet", false),
            ("part-00000.x/y", false),
            ("x/part-00000.parquet", false),
            ("notes.txt", false),
        ] {
            assert_eq!(is_ours(name), expected, "{name}");
        }
    }
}
