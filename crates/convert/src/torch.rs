//! Checkpoints of `torch.save`: a zip archive of a pickle and its storages.
//!
//! All files of the archive stand in one folder: `data.pkl`, a file `data/KEY` for each storage, and
//! perhaps `byteorder`.

mod flatten;
pub(crate) mod functions;

use std::collections::{BTreeMap, HashMap};

use nexus_tensor::{DType, Layout};

use self::flatten::flatten;
use crate::archive::{Archive, Member};
use crate::limits::PICKLE_SIZE_MAX;
use crate::order::{ByteOrder, gathered};
use crate::pickle::{TensorPlan, load};
use crate::source::{Content, Notes, Read};
use crate::{Entry, Error};

const PICKLE: &str = "/data.pkl";

/// Whether an archive is a checkpoint.
pub(crate) fn is_checkpoint(archive: &Archive) -> bool {
    pickle_of(archive).is_some()
}

fn pickle_of(archive: &Archive) -> Option<&Member> {
    let folder = archive.members().first()?.name.split_once('/')?.0;
    archive.member(&format!("{folder}{PICKLE}"))
}

/// Reads the pickle and checks every tensor against its storage.
pub(crate) fn open(archive: Archive) -> Result<Content, Error> {
    let pickle = pickle_of(&archive).ok_or_else(|| Error::corrupt("there is no data.pkl"))?;
    let folder = pickle.name.trim_end_matches(PICKLE).to_owned();
    if archive.member(&format!("{folder}/constants.pkl")).is_some() {
        return Err(
            Error::unsupported("it is a TorchScript archive, which holds code")
                .with_hint("load it with torch.jit.load and save its state_dict()"),
        );
    }
    if pickle.size > PICKLE_SIZE_MAX {
        let what = format!("the pickle has {} bytes", pickle.size);
        return Err(Error::limit(what, "PICKLE_SIZE_MAX", PICKLE_SIZE_MAX));
    }
    let bytes = archive.read(pickle, 0..pickle.size)?;
    let (arena, value) = load(&bytes)?;
    let mut notes = Notes::default();
    let named = flatten(&arena, &value, &mut notes)?;
    if named.is_empty() {
        return Err(Error::unsupported("there is no tensor in it").with_hint("save a state_dict()"));
    }
    let order = byte_order(&archive, &folder)?;
    let (mut entries, mut tensors) = (Vec::new(), Vec::new());
    let mut owners = HashMap::new();
    let mut unpacked = 0_u64;
    for (name, plan) in named {
        let entry = Entry::new(name, plan.dtype, plan.layout.shape().to_vec())?;
        let stored = Stored::find(&archive, &folder, &plan)
            .map_err(|error| error.within(format_args!("tensor `{}`", entry.name)))?;
        // Each part of a packed storage is unpacked from its beginning.
        unpacked = unpacked.saturating_add(stored.member.unpacked_by(stored.end));
        let first = *owners.entry(stored.member.index).or_insert(entries.len());
        if let Some(Entry { name: owner, .. }) = entries.get(first) {
            notes.push(|| format!("`{}` shares memory with `{owner}`: copied", entry.name));
        }
        entries.push(entry);
        tensors.push(stored);
    }
    archive.check_unpacked(unpacked)?;
    let reader = Tensors {
        archive,
        order,
        stored: tensors,
    };
    Ok(Content {
        entries,
        metadata: BTreeMap::from([("format".to_owned(), "pt".to_owned())]),
        notes,
        reader: Box::new(reader),
    })
}

fn byte_order(archive: &Archive, folder: &str) -> Result<ByteOrder, Error> {
    let Some(member) = archive.member(&format!("{folder}/byteorder")) else {
        return Ok(ByteOrder::Little);
    };
    let text = archive.read(member, 0..member.size.min(16))?;
    match text.as_slice() {
        b"little" => Ok(ByteOrder::Little),
        b"big" => Ok(ByteOrder::Big),
        _ => {
            let text = String::from_utf8_lossy(&text).into_owned();
            Err(Error::corrupt(format!("the byte order is `{text}`")))
        }
    }
}

/// A tensor and the bytes of its storage that it uses.
struct Stored {
    member: Member,
    dtype: DType,
    /// Relative to `start`.
    layout: Layout,
    start: u64,
    end: u64,
}

impl Stored {
    fn find(archive: &Archive, folder: &str, plan: &TensorPlan) -> Result<Self, Error> {
        let TensorPlan { dtype, key, layout } = plan;
        let dtype = *dtype;
        let path = format!("{folder}/data/{key}");
        let member = archive.member(&path);
        let member = member.ok_or_else(|| Error::corrupt(format!("there is no `{path}`")))?;
        let size = dtype.bits() as u64 / 8;
        let places = layout.places();
        let end = (places.end as u64).saturating_mul(size);
        if end > member.size {
            let has = member.size;
            return Err(Error::corrupt(format!(
                "it needs {end} bytes of `{path}`, which has {has}"
            ))
            .with_hint("the file may be cut off: fetch it again"));
        }
        let (shape, strides) = (layout.shape(), layout.strides());
        let origin = layout.offset().saturating_sub(places.start);
        Ok(Self {
            member: member.clone(),
            dtype,
            layout: Layout::strided(shape, strides, origin)?,
            start: places.start as u64 * size,
            end,
        })
    }
}

struct Tensors {
    archive: Archive,
    order: ByteOrder,
    stored: Vec<Stored>,
}

impl Read for Tensors {
    fn read(&self, index: usize) -> Result<Vec<u8>, Error> {
        let stored = &self.stored[index];
        let range = stored.start..stored.end;
        let mut bytes = self.archive.read(&stored.member, range)?;
        self.order.to_little(stored.dtype, &mut bytes);
        if stored.layout.is_contiguous() {
            return Ok(bytes);
        }
        gathered(stored.dtype, &stored.layout, &bytes)
    }
}
