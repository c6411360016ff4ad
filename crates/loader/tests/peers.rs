//! Shards that other libraries wrote: `peers/mds_*` by mosaicml-streaming 0.13.0 (`MDSWriter`),
//! `peers/litdata_*` by litdata 0.2.76 (`BinaryWriter` with `TokensLoader` and `PyTreeLoader`),
//! `peers/parquet_*` by pyarrow 26.0.1, `peers/parquet_hf` by datasets 5.2.0.

use std::path::Path;

use nexus_loader::{
    Access, Corpus, Loader, LoaderOptions, OpenOptions, Rows, Shuffle, Split, Stored, Tail,
};

/// Document `n` of the six: `len` tokens, from `len` on in steps of 7.
fn docs() -> Vec<Vec<u16>> {
    let doc = |len: u16| (0..len).map(|at| at * 7 + len).collect();
    [5_u16, 8, 1, 13, 8, 3].into_iter().map(doc).collect()
}

#[test]
fn shards_of_other_libraries_give_their_documents() {
    let cases = [
        ("mds_bytes", None, Some(Stored::U16)),
        ("mds_typed", Some("tokens"), None),
        ("mds_dynamic", None, None),
        ("litdata_tokens", None, None),
        ("litdata_tree", Some("1"), None),
        ("litdata_tree", Some("t"), None),
        ("mds_zstd", Some("tokens"), Some(Stored::U16)),
        ("mds_zstd_typed", None, None),
        ("litdata_zstd", None, None),
        ("litdata_zstd_tree", Some("t"), None),
        ("parquet_snappy", None, None),
        ("parquet_zstd", Some("tokens"), None),
        ("parquet_plain", None, None),
        ("parquet_bytes", None, Some(Stored::U16)),
        ("parquet_hf", None, None),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    for (name, field, stored) in cases {
        for access in [Access::Map, Access::Read] {
            let options = OpenOptions {
                stored,
                field: field.map(str::to_owned),
                access,
                ..OpenOptions::default()
            };
            let corpus = Corpus::open(&[folder.join(name)], &options).unwrap();
            let lens: Vec<usize> = docs().iter().map(Vec::len).collect();
            let found = corpus.document_lens().unwrap();
            assert!(
                found.iter().map(|&len| len as usize).eq(lens),
                "{name}: {found:?}"
            );
            let options = LoaderOptions {
                shuffle: Shuffle::Never,
                split: Split {
                    tail: Tail::Keep,
                    ..Split::default()
                },
                ..LoaderOptions::default()
            };
            let mut loader = Loader::new(Rows::documents(corpus, 16).unwrap(), &options).unwrap();
            for doc in docs() {
                let batch = loader.next_batch().unwrap().unwrap();
                let bytes = batch.tokens().as_chunks::<2>().0.iter();
                let tokens: Vec<u16> = bytes.map(|&bytes| u16::from_le_bytes(bytes)).collect();
                assert_eq!(tokens[..doc.len()], doc, "{name}");
                assert!(
                    tokens[doc.len()..].iter().all(|&token| token == 0),
                    "{name}"
                );
            }
        }
    }
}
