//! What is written, in each format: columns, shards, the same bytes, no traces of failures.

use crate::harness::{check_error, error, folder, names, options, rows, tokenizer, values};
use arrow_array::{ArrayRef, BinaryArray, RecordBatch, StringArray, UInt64Array};
use nexus_data::{ErrorKind, ExactCopies, Format, NearCopies, Output, Pipeline, TokenType};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A few hundred documents of different sizes, read from three files.
fn corpus() -> tempfile::TempDir {
    let lines = |from: usize| {
        let line = |n: usize| {
            // Words that no compressor makes much shorter.
            let word = |k: usize| format!("{:x} ", xxhash_rust::xxh3::xxh3_64(&[n as u8, k as u8]));
            let text: String = (0..=n % 97).map(word).collect();
            serde_json::json!({"id": format!("d{n}"), "text": text, "n": n}).to_string() + "\n"
        };
        (from..from + 200).map(line).collect::<String>()
    };
    let (a, c) = (lines(0), lines(200));
    folder(&[
        ("a.jsonl", a.as_bytes()),
        ("b.txt", "é 語\n🙂".as_bytes()),
        ("c.jsonl", c.as_bytes()),
    ])
}

fn is_tokens(format: Format) -> bool {
    matches!(format, Format::Megatron | Format::Safetensors)
}

/// Names and bytes of all files below a folder.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |name: PathBuf| {
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        (name, bytes)
    };
    names(folder).into_iter().map(read).collect()
}

#[test]
fn each_format_is_read_back_as_it_was_written() {
    let source = corpus();
    let (expected, _) = rows(Pipeline::read(source.path()), &options(1, 64));
    let out = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        if is_tokens(format) || format == Format::Mds {
            continue;
        }
        let path = out.path().join(format!("x.{}", format.ending()));
        let report = Pipeline::read(source.path())
            .write(&path)
            .run(&options(3, 50))
            .unwrap();
        assert_eq!(report.rows(), 401, "{format:?}");
        let (found, report) = rows(Pipeline::read(&path), &options(2, 33));
        assert_eq!(report.rejected.count, 0, "{format:?}: {report:?}");
        for key in ["id", "text"] {
            assert_eq!(values(&found, key), values(&expected, key), "{format:?}");
        }
        for (found, expected) in found.iter().zip(&expected) {
            for key in ["source", "line"] {
                assert_eq!(found["fields"][key], expected[key], "{format:?}");
            }
            assert_eq!(found["fields"]["n"], expected["fields"]["n"], "{format:?}");
        }
    }
}

#[test]
fn shards_have_the_same_bytes_for_any_number_of_threads() {
    let source = corpus();
    let tokenizer = Arc::new(tokenizer());
    for format in Format::ALL {
        let out = tempfile::tempdir().unwrap();
        let mut outputs = Vec::new();
        for threads in [1, 2, 7] {
            let path = out.path().join(format!("{threads}"));
            let output = Output::new(&path).format(format).shard_size_bytes(32 << 10);
            let pipeline = Pipeline::read(source.path())
                .tokenize(tokenizer.clone())
                .write(output);
            let report = pipeline.run(&options(threads, 11)).unwrap();
            assert_eq!(report.rows(), 401);
            let manifest = std::fs::read(path.join("_manifest.json")).unwrap();
            let manifest: Value = serde_json::from_slice(&manifest).unwrap();
            let shards = manifest["shards"].as_array().unwrap();
            let rows: u64 = shards
                .iter()
                .map(|shard| shard["rows"].as_u64().unwrap())
                .sum();
            assert_eq!((rows, &manifest["rows"]), (401, &401.into()));
            assert_eq!(manifest["format"], format.name());
            assert!(shards.len() > 1, "{format:?}");
            let first = &shards[0]["files"][0];
            assert_eq!(first["name"], format!("part-00000.{}", format.ending()));
            let bytes = std::fs::read(path.join("part-00000.").with_extension(format.ending()));
            let bytes = bytes.unwrap();
            assert_eq!(first["bytes"], bytes.len());
            let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes));
            assert_eq!(first["xxh3"], hash);
            outputs.push(contents(&path));
        }
        assert!(
            outputs.windows(2).all(|pair| pair[0] == pair[1]),
            "{format:?}"
        );
        // Nothing else is left.
        assert_eq!(names(out.path()).len(), 3);
    }
}

#[test]
fn a_shard_ends_with_the_row_that_reaches_its_size() {
    let source = corpus();
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("x");
    let output = Output::new(&path)
        .format(Format::Jsonl)
        .shard_size_bytes(10_000);
    Pipeline::read(source.path())
        .write(output)
        .run(&options(2, 100))
        .unwrap();
    let mut shards = contents(&path);
    shards.retain(|(name, _)| name.to_string_lossy().ends_with("jsonl"));
    let (last, others) = shards.split_last().unwrap();
    for (name, bytes) in others {
        assert!(
            (10_000..12_000).contains(&bytes.len()),
            "{name:?}: {}",
            bytes.len()
        );
        assert_eq!(bytes.last(), Some(&b'\n'));
    }
    assert!(last.1.len() < 12_000);
    // The folder is read as one source, in order.
    let (found, report) = rows(Pipeline::read(&path), &options(2, 7));
    assert_eq!((found.len(), report.skipped.count), (401, 0));
    assert_eq!(found[400]["id"], "d399");
}

#[test]
fn an_output_without_rows_has_its_columns() {
    let source = folder(&[("a.jsonl", b"{\"text\":\"x\"}\n")]);
    let out = tempfile::tempdir().unwrap();
    for name in [
        "x.parquet",
        "x.arrow",
        "x.arrows",
        "x.jsonl.zst",
        "x.jsonl.gz",
        "x.tar",
    ] {
        let path = out.path().join(name);
        let report = Pipeline::read(source.path())
            .filter(|_| false)
            .write(&path)
            .run(&options(2, 1))
            .unwrap();
        assert_eq!(report.rows(), 0);
        let (found, report) = rows(Pipeline::read(&path), &options(1, 1));
        assert_eq!(
            (found.len(), report.rejected.count),
            (0, 0),
            "{name}: {report:?}"
        );
    }
}

#[test]
fn a_folder_is_replaced_only_when_a_pipeline_wrote_it() {
    let source = folder(&[("a.txt", b"a"), ("others/mine.txt", b"mine")]);
    let write = |path: &Path| {
        let output = Output::new(path).format(Format::Parquet);
        Pipeline::read(source.path().join("a.txt"))
            .write(output)
            .run(&options(1, 1))
    };
    let error = write(&source.path().join("others")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("holds other files"), "{error}");
    assert!(
        write(&source.path().join("a.txt"))
            .unwrap_err()
            .to_string()
            .contains("there is a file")
    );

    let path = source.path().join("x");
    write(&path).unwrap();
    let first = contents(&path);
    std::fs::write(path.join("part-00009.parquet"), b"of an older run").unwrap();
    write(&path).unwrap();
    assert_eq!(contents(&path), first);
    let mut left = names(source.path());
    left.retain(|name| name.to_string_lossy().starts_with('.'));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn failed_runs_leave_no_trace_in_any_format() {
    let source = corpus();
    let tokenizer = Arc::new(tokenizer());
    let out = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        for output in [
            Output::new(out.path().join("x"))
                .format(format)
                .shard_size_bytes(2000),
            Output::new(out.path().join(format!("x.{}", format.ending()))),
        ] {
            let pipeline = Pipeline::read(source.path())
                .tokenize(tokenizer.clone())
                .map_batches("picky", |batch| {
                    let ids = batch.column(0).as_any().downcast_ref::<StringArray>();
                    if ids.is_some_and(|ids| ids.iter().flatten().any(|id| id == "d300")) {
                        return Err("refused".into());
                    }
                    Ok(batch)
                })
                .write(output);
            let error = pipeline.run(&options(3, 10)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Function, "{format:?}: {error}");
            assert!(names(out.path()).is_empty(), "{format:?}");
        }
    }
}

#[test]
fn what_a_format_has_no_form_for_is_refused_before_anything_is_read() {
    let source = folder(&[("a.txt", b"word")]);
    let read = || Pipeline::read(source.path());
    let out = tempfile::tempdir().unwrap();
    let path = |name: &str| out.path().join(name);
    for (pipeline, kind, message, hint) in [
        (
            read().write(path("x")),
            ErrorKind::InvalidInput,
            "says no format",
            "folder of shards",
        ),
        (
            read().write(path("x.bin")),
            ErrorKind::InvalidInput,
            "needs the column `ids`",
            "tokenize",
        ),
        (
            read().write(path("x.safetensors")),
            ErrorKind::InvalidInput,
            "needs the column `ids`",
            "tokenize",
        ),
        (
            read().write(path("no/x.parquet")),
            ErrorKind::NotFound,
            "create a file",
            "",
        ),
        (
            read().write(
                Output::new(path("x"))
                    .format(Format::Mds)
                    .shard_size_bytes(1),
            ),
            ErrorKind::LimitReached,
            "must be from 1024",
            "",
        ),
    ] {
        let error = check_error(&pipeline, kind, message, hint);
        assert!(names(out.path()).is_empty(), "{error}");
    }
}

#[test]
fn batches_must_fit_each_other_and_their_format() {
    let out = tempfile::tempdir().unwrap();
    let batch =
        |name: &str, column: ArrayRef| RecordBatch::try_from_iter([(name, column)]).unwrap();
    let text = || batch("text", Arc::new(StringArray::from(vec![Some("a")])));
    let null = batch("text", Arc::new(StringArray::from(vec![None::<&str>])));
    let number = batch("text", Arc::new(UInt64Array::from(vec![1])));
    let binary = batch("text", Arc::new(BinaryArray::from(vec![b"x".as_slice()])));
    for (name, batches, message) in [
        (
            "x.parquet",
            vec![text(), number.clone()],
            "not those of the first one",
        ),
        (
            "x.arrow",
            vec![text(), number.clone()],
            "not those of the first one",
        ),
        ("x.mds", vec![text(), number], "not those of the first one"),
        ("x.mds", vec![text(), null.clone()], "has nulls"),
        (
            "x.jsonl",
            vec![binary.clone()],
            "`text` of type Binary has no form in JSON",
        ),
        (
            "x.tar",
            vec![binary],
            "`text` of type Binary has no form in JSON",
        ),
    ] {
        let pipeline = Pipeline::batches(batches).write(out.path().join(name));
        let error = error(&pipeline);
        assert!(error.to_string().contains(message), "{name}: {error}");
        assert!(names(out.path()).is_empty(), "{error}");
    }
    // Nulls where there were none before are no other column.
    for name in ["x.parquet", "x.arrow", "x.jsonl.zst"] {
        let path = out.path().join(name);
        let pipeline = Pipeline::batches(vec![text(), null.clone()]).write(&path);
        assert_eq!(pipeline.run(&options(1, 1)).unwrap().rows(), 2);
        let (found, report) = rows(Pipeline::read(&path), &options(1, 9));
        assert_eq!(
            (values(&found, "text"), report.rejected.count),
            (vec!["a"], 1)
        );
        assert_eq!(report.rejected.samples[0].line, Some(2));
    }
}

#[test]
fn token_files_have_the_bytes_of_their_formats() {
    let source = folder(&[
        ("a.txt", b"word longer"),
        ("b.txt", b""),
        ("c.txt", b"word . word"),
    ]);
    let out = tempfile::tempdir().unwrap();
    let write = |name: &str, token_type| {
        let output = Output::new(out.path().join(name)).token_type(token_type);
        let pipeline = Pipeline::read(source.path())
            .tokenize(tokenizer())
            .write(output);
        assert_eq!(pipeline.run(&options(2, 1)).unwrap().rows(), 3);
    };
    write("x.bin", TokenType::U16);
    assert_eq!(
        std::fs::read(out.path().join("x.bin")).unwrap(),
        [5, 0, 6, 0, 5, 0, 7, 0, 5, 0]
    );
    let mut index = b"MMIDIDX\0\0\x01\0\0\0\0\0\0\0\x08".to_vec();
    let long = |values: &[u64]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    index.extend(long(&[3, 4]));
    index.extend([2_i32, 0, 3].iter().flat_map(|v| v.to_le_bytes()));
    index.extend(long(&[0, 4, 4, 0, 1, 2, 3]));
    assert_eq!(std::fs::read(out.path().join("x.idx")).unwrap(), index);

    write("x.safetensors", TokenType::U32);
    let bytes = std::fs::read(out.path().join("x.safetensors")).unwrap();
    let file = nexus_safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ids = file.tensor("ids").unwrap();
    assert_eq!((ids.shape(), ids.data().len()), ([5].as_slice(), 20));
    assert_eq!(file.tensor("offsets").unwrap().data(), long(&[0, 2, 2, 5]));
}

#[test]
fn token_ids_that_do_not_fit_are_an_error() {
    let words: Vec<_> = (0..70_000).map(|n| format!("w{n}")).collect();
    let vocabulary = format!("[UNK]\n{}", words.join("\n"));
    let tokenizer =
        nexus_tokenizer::WordPiece::from_vocab(vocabulary.as_bytes(), nexus_tokenizer::Case::Lower);
    let source = folder(&[("a.txt", b"w1 w69999")]);
    let output = Output::new(source.path().join("x.bin")).token_type(TokenType::U16);
    let pipeline = Pipeline::read(source.path())
        .tokenize(tokenizer.unwrap())
        .write(output);
    let error = error(&pipeline);
    assert_eq!(
        error.to_string(),
        "the token id 70000 does not fit into uint16"
    );
    assert!(error.hint().unwrap().contains("uint32"));
}

/// Runs itself with files limited to 64 KiB, as on a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_leaves_no_trace() {
    const INNER: &str = "NEXUS_TEST_FULL_DISK";
    const NAME: &str = "write::a_full_disk_is_an_error_and_leaves_no_trace";
    if std::env::var_os(INNER).is_none() {
        let program = std::env::current_exe().unwrap();
        let limited =
            format!("trap '' XFSZ; ulimit -f 128; exec \"$0\" --exact {NAME} --nocapture");
        let done = std::process::Command::new("sh")
            .args(["-c", &limited])
            .arg(program)
            .env(INNER, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(
            done.status.success() && said.contains("10 outputs refused"),
            "{said}"
        );
        return;
    }
    let text = |n: usize| format!("{:x}", (n as u128).wrapping_pow(9) | 1 << 100);
    let lines: Vec<_> = (0..20_000)
        .map(|n| StringArray::from(vec![text(n) + &text(n + 7)]))
        .map(|column| RecordBatch::try_from_iter([("text", Arc::new(column) as ArrayRef)]).unwrap())
        .collect();
    let letters = Arc::new(tokenizer());
    let out = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for format in Format::ALL {
        let output = Output::new(out.path().join(format!("x.{}", format.ending())));
        let mut pipeline = Pipeline::batches(lines.clone());
        if is_tokens(format) {
            pipeline = pipeline.tokenize(letters.clone());
        }
        let error = pipeline.write(output).run(&options(2, 100)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{format:?}: {error}");
        assert!(error.to_string().contains("x."), "{error}");
        assert!(names(out.path()).is_empty(), "{format:?}");
        refused += 1;
    }
    println!("{refused} outputs refused");
}

#[test]
fn what_would_take_the_place_of_something_else_is_refused_before_a_file_is_read() {
    let folder = folder(&[("in/a.txt", b"a text")]);
    let path = |name: &str| folder.path().join(name);
    let read = || Pipeline::read("/there/is/no/such/folder");
    let shards = || Output::new(path("out")).format(Format::Parquet);
    let exact = |index: &str| ExactCopies {
        write_index: Some(path(index)),
        ..ExactCopies::default()
    };
    let near = |index: &str| NearCopies {
        write_index: Some(path(index)),
        ..NearCopies::default()
    };
    for (pipeline, what) in [
        (
            read().write_jsonl(path("x")).write_rejects(path("x")),
            "rejects",
        ),
        (
            read().write_rejects(path("in/../x")).write_audit(path("x")),
            "the audit",
        ),
        (
            read().write(shards()).write_rejects(path("out/rejects")),
            "rejects",
        ),
        (
            read().dedup_exact_with(exact("out")).write(shards()),
            "an index",
        ),
        (
            read().dedup_exact_with(exact("x")).dedup_near(near("x")),
            "an index",
        ),
    ] {
        let message = format!("cannot write {what} to");
        check_error(
            &pipeline,
            ErrorKind::InvalidInput,
            &message,
            "a place of its own",
        );
    }
    assert_eq!(names(folder.path()), [PathBuf::from("in")]);
}
