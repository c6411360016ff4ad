//! What the fuzz targets of token shards share: any bytes as files, opened and read.

use nexus_loader::{Corpus, Format, Loader, LoaderOptions, OpenOptions, Rows, Shuffle, Stored};

/// Rows that are read of one corpus.
const ROWS_MAX: u64 = 64;

/// Opens one file, or an index and the file that it names, and reads what there is. Of two, the
/// first four bytes are the size of the index.
///
/// # Panics
/// When a row has another size than was asked for.
pub fn open(format: Format, second: Option<&str>, field: Option<&str>, data: &[u8]) {
    let files = match second {
        None => vec![("one".to_owned(), data.to_vec())],
        Some(name) => {
            let Some((size, rest)) = data.split_first_chunk::<4>() else {
                return;
            };
            let at = (u32::from_le_bytes(*size) as usize).min(rest.len());
            let (index, file) = rest.split_at(at);
            vec![
                ("index".to_owned(), index.to_vec()),
                (name.to_owned(), file.to_vec()),
            ]
        }
    };
    let options = OpenOptions {
        stored: Some(Stored::U16),
        field: field.map(str::to_owned),
        ..OpenOptions::default()
    };
    let Ok(corpus) = Corpus::from_memory(format, files, &options) else {
        return;
    };
    for rows in [
        Rows::windows(corpus.clone(), 3, 2),
        Rows::documents(corpus.clone(), 64),
        packed(&corpus),
    ]
    .into_iter()
    .flatten()
    {
        read(rows);
    }
}

/// Packed rows, where there are not too many.
fn packed(corpus: &std::sync::Arc<Corpus>) -> Result<Rows, nexus_loader::Error> {
    let tokens: u64 = corpus.document_lens()?.into_iter().map(u64::from).sum();
    let len = if tokens > 1 << 20 { 1 << 20 } else { 8 };
    Rows::packed(corpus.clone(), len)
}

fn read(rows: Rows) {
    let (count, len) = (rows.count().min(ROWS_MAX), rows.row_len());
    let options = LoaderOptions {
        shuffle: Shuffle::Never,
        threads: 0,
        cu_seqlens: true,
        positions: true,
        ..LoaderOptions::default()
    };
    let Ok(mut loader) = Loader::new(rows, &options) else {
        return;
    };
    for _ in 0..count {
        let Ok(Some(batch)) = loader.next_batch() else {
            return;
        };
        assert_eq!(batch.tokens().len(), len * batch.token().size());
        assert_eq!(
            batch.cu_seqlens().and_then(<[i32]>::last),
            Some(&(len as i32))
        );
    }
}
