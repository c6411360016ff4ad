//! Files of nothing but tokens: what `ndarray.tofile` writes.

use super::{Shard, documents_of};
use crate::store::Store;
use crate::{Error, Stored};

/// One document of tokens of a type that the caller knows.
pub(crate) fn open(store: Store, stored: Option<Stored>) -> Result<Shard, Error> {
    let path = store.path().display();
    let Some(stored) = stored else {
        let message = format!("cannot know the type of the tokens in `{path}`");
        return Err(Error::invalid(message).with_hint("name the stored type, such as uint16"));
    };
    let item = stored.size() as u64;
    if !store.size().is_multiple_of(item) {
        let size = store.size();
        let message = format!("cannot read `{path}`: {size} bytes are not tokens of {item} bytes");
        return Err(Error::corrupt(message).with_hint("the stored type may be another"));
    }
    let documents = documents_of(&store, 0, &[store.size() / item], stored)?;
    Ok(Shard::plain(store, stored, documents))
}
