//! Images in the archives of `WebDataset`: of each sample, the member of an image's extension, and the
//! label in the member `.cls`.

use super::samples::{Fields, Number, Pictures, Samples, fill};
use crate::shard::{Member, Members};
use crate::store::Store;
use crate::unpack::Source;
use crate::{Cancel, Error};

/// What images are called.
const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Finds the members. Reads each header once, and the labels.
pub(super) fn open(store: Store, fields: Fields<'_>, cancel: &Cancel) -> Result<Pictures, Error> {
    let path = store.path().display().to_string();
    let failed = |error: Error| error.within(format!("cannot read the archive `{path}`"));
    let mut found = Found {
        fields,
        key: None,
        image: None,
        label: None,
        archive: Archive::default(),
    };
    let mut members = Members::new(&store);
    while let Some(member) = members.next().map_err(failed)? {
        cancel.check()?;
        found.add(&store, member).map_err(failed)?;
    }
    found.close().map_err(failed)?;
    Ok(Pictures::new(Source::plain(store), found.archive))
}

/// Samples as they are gathered from members.
struct Found<'a> {
    fields: Fields<'a>,
    key: Option<String>,
    image: Option<Member>,
    label: Option<i64>,
    archive: Archive,
}

impl Found<'_> {
    fn add(&mut self, store: &Store, member: Member) -> Result<(), Error> {
        let Some((key, extension)) = member.sample() else {
            return Ok(());
        };
        if self.key.as_deref() != Some(key) {
            self.close()?;
            self.key = Some(key.to_owned());
        }
        let is = |name: &str| extension.eq_ignore_ascii_case(name);
        if is(self.fields.label.unwrap_or("cls")) {
            let text = store.bytes(member.start, member.size.min(64), "a label")?;
            let label = Number::Text.parse(&text);
            let name = &member.name;
            self.label = Some(label.map_err(|error| error.within(format!("member {name:?}")))?);
        }
        let is_image = match self.fields.image {
            Some(name) => is(name),
            None => EXTENSIONS.into_iter().any(is),
        };
        if is_image {
            if self.image.is_some() {
                let message = format!("the sample {key:?} has several images");
                return Err(Error::corrupt(message).with_hint("name the extension of images"));
            }
            self.image = Some(member);
        }
        Ok(())
    }

    /// Every sample has its image, and all or none have labels: what is left out would not be noticed.
    fn close(&mut self) -> Result<(), Error> {
        let Some(key) = self.key.take() else {
            return Ok(());
        };
        let Some(image) = self.image.take() else {
            let message = format!("the sample {key:?} has no image");
            return Err(Error::not_found(message).with_hint("name the extension of images"));
        };
        let label = self.label.take();
        let Archive { images, labels } = &mut self.archive;
        let name = self.fields.label.unwrap_or("cls");
        if label.is_some() && labels.len() < images.len() {
            let message = format!("the samples before {key:?} have no label: no member .{name}");
            return Err(Error::not_found(message));
        }
        let wanted = self.fields.label.is_some() || !labels.is_empty();
        if wanted && label.is_none() {
            let message = format!("the sample {key:?} has no label: no member .{name}");
            return Err(Error::not_found(message));
        }
        labels.extend(label);
        images.push(image);
        Ok(())
    }
}

#[derive(Default)]
struct Archive {
    images: Vec<Member>,
    /// As many, or none.
    labels: Vec<i64>,
}

impl Samples for Archive {
    fn count(&self) -> u64 {
        self.images.len() as u64
    }

    fn is_labelled(&self) -> bool {
        !self.labels.is_empty()
    }

    fn read(&self, store: &Store, at: u64, target: &mut Vec<u8>) -> Result<i64, Error> {
        let image = &self.images[at as usize];
        fill(store, image.start, image.size, target)?;
        Ok(self.labels.get(at as usize).copied().unwrap_or(0))
    }

    fn name(&self, at: u64) -> String {
        format!("the member {:?}", self.images[at as usize].name)
    }
}
