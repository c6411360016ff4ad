//! Shards: every format gives the same documents, and every broken field is an error.

mod files;
mod formats;
mod samples;
mod tar;

use std::sync::Arc;

use files::{npy, u16s};
use formats::{megatron, safetensors};
use nexus_loader::{
    Corpus, Error, ErrorKind, Format, Loader, LoaderOptions, OpenOptions, Rows, Shuffle, Split,
    Stored, Tail,
};
use samples::samples;
use tar::{seal, tar};

fn docs() -> Vec<Vec<u16>> {
    vec![vec![1, 2, 3, 4, 5], vec![60_000, 7], vec![8, 9, 10]]
}

fn open(
    format: Format,
    files: &[(&str, Vec<u8>)],
    field: Option<&str>,
) -> Result<Arc<Corpus>, Error> {
    let files = files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
        .collect();
    let options = OpenOptions {
        stored: Some(Stored::U16),
        field: field.map(str::to_owned),
        ..OpenOptions::default()
    };
    Corpus::from_memory(format, files, &options)
}

/// The documents, each read as a padded row.
fn read(corpus: Arc<Corpus>) -> Result<Vec<Vec<u16>>, Error> {
    let lens = corpus.document_lens()?;
    let options = LoaderOptions {
        shuffle: Shuffle::Never,
        split: Split {
            tail: Tail::Keep,
            ..Split::default()
        },
        threads: 0,
        ..LoaderOptions::default()
    };
    let mut loader = Loader::new(Rows::documents(corpus, 16)?, &options)?;
    let mut all = Vec::new();
    for len in lens {
        let batch = loader.next_batch()?.expect("a batch for each document");
        let tokens = batch.tokens().as_chunks::<2>().0.iter();
        all.push(
            tokens
                .take(len as usize)
                .map(|&bytes| u16::from_le_bytes(bytes))
                .collect(),
        );
    }
    Ok(all)
}

fn mds_index(size: usize, encoding: &str, samples: usize) -> Vec<u8> {
    format!(
        r#"{{"version":2,"shards":[{{"column_encodings":["int","str","{encoding}"],"column_names":["id","text","tokens"],"column_sizes":[8,null,null],"compression":null,"format":"mds","hashes":[],"raw_data":{{"basename":"shard.00000.mds","bytes":{size},"hashes":{{}}}},"samples":{samples},"size_limit":67108864,"version":2,"zip_data":null}}]}}"#
    )
    .into_bytes()
}

fn mds_shard(encoding: &str) -> Vec<u8> {
    let sample = |doc: &Vec<u16>| {
        let mut tokens = match encoding {
            "ndarray" => vec![16, 1 << 2, doc.len() as u8],
            "ndarray:uint16" => vec![1 << 2, doc.len() as u8],
            _ => vec![],
        };
        tokens.extend(u16s(doc.iter().copied()));
        let mut sample = 3_u32.to_le_bytes().to_vec();
        sample.extend((tokens.len() as u32).to_le_bytes());
        sample.extend([9; 8]);
        sample.extend(b"abc");
        sample.extend(tokens);
        sample
    };
    samples("{}", &docs().iter().map(sample).collect::<Vec<_>>())
}

fn mds(encoding: &str) -> Vec<(&'static str, Vec<u8>)> {
    let shard = mds_shard(encoding);
    let index = mds_index(shard.len(), encoding, 3);
    vec![("index.json", index), ("shard.00000.mds", shard)]
}

fn litdata_index(dim: &str, format: &str) -> Vec<u8> {
    format!(
        r#"{{"chunks":[{{"chunk_bytes":9,"chunk_size":3,"dim":{dim},"filename":"chunk-0-0.bin"}}],"config":{{"chunk_bytes":null,"chunk_size":3,"compression":null,"data_format":{format},"data_spec":"","encryption":null,"item_loader":"TokensLoader"}},"updated_at":"1"}}"#
    )
    .into_bytes()
}

fn litdata(tree: bool) -> Vec<(&'static str, Vec<u8>)> {
    let sample = |doc: &Vec<u16>| {
        let tokens = u16s(doc.iter().copied());
        if !tree {
            return tokens;
        }
        let mut sample = 4_u32.to_le_bytes().to_vec();
        sample.extend((tokens.len() as u32).to_le_bytes());
        sample.extend([7, 0, 0, 0]);
        sample.extend(tokens);
        sample
    };
    let chunk = samples("", &docs().iter().map(sample).collect::<Vec<_>>());
    let index = if tree {
        litdata_index("null", r#"["no_header_tensor:16","no_header_tensor:20"]"#)
    } else {
        litdata_index("10", r#"["no_header_numpy:5"]"#)
    };
    vec![("index.json", index), ("chunk-0-0.bin", chunk)]
}

fn tar_of_npy() -> Vec<u8> {
    let arrays: Vec<Vec<u8>> = docs()
        .iter()
        .map(|doc| {
            npy(
                "<u2",
                &format!("({},)", doc.len()),
                &u16s(doc.iter().copied()),
            )
        })
        .collect();
    tar(&[
        ("a/1.npy", &arrays[0]),
        ("a/1.json", b"{}"),
        ("a/2.npy", &arrays[1]),
        ("README", b"none"),
        ("b.npy", &arrays[2]),
    ])
}

#[test]
fn every_format_gives_the_same_documents() {
    let (index, bin) = megatron(&docs());
    let bins: Vec<Vec<u8>> = docs().into_iter().map(u16s).collect();
    let tar_of_bin = tar(&[
        ("1.bin", &bins[0]),
        ("2.bin", &bins[1]),
        ("3.bin", &bins[2]),
    ]);
    let plain = ["a", "b", "c"].into_iter().zip(bins).collect::<Vec<_>>();
    let cases = [
        (
            Format::Megatron,
            vec![("x.idx", index), ("x.bin", bin)],
            None,
        ),
        (
            Format::Safetensors,
            vec![("x.safetensors", safetensors(&docs()))],
            None,
        ),
        (Format::Mds, mds("bytes"), None),
        (Format::Mds, mds("ndarray"), None),
        (Format::Mds, mds("ndarray:uint16"), Some("tokens")),
        (Format::Litdata, litdata(false), None),
        (Format::Litdata, litdata(true), Some("1")),
        (Format::Tar, vec![("x.tar", tar_of_npy())], None),
        (Format::Tar, vec![("x.tar", tar_of_bin)], Some("bin")),
        (Format::Plain, plain, None),
    ];
    for (format, files, field) in cases {
        let corpus =
            open(format, &files, field).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert_eq!(read(corpus).unwrap(), docs(), "{format:?} {field:?}");
    }
    let matrix = npy("<u2", "(2, 3)", &u16s(1..=6));
    let corpus = open(Format::Npy, &[("x.npy", matrix)], None).unwrap();
    assert_eq!(read(corpus).unwrap(), [[1, 2, 3], [4, 5, 6]]);
}

#[test]
fn windows_run_through_documents_where_these_lie_side_by_side() {
    let (index, bin) = megatron(&docs());
    let corpus = open(Format::Megatron, &[("x.idx", index), ("x.bin", bin)], None).unwrap();
    assert_eq!(Rows::windows(corpus, 4, 2).unwrap().count(), 4);
    let corpus = open(Format::Mds, &mds("bytes"), None).unwrap();
    assert_eq!(Rows::windows(corpus, 2, 2).unwrap().count(), 2 + 1 + 1);
    let corpus = open(Format::Litdata, &litdata(false), None).unwrap();
    assert_eq!(Rows::windows(corpus, 3, 3).unwrap().count(), 3);
}

#[test]
fn long_names_and_sizes_of_archives_are_read() {
    let name = format!("{}/{}.bin", "d".repeat(120), "s".repeat(150));
    let record = |text: &str| {
        let len = text.len() + 5;
        format!("{len} {text}\n")
    };
    let pax = record(&format!("path={name}"));
    let mut long = tar(&[("x", pax.as_bytes()), ("short", &u16s([1, 2]))]);
    long[156] = b'x';
    seal(&mut long[..512]);
    let corpus = open(Format::Tar, &[("x.tar", long)], Some("bin")).unwrap();
    assert_eq!(read(corpus).unwrap(), [[1, 2]]);

    let mut binary = tar(&[("a.bin", &u16s([1, 2]))]);
    binary[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
    seal(&mut binary[..512]);
    let corpus = open(Format::Tar, &[("x.tar", binary)], Some("bin")).unwrap();
    assert_eq!(read(corpus).unwrap(), [[1, 2]]);
}

/// A file with other bytes at a place.
fn patched(mut file: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// Opens and reads everything: the kind of the first error, and a part of its words.
fn check(format: Format, files: &[(&str, Vec<u8>)], kind: ErrorKind, words: &str) {
    let error = open(format, files, None)
        .and_then(read)
        .expect_err(&format!("{format:?}: {words}"));
    assert_eq!(error.kind(), kind, "{format:?}: {error}");
    assert!(
        error.to_string().contains(words),
        "{format:?}: {error}, not {words}"
    );
}

#[test]
fn broken_fields_of_megatron_indices_are_errors() {
    use ErrorKind::{Corrupt, Unsupported};
    let (index, bin) = megatron(&docs());
    let cases: [(usize, &[u8], ErrorKind, &str); 9] = [
        (0, b"X", Corrupt, "MMIDIDX"),
        (9, &[2], Unsupported, "version is 2"),
        (17, &[7], Unsupported, "floats"),
        (17, &[99], Corrupt, "code 99"),
        (18, &[255; 8], Corrupt, "do not fit"),
        (26, &[255; 8], Corrupt, "do not fit"),
        (34, &[255; 4], Corrupt, "-1 tokens"),
        (46, &[1], Corrupt, "inside of a token"),
        (70, &[1], Corrupt, "from sequence 1"),
    ];
    for (at, bytes, kind, words) in cases {
        let index = patched(index.clone(), at, bytes);
        check(
            Format::Megatron,
            &[("i", index), ("b", bin.clone())],
            kind,
            words,
        );
    }
    let short = bin[..bin.len() - 2].to_vec();
    check(
        Format::Megatron,
        &[("i", index.clone()), ("b", short)],
        Corrupt,
        "cannot find 3 tokens",
    );
    check(
        Format::Megatron,
        &[("i", index[..20].to_vec()), ("b", bin)],
        Corrupt,
        "the header",
    );
}

#[test]
fn broken_fields_of_samples_are_errors() {
    use ErrorKind::{Corrupt, InvalidInput, NotFound, Unsupported};
    let index = |encoding: &str| mds_index(mds_shard(encoding).len(), encoding, 3);
    let with =
        |index: Vec<u8>, shard: Vec<u8>| vec![("index.json", index), ("shard.00000.mds", shard)];
    let edit = |from: &str, to: &str| {
        let text = String::from_utf8(index("bytes")).unwrap();
        assert!(text.contains(from));
        with(text.replace(from, to).into_bytes(), mds_shard("bytes"))
    };
    let first = 4 * 5 + 2;
    let cases = [
        (edit("\"mds\"", "\"csv\""), Unsupported, "format \"csv\""),
        (edit("shard.00000.mds", "../x"), Corrupt, "leads out"),
        (edit("shard.00000.mds", "other"), NotFound, "no file"),
        (
            edit("\"tokens\"", "\"ids\""),
            NotFound,
            "no column \"tokens\"",
        ),
        (edit("\"id\",", ""), Corrupt, "other numbers"),
        (
            edit("\"bytes\"]", "\"pkl\"]"),
            Unsupported,
            "cannot be read as tokens",
        ),
        (
            edit("\"samples\":3", "\"samples\":4"),
            Corrupt,
            "3 samples, and 4",
        ),
        (
            edit("[8,null,null]", "[8,null"),
            Corrupt,
            "cannot read the index",
        ),
        (with(index("bytes"), vec![0; 3]), Corrupt, "3 bytes, and"),
        (
            with(index("bytes"), patched(mds_shard("bytes"), 16, &[255; 4])),
            Corrupt,
            "by its offsets",
        ),
        (
            with(index("bytes"), patched(mds_shard("bytes"), first, &[200])),
            Corrupt,
            "leave the sample",
        ),
        (
            with(index("bytes"), patched(mds_shard("bytes"), first + 4, &[9])),
            Corrupt,
            "do not fill 9",
        ),
        (
            with(
                index("ndarray"),
                patched(mds_shard("ndarray"), first + 19, &[34]),
            ),
            Unsupported,
            "floats",
        ),
        (
            with(
                index("ndarray"),
                patched(mds_shard("ndarray"), first + 19, &[1]),
            ),
            Corrupt,
            "code 1",
        ),
        (
            with(
                index("ndarray"),
                patched(mds_shard("ndarray"), first + 20, &[255]),
            ),
            Corrupt,
            "do not fill",
        ),
    ];
    for (files, kind, words) in cases {
        check(Format::Mds, &files, kind, words);
    }
    let files = mds("bytes")
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .collect();
    let error = Corpus::from_memory(Format::Mds, files, &OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), InvalidInput, "{error}");
}

#[test]
fn broken_fields_of_litdata_chunks_are_errors() {
    use ErrorKind::{Corrupt, NotFound, Unsupported};
    let edit = |from: &str, to: &str| {
        let mut files = litdata(false);
        let text = String::from_utf8(files[0].1.clone()).unwrap();
        assert!(text.contains(from));
        files[0].1 = text.replace(from, to).into_bytes();
        files
    };
    let chunk = |at, bytes: &[u8]| {
        let mut files = litdata(false);
        files[1].1 = patched(files[1].1.clone(), at, bytes);
        files
    };
    let cases = [
        (
            edit("\"compression\":null", "\"compression\":\"lz4\""),
            Unsupported,
            "packed",
        ),
        (
            edit(
                "\"compression\":null",
                "\"compression\":\"zstd\",\"compression_level\":\"batch\"",
            ),
            Unsupported,
            "packed by \"zstd\" each batch",
        ),
        (
            edit("\"compression\":null", "\"compression\":\"zstd\""),
            Corrupt,
            "cannot unpack",
        ),
        (
            edit("\"encryption\":null", "\"encryption\":{}"),
            Unsupported,
            "encrypted",
        ),
        (
            edit("no_header_numpy:5", "no_header_numpy:9"),
            Unsupported,
            "no_header_numpy:9",
        ),
        (edit("no_header_numpy:5", "jpeg"), Unsupported, "jpeg"),
        (
            edit("[\"no_header_numpy:5\"]", "[]"),
            NotFound,
            "among 0 leaves",
        ),
        (edit("chunk-0-0.bin", "/etc/passwd"), Corrupt, "leads out"),
        (
            edit("\"chunk_size\":3,\"dim\"", "\"chunk_size\":2,\"dim\""),
            Corrupt,
            "3 samples, and 2",
        ),
        (chunk(4, &[200]), Corrupt, "goes from byte 200"),
        (chunk(16, &[200]), Corrupt, "by its offsets"),
    ];
    for (files, kind, words) in cases {
        check(Format::Litdata, &files, kind, words);
    }
    let corpus = open(Format::Litdata, &edit("\"dim\":10", "\"dim\":11"), None).unwrap();
    assert_eq!(Rows::windows(corpus, 2, 2).unwrap_err().kind(), Corrupt);
}

#[test]
fn broken_fields_of_arrays_and_plain_files_are_errors() {
    use ErrorKind::{Corrupt, LimitReached, Unsupported};
    let data = u16s(1..=4);
    let cases = [
        (b"\x93NUMPX\x01\x00".to_vec(), Corrupt, "do not start"),
        (b"\x93NUMPY\x09\x00..".to_vec(), Unsupported, "version 9.0"),
        (npy("<f4", "(2,)", &data), Unsupported, "<f4"),
        (npy(">u2", "(2,)", &data), Unsupported, ">u2"),
        (npy("<u2", "(2, 3)", &data), Corrupt, "8 bytes of elements"),
        (
            npy("<u2", "(4611686018427387904, 8)", &data),
            Corrupt,
            "of elements",
        ),
        (
            npy("<u2", "(1, 2, 2)", &data),
            Unsupported,
            "shape [1, 2, 2]",
        ),
        (
            npy("<u2", "(4000000000, 0)", &[]),
            Unsupported,
            "rows are empty",
        ),
        (npy("<u2", "(x,)", &data), Corrupt, "expected a length"),
        (npy("<u2", "(2,", &data), Corrupt, "expected"),
        (
            patched(npy("<u2", "(2,)", &data), 8, &[255, 255]),
            Corrupt,
            "the header",
        ),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
            LimitReached,
            "NPY_HEADER_SIZE_MAX",
        ),
    ];
    for (file, kind, words) in cases {
        check(Format::Npy, &[("x.npy", file)], kind, words);
    }
    let fortran =
        String::from_utf8_lossy(&npy("<u2", "(2, 2)", &[])[10..]).replace("False", "True ");
    let mut file = npy("<u2", "(2, 2)", &[])[..10].to_vec();
    file.extend(fortran.bytes());
    file.extend(&data);
    check(Format::Npy, &[("x.npy", file)], Unsupported, "Fortran");
    check(
        Format::Plain,
        &[("x", vec![0; 3])],
        Corrupt,
        "3 bytes are not tokens",
    );
}

#[test]
fn broken_fields_of_archives_are_errors() {
    use ErrorKind::{Corrupt, LimitReached, NotFound, Unsupported};
    let array = npy("<u2", "(1,)", &[1, 0]);
    let wide = npy("<u4", "(1,)", &[1, 0, 0, 0]);
    let one = tar(&[("a.npy", &array)]);
    let resealed = |at: usize, bytes: &[u8]| {
        let mut file = patched(one.clone(), at, bytes);
        seal(&mut file[..512]);
        file
    };
    let mut unended = tar(&[("p", b"9 path=x\n")]);
    unended[156] = b'x';
    seal(&mut unended[..512]);
    let mut damaged = tar(&[("p", b"99 path=x\n"), ("a.npy", &array)]);
    damaged[156] = b'x';
    seal(&mut damaged[..512]);
    let mut large = tar(&[("p", &vec![b'x'; (1 << 20) + 1])]);
    large[156] = b'L';
    seal(&mut large[..512]);
    let cases = [
        (patched(one.clone(), 0, b"b"), Corrupt, "checksum"),
        (resealed(124, b"77777777777"), Corrupt, "beyond the end"),
        (resealed(124, b"xxxxxxxxxxx"), Corrupt, "size is damaged"),
        (one[..600].to_vec(), Corrupt, "beyond the end"),
        (unended, Corrupt, "without a member"),
        (damaged, Corrupt, "extended header is damaged"),
        (large, LimitReached, "TAR_HEADER_SIZE_MAX"),
        (
            tar(&[("a.npy", &array), ("b.cls", b"1")]),
            NotFound,
            "\"b\" has no member .npy",
        ),
        (
            tar(&[("a.npy", &array), ("a.npy", &array)]),
            Corrupt,
            "two members",
        ),
        (
            tar(&[("a.npy", &array), ("b.npy", &wide)]),
            Unsupported,
            "another type",
        ),
        (tar(&[("a.npy", b"no")]), Corrupt, "\"a.npy\""),
    ];
    for (file, kind, words) in cases {
        check(Format::Tar, &[("x.tar", file)], kind, words);
    }
}

#[test]
fn broken_fields_of_safetensors_are_errors() {
    use ErrorKind::{Corrupt, NotFound, Unsupported};
    let file = safetensors(&docs());
    let text = |from: &str, to: &str| {
        let at = file
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap();
        patched(file.clone(), at, to.as_bytes())
    };
    let bounds = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let cases = [
        (file[..file.len() - 2].to_vec(), Corrupt, ""),
        (text("\"tokens\":", "\"others\":"), NotFound, "`tokens`"),
        (text("\"U16\"", "\"F16\""), Unsupported, "holds F16"),
        (text("\"I64\"", "\"F64\""), Unsupported, "row of I64"),
        (
            patched(file.clone(), bounds, &[1]),
            Corrupt,
            "does not go from 0 to 10",
        ),
        (
            patched(file.clone(), bounds + 8, &[255]),
            Corrupt,
            "goes from token",
        ),
    ];
    for (file, kind, words) in cases {
        check(Format::Safetensors, &[("x.safetensors", file)], kind, words);
    }
}
