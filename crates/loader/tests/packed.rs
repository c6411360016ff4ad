//! Shards that must be unpacked: the same rows as from plain ones, in an order that reads few units at
//! a time, in bounded memory; and what is broken is an error.

mod samples;
mod table;

use std::path::Path;
use std::sync::Arc;

use nexus_loader::{
    Corpus, Error, ErrorKind, Format, Loader, LoaderOptions, OpenOptions, Rows, Shuffle, Split,
    Stored, Tail,
};
use samples::samples;
use table::parquet;

/// 600 documents of 4 tokens in row groups of 50; the first token of each is its number.
fn table() -> Arc<Corpus> {
    let docs: Vec<Vec<i32>> = (0..600).map(|at| vec![at, 1, 2, 3]).collect();
    let groups: Vec<&[Vec<i32>]> = docs.chunks(50).collect();
    let files = vec![("t.parquet".to_owned(), parquet(&groups))];
    Corpus::from_memory(Format::Parquet, files, &OpenOptions::default()).unwrap()
}

fn options(split: Split) -> LoaderOptions {
    LoaderOptions {
        split: Split {
            tail: Tail::Keep,
            ..split
        },
        seed: 3,
        ..LoaderOptions::default()
    }
}

fn rest(loader: &mut Loader) -> Vec<u64> {
    let mut all = Vec::new();
    while let Some(batch) = loader.next_batch().unwrap() {
        let rows = batch.tokens().chunks_exact(16);
        let firsts = rows.map(|row| u64::from(u32::from_le_bytes(row[..4].try_into().unwrap())));
        assert!(
            firsts.eq(batch.rows().iter().copied()),
            "tokens are those of the rows"
        );
        all.extend_from_slice(batch.rows());
    }
    all
}

#[test]
fn every_row_comes_once_with_any_threads_and_room() {
    let read = |threads, cache_size, shuffle| {
        let options = LoaderOptions {
            threads,
            cache_size,
            shuffle,
            ..options(Split {
                batch: 7,
                ..Split::default()
            })
        };
        let rows = Rows::documents(table(), 4).unwrap();
        let mut loader = Loader::new(rows, &options).unwrap();
        (rest(&mut loader), rest(&mut loader))
    };
    for shuffle in [
        Shuffle::Auto,
        Shuffle::Full,
        Shuffle::Never,
        Shuffle::Units { window: 2 },
        Shuffle::Blocks {
            block: 10,
            window: 3,
        },
    ] {
        let first = read(0, 1 << 20, shuffle);
        let mut sorted = first.0.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..600).collect::<Vec<_>>(), "{shuffle:?}");
        assert_eq!(first.0 == first.1, shuffle == Shuffle::Never);
        assert_eq!(read(3, 1 << 20, shuffle), first, "{shuffle:?}, threads");
        if !matches!(shuffle, Shuffle::Auto) {
            assert_eq!(read(2, 2600, shuffle), first, "{shuffle:?}, little room");
        }
    }
}

#[test]
fn a_window_reads_its_units_alone() {
    let options = LoaderOptions {
        shuffle: Shuffle::Units { window: 3 },
        ..options(Split::default())
    };
    let rows = Rows::documents(table(), 4).unwrap();
    let mut loader = Loader::new(rows, &options).unwrap();
    for window in rest(&mut loader).chunks(150) {
        let mut groups: Vec<u64> = window.iter().map(|row| row / 50).collect();
        groups.sort_unstable();
        groups.dedup();
        assert_eq!(groups.len(), 3);
    }
}

#[test]
fn a_state_resumes_with_other_ranks_and_workers() {
    let rows = || Rows::documents(table(), 4).unwrap();
    let whole = rest(&mut Loader::new(rows(), &options(Split::default())).unwrap());
    let split = Split {
        batch: 9,
        ..Split::default()
    };
    let mut first = Loader::new(rows(), &options(split)).unwrap();
    let mut seen = Vec::new();
    for _ in 0..13 {
        seen.extend_from_slice(first.next_batch().unwrap().unwrap().rows());
    }
    let state = first.state();
    let mut ranks: Vec<Loader> = (0..3)
        .map(|rank| {
            let split = Split {
                batch: 4,
                rank,
                world: 3,
                ..Split::default()
            };
            let mut loader = Loader::new(rows(), &options(split)).unwrap();
            loader.set_state(&state).unwrap();
            loader
        })
        .collect();
    'all: loop {
        for rank in &mut ranks {
            match rank.next_batch().unwrap() {
                Some(batch) => seen.extend_from_slice(batch.rows()),
                None => break 'all,
            }
        }
    }
    assert_eq!(seen, whole);
}

#[test]
fn states_of_another_shuffle_are_refused() {
    let loader = |shuffle| {
        let options = LoaderOptions {
            shuffle,
            ..options(Split::default())
        };
        Loader::new(Rows::documents(table(), 4).unwrap(), &options).unwrap()
    };
    let state = loader(Shuffle::Units { window: 4 }).state();
    loader(Shuffle::Units { window: 4 })
        .set_state(&state)
        .unwrap();
    for other in [Shuffle::Auto, Shuffle::Full, Shuffle::Never] {
        let error = loader(other).set_state(&state).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_window_must_fit_into_the_room() {
    let options = LoaderOptions {
        cache_size: 2000,
        ..options(Split::default())
    };
    let error = Loader::new(Rows::documents(table(), 4).unwrap(), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitReached);
    assert!(error.to_string().contains("windows of 8 units"), "{error}");
}

#[test]
fn windows_and_packed_rows_lie_within_units() {
    let docs: Vec<Vec<i32>> = (1..40).map(|len| vec![len; len as usize]).collect();
    let files = || {
        let groups: Vec<&[Vec<i32>]> = docs.chunks(13).collect();
        let files = vec![("t.parquet".to_owned(), parquet(&groups))];
        Corpus::from_memory(Format::Parquet, files, &OpenOptions::default()).unwrap()
    };
    let count = |rows: Rows| {
        let mut loader = Loader::new(rows, &options(Split::default())).unwrap();
        let mut tokens = vec![0_usize; 41];
        while let Some(batch) = loader.next_batch().unwrap() {
            for token in batch.tokens().as_chunks::<4>().0 {
                tokens[u32::from_le_bytes(*token) as usize] += 1;
            }
        }
        tokens
    };
    let packed = Rows::packed(files(), 16).unwrap();
    assert!(packed.packing().unwrap().padding_share() < 0.05);
    let tokens = count(packed);
    assert!((1..40).all(|len| tokens[len] == len), "{tokens:?}");
    let tokens = count(Rows::windows(files(), 16, 16).unwrap());
    assert!(
        (1..40).all(|len| tokens[len] == len / 16 * 16),
        "{tokens:?}"
    );
}

/// An index and a packed shard of MDS, whose hashes may be wrong.
fn mds(shard: &[u8], size: usize, hash: &str, algorithm: &str) -> Vec<(String, Vec<u8>)> {
    let packed = zstd::bulk::compress(shard, 1).unwrap();
    let zipped = packed.len();
    let index = format!(
        r#"{{"version":2,"shards":[{{"column_encodings":["bytes"],"column_names":["tokens"],"column_sizes":[null],"compression":"{algorithm}","format":"mds","hashes":[],"raw_data":{{"basename":"s.mds","bytes":{size},"hashes":{{"xxh64":"{hash}"}}}},"samples":2,"zip_data":{{"basename":"s.mds.zstd","bytes":{zipped},"hashes":{{}}}}}}]}}"#
    );
    vec![
        ("index.json".to_owned(), index.into_bytes()),
        ("s.mds.zstd".to_owned(), packed),
    ]
}

#[test]
fn broken_packed_shards_are_errors() {
    let sample = |tokens: &[u16]| {
        let tokens: Vec<u8> = tokens.iter().flat_map(|t| t.to_le_bytes()).collect();
        let mut sample = (tokens.len() as u32).to_le_bytes().to_vec();
        sample.extend(tokens);
        sample
    };
    let shard = samples("{}", &[sample(&[1, 2]), sample(&[3])]);
    let short = samples("{}", &[sample(&[1, 2])]);
    let sound = format!("{:016x}", xxhash_rust::xxh64::xxh64(&shard, 0));
    let other = format!("{:016x}", xxhash_rust::xxh64::xxh64(&short, 0));
    let read = |files: Vec<(String, Vec<u8>)>| -> Result<(), Error> {
        let open = OpenOptions {
            stored: Some(Stored::U16),
            ..OpenOptions::default()
        };
        let corpus = Corpus::from_memory(Format::Mds, files, &open)?;
        Loader::new(Rows::documents(corpus, 4)?, &options(Split::default()))?.next_batch()?;
        Ok(())
    };
    read(mds(&shard, shard.len(), &sound, "zstd:3")).unwrap();
    let mut flipped = mds(&shard, shard.len(), &sound, "zstd");
    flipped[1].1[9] ^= 0xFF;
    let cases = [
        (mds(&shard, shard.len(), &other, "zstd"), "xxh64"),
        (mds(&shard, shard.len() - 1, &sound, "zstd"), "more bytes"),
        (mds(&shard, shard.len() + 1, &sound, "zstd"), "fewer bytes"),
        (mds(&short, short.len(), &other, "zstd"), "1 samples, and 2"),
        (mds(&shard, shard.len(), &sound, "br:11"), "packed by"),
        (mds(&shard, 1 << 40, &sound, "zstd"), "UNIT_SIZE_MAX"),
        (flipped, "cannot unpack"),
    ];
    for (files, wanted) in cases {
        let error = read(files).unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn broken_tables_are_errors() {
    let docs = [vec![1, 2], vec![], vec![3]];
    let sound = parquet(&[&docs]);
    let open = |bytes: Vec<u8>, field: Option<&str>| {
        let options = OpenOptions {
            field: field.map(str::to_owned),
            ..OpenOptions::default()
        };
        let files = vec![("t.parquet".to_owned(), bytes)];
        let lens = Corpus::from_memory(Format::Parquet, files, &options)?.document_lens()?;
        Ok::<_, Error>(lens)
    };
    assert_eq!(open(sound.clone(), None).unwrap(), [2, 0, 1]);
    let cut = sound[..sound.len() - 20].to_vec();
    for (bytes, field, kind) in [
        (Vec::new(), None, ErrorKind::Corrupt),
        (cut, None, ErrorKind::Corrupt),
        (sound.clone(), Some("text"), ErrorKind::NotFound),
        (sound.clone(), Some("id"), ErrorKind::Unsupported),
    ] {
        assert_eq!(open(bytes, field).unwrap_err().kind(), kind, "{field:?}");
    }
    let nulls = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/nulls.parquet");
    let corpus = Corpus::open(&[nulls], &OpenOptions::default()).unwrap();
    let error = corpus.document_lens().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("a token of row 2"), "{error}");
}
