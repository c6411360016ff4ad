//! Images: where they are read, which stay, what is written of them.

use crate::harness::{error, folder, options, read_jsonl, rows, values};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt8Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, Int32Array, LargeBinaryArray, RecordBatch,
    StringArray, StructArray,
};
use arrow_schema::{DataType, Field};
use nexus_data::{
    ErrorKind, Format, ImageCopies, ImageHash, ImageRules, ImageTensors, Output, Pipeline,
    PixelType, Report, RunOptions, columns,
};
use nexus_image::{Frame, Layout, Limits, SampleKey, Scratch, Transform, TransformOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An image of the crate that decodes them.
pub(crate) fn image(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../image/tests/files");
    std::fs::read(path.join(name)).unwrap()
}

/// A tar archive of these members.
pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in members {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        block[148..156].fill(b' ');
        block[156] = b'0';
        block[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend_from_slice(&block);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.extend_from_slice(&[0; 1024]);
    out
}

/// An Arrow file of these columns.
fn arrow(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Ids, texts and images of all rows.
fn read(pipeline: &Pipeline, options: &RunOptions) -> (Vec<(String, String, Vec<u8>)>, Report) {
    let mut rows = Vec::new();
    let report = pipeline.for_each(options, |batch| {
        let strings = |name| {
            batch
                .column_by_name(name)
                .unwrap()
                .as_string::<i32>()
                .clone()
        };
        let (ids, texts) = (strings("id"), strings("text"));
        let images = batch.column_by_name(columns::IMAGE).ok_or("no image")?;
        let images = images.as_binary::<i32>();
        for row in 0..batch.num_rows() {
            let image = images.is_valid(row).then(|| images.value(row).to_vec());
            rows.push((
                ids.value(row).into(),
                texts.value(row).into(),
                image.unwrap_or_default(),
            ));
        }
        Ok(())
    });
    (rows, report.unwrap())
}

fn row(id: &str, text: &str, name: &str) -> (String, String, Vec<u8>) {
    let image = if name.is_empty() {
        Vec::new()
    } else {
        image(name)
    };
    (id.to_owned(), text.to_owned(), image)
}

fn dropped(report: &Report) -> Vec<(&str, &str, u64)> {
    let dropped = report.dropped.iter();
    dropped
        .map(|each| (&*each.step, &*each.reason, each.count))
        .collect()
}

pub(crate) fn any() -> ImageRules {
    ImageRules::default()
}

#[test]
fn files_of_images_are_rows_where_a_step_asks_for_them() {
    let source = folder(&[
        ("a.JPEG", &image("s420.jpg")),
        ("b.txt", b"no image"),
        ("c/d.webp", &image("lossy.webp")),
        ("e.png", b"no image either"),
        ("f.jsonl", b"{\"text\": \"nor this\"}\n"),
    ]);
    let texts = Pipeline::read(source.path());
    let (found, report) = rows(texts.clone(), &options(1, 10));
    assert_eq!(values(&found, "id"), ["b.txt", "f.jsonl:1"]);
    assert_eq!(report.skipped.count, 3);

    let rules = ImageRules {
        required: false,
        ..any()
    };
    let images = Pipeline::read(source.path()).images(rules);
    for options in [options(1, 10), options(3, 1)] {
        let (found, report) = read(&images, &options);
        let expected = [
            row("a.JPEG", "", "s420.jpg"),
            row("b.txt", "no image", ""),
            row("c/d.webp", "", "lossy.webp"),
            row("f.jsonl:1", "nor this", ""),
        ];
        assert_eq!(found, expected);
        assert_eq!((report.skipped.count, report.rejected.count), (0, 1));
        let reject = &report.rejected.samples[0];
        assert!(
            reject.file.ends_with("e.png") && reject.line.is_none(),
            "{reject}"
        );
        assert!(reject.reason.contains("no JPEG, PNG or WebP"), "{reject}");
    }
    let (found, report) = read(&Pipeline::read(source.path()).images(any()), &options(2, 2));
    assert_eq!(found.len(), 2);
    assert_eq!(dropped(&report), [("images", "no_image", 2)]);
}

#[test]
fn a_folder_of_images_alone_has_nothing_to_read_for_texts() {
    let source = folder(&[("a.jpg", &image("s420.jpg"))]);
    let found = error(&Pipeline::read(source.path()));
    assert_eq!(found.kind(), ErrorKind::NotFound);
    assert!(found.to_string().contains("(1 of other kinds)"), "{found}");
    let file = source.path().join("a.jpg");
    assert_eq!(error(&Pipeline::read(&file)).kind(), ErrorKind::Unsupported);
    let (found, _) = read(&Pipeline::read(&file).images(any()), &options(1, 1));
    assert_eq!(found, [row("a.jpg", "", "s420.jpg")]);
}

#[test]
fn samples_of_archives_have_their_image_and_its_name() {
    let (jpeg, png) = (image("s420.jpg"), image("rgb.png"));
    let archive = tar(&[
        ("a.jpg", &jpeg),
        ("a.txt", b"a caption"),
        ("a.json", b"{\"id\": \"first\", \"license\": \"BSD\"}"),
        ("b.png", &png),
        ("b.cls", b"7"),
        ("b.seg.PNG", &png),
        ("c.txt", b"no image"),
        ("d.jpg", &jpeg[..700]),
        ("d.txt", b"broken"),
        ("e.gif", b"GIF89a"),
    ]);
    let source = folder(&[("x.tar", &archive)]);
    let path = source.path().join("x.tar");
    let images = Pipeline::read(&path).images(any());
    let (found, report) = read(&images, &options(2, 2));
    let expected = [
        row("first", "a caption", "s420.jpg"),
        row("x.tar:b", "", "rgb.png"),
    ];
    assert_eq!(found, expected);
    assert_eq!(dropped(&report), [("images", "no_image", 1)]);
    let rejects: Vec<_> = report
        .rejected
        .samples
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut sorted = rejects.clone();
    sorted.sort();
    let d = &sorted[0];
    assert!(
        d.contains("x.tar:4: the image `d.jpg`: cannot decode the JPEG of 40x27"),
        "{d}"
    );
    assert!(
        sorted[1].contains("x.tar:5: the sample has no text"),
        "{}",
        sorted[1]
    );
    assert_eq!(report.rejected.count, 2);

    let out = source.path().join("out.parquet");
    images.write(&out).run(&options(1, 9)).unwrap();
    let fields = read_fields(&out);
    assert_eq!(
        (&fields[0]["image"], &fields[0]["license"]),
        (&"a.jpg".into(), &"BSD".into())
    );
    assert_eq!(
        (&fields[1]["image"], &fields[1]["cls"]),
        (&"b.png".into(), &"7".into())
    );
    assert_eq!(fields[1]["members"], serde_json::json!(["seg.PNG"]));
}

/// The fields of the rows of a file with images.
fn read_fields(path: &Path) -> Vec<serde_json::Value> {
    let mut fields = Vec::new();
    let pipeline = Pipeline::read(path).images(any());
    let report = pipeline.for_each(&options(1, 9), |batch| {
        let column = batch.column_by_name("fields").ok_or("no fields")?;
        for text in column.as_string::<i32>().iter().flatten() {
            fields.push(serde_json::from_str(text)?);
        }
        Ok(())
    });
    report.unwrap();
    fields
}

#[test]
fn tables_have_images_as_bytes_or_as_structs() {
    let (jpeg, png) = (image("s420.jpg"), image("rgb.png"));
    let images = vec![Some(jpeg.as_slice()), None, Some(png.as_slice())];
    let parts = StructArray::from(vec![
        (
            Arc::new(Field::new("bytes", DataType::Binary, true)),
            Arc::new(BinaryArray::from(images.clone())) as ArrayRef,
        ),
        (
            Arc::new(Field::new("path", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("a.jpg"), None, None])) as ArrayRef,
        ),
    ]);
    let columns: [ArrayRef; 4] = [
        Arc::new(BinaryArray::from(images.clone())),
        Arc::new(LargeBinaryArray::from(images.clone())),
        Arc::new(BinaryViewArray::from(images)),
        Arc::new(parts),
    ];
    let labels: ArrayRef = Arc::new(Int32Array::from(vec![3, 4, 5]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a caption"), None, None]));
    for column in columns {
        let (column, kind) = (column.clone(), column.data_type().clone());
        let source = folder(&[(
            "x.arrow",
            &arrow(vec![
                ("picture", column),
                ("label", labels.clone()),
                ("text", texts.clone()),
            ]),
        )]);
        let path = source.path().join("x.arrow");
        let rules = ImageRules {
            column: "picture".to_owned(),
            required: false,
            ..any()
        };
        let pipeline = Pipeline::read(&path).images(rules);
        for batch_size_bytes in [1, 1 << 20] {
            let options = RunOptions {
                batch_size_bytes,
                ..options(2, 9)
            };
            let (found, report) = read(&pipeline, &options);
            let expected = [
                row("x.arrow:1", "a caption", "s420.jpg"),
                row("x.arrow:2", "", ""),
                row("x.arrow:3", "", "rgb.png"),
            ];
            assert_eq!(found, expected, "{kind}: {report:?}");
        }
        // The name of the struct and other columns are fields; bytes are not.
        let out = source.path().join("out.parquet");
        pipeline.write(&out).run(&options(1, 9)).unwrap();
        let fields = read_fields(&out);
        assert_eq!(fields.len(), 2);
        assert_eq!(fields[0]["label"], 3);
        let is_named = matches!(kind, DataType::Struct(_));
        assert_eq!(fields[0]["image"].as_str(), is_named.then_some("a.jpg"));
        assert!(fields[0].get("picture").is_none());
    }
}

#[test]
fn tables_without_images_are_rejected_with_the_reason() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["text"]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"x".as_slice()]));
    let source = folder(&[
        ("a.arrow", &arrow(vec![("image", numbers.clone())])),
        ("b.arrow", &arrow(vec![("other", numbers)])),
        (
            "c.arrow",
            &arrow(vec![("text", texts.clone()), ("mask", bytes)]),
        ),
        ("d.arrow", &arrow(vec![("text", texts)])),
    ]);
    let (_, report) = rows(
        Pipeline::read(source.path())
            .images(ImageRules {
                required: false,
                ..any()
            })
            .map_batches("drop", |batch| {
                let texts = batch.project(&[0, 1])?;
                Ok(texts)
            }),
        &options(1, 9),
    );
    let reasons: Vec<_> = report
        .rejected
        .samples
        .iter()
        .map(|each| &*each.reason)
        .collect();
    assert_eq!(report.rows(), 1);
    assert_eq!(
        reasons,
        [
            "the column `image` holds no images: it is Int32, neither bytes nor a struct with `bytes`",
            "there is neither a column `text` nor `image` among other",
            "the column `mask` of type Binary has no form in JSON",
        ]
    );
}

#[test]
fn an_image_that_is_too_large_for_a_batch_is_rejected() {
    let (png, large) = (image("rgb.png"), vec![0; (64 << 20) + 1]);
    let images: ArrayRef = Arc::new(LargeBinaryArray::from(vec![large.as_slice(), &png]));
    let source = folder(&[("x.arrow", &arrow(vec![("image", images)]))]);
    let (found, report) = read(&Pipeline::read(source.path()).images(any()), &options(1, 9));
    assert_eq!(found, [row("x.arrow:2", "", "rgb.png")]);
    assert_eq!(report.rejected.count, 1);
    let reject = report.rejected.samples[0].to_string();
    assert!(
        reject.contains("x.arrow:1: the image is larger than DOCUMENT_SIZE_MAX"),
        "{reject}"
    );
}

#[test]
fn rules_drop_small_and_long_images_and_reject_large_ones() {
    let source = folder(&[
        ("a.png", &image("rgb.png")),     // 97x70
        ("b.jpg", &image("s420.jpg")),    // 40x27
        ("c.jpg", &image("turned6.jpg")), // 24x16, turned
        ("d.png", &image("deep0.png")),   // 7x6
    ]);
    for (rules, ids, reasons, rejected) in [
        (any(), "abcd", vec![], 0),
        (
            ImageRules {
                min_size: 27,
                ..any()
            },
            "ab",
            vec![("images", "small", 2)],
            0,
        ),
        (
            ImageRules {
                max_aspect: Some(1.4),
                ..any()
            },
            "ad",
            vec![("images", "aspect", 2)],
            0,
        ),
        (
            ImageRules {
                max_pixels: 40 * 27,
                ..any()
            },
            "bcd",
            vec![],
            1,
        ),
    ] {
        let pipeline = Pipeline::read(source.path()).images(rules.clone());
        let (found, report) = read(&pipeline, &options(2, 3));
        let found: String = found.iter().map(|row| &row.0[..1]).collect();
        assert_eq!(found, ids, "{rules:?}");
        assert_eq!(dropped(&report), reasons, "{rules:?}");
        assert_eq!(report.rejected.count, rejected, "{rules:?}");
    }
}

#[test]
fn copies_are_found_in_the_order_of_documents_for_any_number_of_threads() {
    // The hashes of these four images differ in 3 bits at most; that of `m` in many.
    let names = ["grey.png", "lossless.webp", "lossy.webp", "rgba.png"];
    let files: Vec<_> = (0..40)
        .map(|n| (format!("{n:02}.img"), image(names[n % 4])))
        .collect();
    let mut members: Vec<(String, &[u8])> = Vec::new();
    for (n, (_, bytes)) in files.iter().enumerate() {
        let name = if n % 10 == 3 { "txt" } else { "png" };
        members.push((format!("{n:02}.{name}"), bytes));
    }
    let other = image("rgb.png");
    members.push(("m.png".to_owned(), &other));
    let members: Vec<_> = members
        .iter()
        .map(|(name, bytes)| {
            (
                name.as_str(),
                if name.ends_with("txt") {
                    b"text".as_slice()
                } else {
                    *bytes
                },
            )
        })
        .collect();
    let source = folder(&[("x.tar", &tar(&members))]);
    let path = source.path().join("x.tar");
    for (hash, distance, expected) in [
        (ImageHash::Phash, 6, vec!["x.tar:00", "x.tar:m"]),
        (ImageHash::Phash, 0, vec!["x.tar:00", "x.tar:02", "x.tar:m"]),
        (ImageHash::Dhash, 4, vec!["x.tar:00", "x.tar:m"]),
    ] {
        let mut audits = Vec::new();
        for (threads, batch_rows) in [(1, 100), (2, 1), (7, 3)] {
            let audit = source.path().join("audit.jsonl");
            let copies = ImageCopies { hash, distance };
            let pipeline = Pipeline::read(&path)
                .images(any())
                .dedup_images(copies)
                .write_audit(&audit);
            let (found, report) = read(&pipeline, &options(threads, batch_rows));
            let ids: Vec<_> = found.iter().map(|row| row.0.as_str()).collect();
            assert_eq!(ids, expected, "{hash:?} {distance} {threads}");
            assert_eq!(report.duplicates, 37 - expected.len() as u64);
            let steps: Vec<_> = report
                .steps
                .iter()
                .map(|step| (&*step.name, step.rows_out))
                .collect();
            let left = expected.len() as u64;
            assert_eq!(steps[1..3], [("images", 37), ("dedup_images", left)]);
            let lines = read_jsonl(&audit).into_iter();
            audits.push(
                lines
                    .filter(|line| line["step"] == "dedup_images")
                    .collect::<Vec<_>>(),
            );
        }
        assert!(audits.windows(2).all(|pair| pair[0] == pair[1]));
        let copies = &audits[0];
        assert_eq!(copies.len(), 37 - expected.len());
        assert!(
            copies
                .iter()
                .all(|line| expected.contains(&line["duplicate_of"].as_str().unwrap()))
        );
        let similarity = copies[0]["similarity"].as_f64().unwrap();
        assert!((0.9..=1.0).contains(&similarity), "{similarity}");
    }
}

#[test]
fn steps_that_do_not_follow_each_other_find_the_same() {
    let source = folder(&[
        ("a.png", &image("grey.png")),
        ("b.webp", &image("lossless.webp")),
        ("c.png", &image("rgb.png")),
        ("d.jpg", &image("s420.jpg")[..200]),
    ]);
    let images = || Pipeline::read(source.path()).images(any());
    let together = images().dedup_images(ImageCopies::default());
    let apart = images().clean().dedup_images(ImageCopies::default());
    let (found, report) = read(&together, &options(2, 1));
    assert_eq!(found.len(), 2);
    let (other, other_report) = read(&apart, &options(2, 1));
    assert_eq!((found, report.duplicates), (other, other_report.duplicates));
}

#[test]
fn images_are_written_and_read_back_as_they_were() {
    let jpeg = image("s420.jpg");
    let archive = tar(&[
        ("a.jpg", &jpeg),
        ("a.txt", b"a caption"),
        ("b.webp", &image("lossy.webp")),
        ("c.png", &image("rgb.png")),
    ]);
    let source = folder(&[("x.tar", &archive)]);
    let images = Pipeline::read(source.path().join("x.tar")).images(any());
    let (expected, _) = read(&images, &options(1, 9));
    let images_of = |rows: &[(String, String, Vec<u8>)]| -> Vec<_> {
        rows.iter()
            .map(|row| (row.1.clone(), row.2.clone()))
            .collect()
    };
    for format in [
        Format::Parquet,
        Format::Arrow,
        Format::ArrowStream,
        Format::WebDataset,
    ] {
        let out = source.path().join(format.name());
        let output = Output::new(&out).format(format);
        images.clone().write(output).run(&options(2, 2)).unwrap();
        let shard = out.join(format!("part-00000.{}", format.ending()));
        let (found, report) = read(&Pipeline::read(shard).images(any()), &options(1, 9));
        assert_eq!(
            images_of(&found),
            images_of(&expected),
            "{format:?}: {report:?}"
        );
    }
    let members = std::fs::read(source.path().join("webdataset/part-00000.tar")).unwrap();
    for name in ["000000000.jpg", "000000001.webp", "000000002.png"] {
        assert!(
            memchr::memmem::find(&members, name.as_bytes()).is_some(),
            "{name}"
        );
    }
    let out = source.path().join("mds");
    let output = Output::new(&out).format(Format::Mds);
    images.clone().write(output).run(&options(2, 2)).unwrap();
    let shard = std::fs::read(out.join("part-00000.mds")).unwrap();
    assert!(memchr::memmem::find(&shard, &jpeg).is_some());
    let index = std::fs::read_to_string(out.join("index.json")).unwrap();
    assert!(index.contains("\"bytes\""), "{index}");

    let refused = error(&images.write_jsonl(source.path().join("x.jsonl")));
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(
        refused.to_string().contains("`image` of type Binary"),
        "{refused}"
    );
}

#[test]
fn a_label_is_a_column_and_a_member() {
    let png = image("rgb.png");
    let archive = tar(&[
        ("a.png", &png),
        ("a.cls", b"7\n"),
        ("b.png", &png),
        ("b.cls", b"seven"),
        ("c.png", &png),
        ("d.png", &png),
        ("d.json", b"{\"cls\": -3}"),
    ]);
    let source = folder(&[("x.tar", &archive)]);
    let labels = |path: &Path| {
        let rules = ImageRules {
            label: Some("cls".to_owned()),
            ..any()
        };
        let mut labels = Vec::new();
        let pipeline = Pipeline::read(path).images(rules);
        let report = pipeline.for_each(&options(2, 1), |batch| {
            let column = batch.column_by_name(columns::LABEL).ok_or("no label")?;
            labels.extend_from_slice(column.as_primitive::<Int64Type>().values());
            Ok(())
        });
        (pipeline, labels, report.unwrap())
    };
    let (pipeline, found, report) = labels(&source.path().join("x.tar"));
    assert_eq!(found, [7, -3]);
    assert_eq!(dropped(&report), [("images", "no_label", 2)]);
    let out = source.path().join("out.tar");
    pipeline.clone().write(&out).run(&options(1, 9)).unwrap();
    assert_eq!(labels(&out).1, [7, -3]);
    let out = source.path().join("mds");
    let output = Output::new(&out).format(Format::Mds);
    pipeline.write(output).run(&options(1, 9)).unwrap();
    let index = std::fs::read_to_string(out.join("index.json")).unwrap();
    assert!(index.contains("\"int\""), "{index}");
}

#[test]
fn tensors_are_those_of_the_transform() {
    let names = ["rgb.png", "s420.jpg", "moving.webp"];
    let source = folder(&[
        ("a.png", &image(names[0])),
        ("b.jpg", &image(names[1])),
        ("c.txt", b"no image"),
        ("d.webp", &image(names[2])),
    ]);
    let settings = ImageTensors {
        width: 12,
        height: 10,
        resize: Some(16),
        layout: Layout::Hwc,
        ..ImageTensors::default()
    };
    let rules = ImageRules {
        required: false,
        ..any()
    };
    let pipeline = Pipeline::read(source.path())
        .images(rules)
        .dedup_images(ImageCopies {
            distance: 0,
            ..ImageCopies::default()
        })
        .image_tensors(settings);
    let transform = Transform::new(TransformOptions {
        frame: Frame::Center { shorter: 16 },
        layout: Layout::Hwc,
        ..TransformOptions::new(12, 10)
    })
    .unwrap();
    let mut scratch = Scratch::new(Limits::default());
    let mut expected = Vec::new();
    for name in names {
        let mut tensor = vec![0; transform.len()];
        let key = SampleKey::default();
        transform
            .decode_bytes(&image(name), key, &mut scratch, &mut tensor)
            .unwrap();
        expected.push(tensor);
    }
    expected.insert(2, Vec::new());
    for batch_rows in [1, 9] {
        let mut found = Vec::new();
        let report = pipeline.for_each(&options(2, batch_rows), |batch| {
            let schema = batch.schema();
            let field = schema.field_with_name(columns::PIXELS)?;
            assert_eq!(
                field.metadata().get("ARROW:extension:metadata").unwrap(),
                "{\"shape\":[10, 12, 3]}"
            );
            assert!(batch.column_by_name(columns::IMAGE).is_none());
            let tensors = batch.column_by_name(columns::PIXELS).ok_or("no pixels")?;
            let tensors = tensors.as_fixed_size_list();
            for row in 0..batch.num_rows() {
                let values = tensors.value(row);
                let values = values.as_primitive::<UInt8Type>().values().to_vec();
                found.push(if tensors.is_valid(row) {
                    values
                } else {
                    Vec::new()
                });
            }
            Ok(())
        });
        assert_eq!(report.unwrap().rows(), 4);
        assert_eq!(found, expected);
    }
    for format in [Format::Mds, Format::WebDataset] {
        let output = Output::new(source.path().join("out")).format(format);
        let refused = error(&pipeline.clone().write(output));
        assert!(
            refused
                .to_string()
                .contains("cannot write tensors of images"),
            "{refused}"
        );
    }
    let schema = pipeline.schema().unwrap().unwrap();
    assert_eq!(schema.fields().last().unwrap().name(), columns::PIXELS);
}

#[test]
fn images_that_become_too_long_are_dropped() {
    let source = folder(&[("a.png", &image("rgb.png")), ("b.png", &image("disc.png"))]);
    let settings = ImageTensors {
        width: 8,
        height: 8,
        resize: Some(16_384),
        ..ImageTensors::default()
    };
    let pipeline = Pipeline::read(source.path())
        .images(any())
        .image_tensors(settings);
    let report = pipeline.run(&options(1, 9)).unwrap();
    assert_eq!(dropped(&report), [("image_tensors", "too_long", 2)]);
    let steps: Vec<_> = report
        .steps
        .iter()
        .map(|step| (step.rows_in, step.rows_out))
        .collect();
    assert_eq!(steps, [(2, 2), (2, 2), (2, 0)]);
}

#[test]
fn tensors_keep_batches_small() {
    let files: Vec<_> = (0..40)
        .map(|n| (format!("{n}.png"), image("disc.png")))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    let source = folder(&files);
    let settings = ImageTensors {
        width: 1024,
        height: 1024,
        resize: None,
        dtype: PixelType::F32,
        ..ImageTensors::default()
    };
    let pipeline = Pipeline::read(source.path())
        .images(any())
        .image_tensors(settings);
    let mut most = 0;
    let report = pipeline.for_each(&options(2, 100), |batch| {
        most = most.max(batch.num_rows());
        Ok(())
    });
    assert_eq!(report.unwrap().rows(), 40);
    // 64 MiB, by 12 MiB each.
    assert_eq!(most, 5);
}

#[test]
fn plans_say_what_is_wrong_with_steps_about_images() {
    let source = folder(&[("a.png", &image("rgb.png"))]);
    let read = || Pipeline::read(source.path());
    let near = nexus_data::NearCopies::default();
    for (pipeline, message) in [
        (
            read().dedup_images(ImageCopies::default()),
            "step `dedup_images` needs the step `images` before it",
        ),
        (
            read().image_tensors(ImageTensors::default()).images(any()),
            "step `image_tensors` needs the step `images` before it",
        ),
        (
            read().images(any()).clean().images(any()),
            "one step `images`",
        ),
        (
            read().dedup_near(near).images(any()),
            "step `images` stands behind `dedup_near`",
        ),
        (
            read()
                .dedup_lines(nexus_data::RepeatedLines::default())
                .images(any()),
            "step `images` stands behind `dedup_lines`",
        ),
        (
            read().images(ImageRules {
                max_aspect: Some(0.5),
                ..any()
            }),
            "max_aspect is 0.5",
        ),
        (
            read().images(ImageRules {
                column: "text".to_owned(),
                ..any()
            }),
            "the column `text` is no column of images",
        ),
        (
            read().images(any()).dedup_images(ImageCopies {
                distance: 20,
                ..ImageCopies::default()
            }),
            "the limit DISTANCE_MAX is 19",
        ),
        (
            read().images(any()).image_tensors(ImageTensors {
                std: [1.0, 0.0, 1.0],
                ..ImageTensors::default()
            }),
            "no deviation is 0",
        ),
        (
            read()
                .images(any())
                .image_tensors(ImageTensors::default())
                .dedup_images(ImageCopies::default()),
            "step `dedup_images` needs the column `image`",
        ),
    ] {
        let found = error(&pipeline);
        assert!(found.to_string().contains(message), "{found}");
    }
}

#[test]
fn images_go_on_in_groups() {
    let source = folder(&[
        ("a.png", &image("rgb.png")),
        ("b.png", &image("rgb.png")[..99]),
        ("c/d.png", &image("rgb.png")),
        ("c/e.png", b"no image"),
    ]);
    let work = tempfile::tempdir().unwrap();
    let resume = RunOptions {
        resume: true,
        work: Some(work.path().join("resume")),
        group_size_bytes: Some(1),
        ..options(2, 1)
    };
    let whole = tempfile::tempdir().unwrap();
    let run = |name: &str, options: &RunOptions| {
        let images = Pipeline::read(source.path()).images(any());
        let path = whole.path().join(name);
        let report = images.write(&path).run(options).unwrap();
        assert_eq!((report.rows(), report.rejected.count), (2, 2));
        std::fs::read(path).unwrap()
    };
    assert_eq!(run("a.parquet", &options(2, 10)), run("b.parquet", &resume));
}

#[test]
fn a_plan_has_the_settings_of_images() {
    let plan = "[source]\npath = \"in\"\n\n[[steps]]\nop = \"images\"\ncolumn = \"img\"\nlabel = \"cls\"\n\
                required = false\nmin_size = 64\nmax_aspect = 3.0\n\n[[steps]]\n\
                op = \"dedup_images\"\nhash = \"dhash\"\ndistance = 3\n\n[[steps]]\n\
                op = \"image_tensors\"\nwidth = 32\nheight = 16\nresize = false\n\
                filter = \"lanczos\"\nlayout = \"hwc\"\ndtype = \"float32\"\n\
                mean = [0.5, 0.25, 0.0]\n";
    let read = Pipeline::from_toml(plan).unwrap();
    assert_eq!(read.to_toml().unwrap(), plan);
    let built = Pipeline::read("in")
        .images(ImageRules {
            column: "img".to_owned(),
            label: Some("cls".to_owned()),
            required: false,
            min_size: 64,
            max_aspect: Some(3.0),
            ..any()
        })
        .dedup_images(ImageCopies {
            hash: ImageHash::Dhash,
            distance: 3,
        })
        .image_tensors(ImageTensors {
            width: 32,
            height: 16,
            resize: None,
            filter: nexus_image::Filter::Lanczos,
            layout: Layout::Hwc,
            dtype: PixelType::F32,
            mean: [0.5, 0.25, 0.0],
            ..ImageTensors::default()
        });
    assert_eq!(format!("{read:?}"), format!("{built:?}"));
    for (step, message) in [
        (
            "op = 'dedup_images'\nhash = 'ahash'",
            "`hash` is \"phash\" or \"dhash\"",
        ),
        (
            "op = 'image_tensors'\nmean = [1, 2]",
            "`mean` is an array of three numbers",
        ),
        ("op = 'images'\nminsize = 3", "has no key `minsize`"),
    ] {
        let found = Pipeline::read("in").step(step).unwrap_err();
        assert!(found.to_string().contains(message), "{found}");
    }
}

#[test]
fn captions_are_deduplicated_with_their_images() {
    // A stage that puts rows aside keeps their images.
    let (jpeg, png) = (image("s420.jpg"), image("rgb.png"));
    let words: Vec<_> = (0..99).map(|n| format!("word{n} ")).collect();
    let text = words.concat();
    let archive = tar(&[
        ("a.jpg", &jpeg),
        ("a.txt", text.as_bytes()),
        ("b.png", &png),
        ("b.txt", text.as_bytes()),
        ("c.png", &png),
        ("c.txt", b"another caption"),
        ("d.png", &png[..50]),
    ]);
    let source = folder(&[("x.tar", &archive)]);
    let rejects = source.path().join("rejects.jsonl");
    let pipeline = Pipeline::read(source.path().join("x.tar"))
        .images(any())
        .dedup_near(nexus_data::NearCopies::default())
        .dedup_images(ImageCopies::default())
        .write_rejects(&rejects);
    let (found, report) = read(&pipeline, &options(2, 2));
    let expected = [
        row("x.tar:a", text.as_str(), "s420.jpg"),
        row("x.tar:c", "another caption", "rgb.png"),
    ];
    assert_eq!(found, expected);
    assert_eq!((report.duplicates, report.rejected.count), (1, 1));
    assert_eq!(read_jsonl(&rejects)[0]["line"], 4);
}
