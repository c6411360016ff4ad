//! What batches are made of.

use crate::Error;
use crate::cancel::cancelled;
use crate::units::Starts;
use crate::unpack::Cache;

/// Makes batches of rows: [`Tokens`](crate::Tokens) or [`Images`](crate::Images). Others cannot be
/// written outside of this crate.
pub trait Maker: Sized + Send + Sync + 'static + sealed::Sealed {
    /// What a batch is.
    type Batch: Send;
    /// Memory of a thread that is used again.
    type Scratch: Default + Send;

    /// How many rows there are.
    fn count(&self) -> u64;

    /// Tells these rows from others, as far as it costs nothing.
    fn fingerprint(&self) -> u64;

    /// Where the rows of each shard start, and the end of the last.
    #[doc(hidden)]
    fn starts(&self) -> Starts;

    /// About how many bytes shard `number` unpacks to, if it is packed.
    #[doc(hidden)]
    fn unpacked_size(&self, number: usize) -> Option<u64>;

    /// Unpacks shard `number`, if it is packed, for the batches that will need it.
    #[doc(hidden)]
    fn unpack(&self, number: usize, cache: &Cache);

    /// A batch of these rows.
    #[doc(hidden)]
    fn make(&self, order: Ordered<'_>, scratch: &mut Self::Scratch) -> Result<Self::Batch, Error>;

    /// How many rows were left out of a batch because they are broken.
    #[doc(hidden)]
    fn left_out(_: &Self::Batch) -> usize {
        0
    }

    /// Whether all were.
    #[doc(hidden)]
    fn is_empty(_: &Self::Batch) -> bool {
        false
    }
}

/// Which rows a batch has, in order.
pub struct Ordered<'a> {
    pub(crate) rows: Vec<u64>,
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
    pub(crate) cache: &'a Cache,
    pub(crate) stop: &'a dyn Fn() -> bool,
}

impl Ordered<'_> {
    /// An error where nobody waits for the batch any longer.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if (self.stop)() {
            return Err(cancelled());
        }
        Ok(())
    }
}

pub(crate) mod sealed {
    /// Nobody outside can write it.
    pub trait Sealed {}
}
