//! A plan in pieces gives the bytes and the counts of one process, in whatever order its phases are done.

use nexus_data::pieces::{Decider, Ending, Piece, Pieces, Removals, facts};
use nexus_data::{
    Error, ErrorKind, ExactCopies, Format, ImageCopies, Keep, NearCopies, Output, Pipeline,
    RepeatedLines, Report, RunOptions,
};
use nexus_text::GopherQuality;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Runs the pieces of each phase in the order of `turn`, as many machines would.
fn in_pieces(
    pipeline: &Pipeline,
    options: &RunOptions,
    work: &Path,
    turn: impl Fn(&mut Vec<Piece>),
) -> Result<Report, Error> {
    let pieces = Arc::new(Pieces::new(pipeline, options)?);
    let units = pieces.units(64)?;
    let mut ending = Ending::new(&pieces, units.skipped)?;
    let mut all = Vec::new();
    for (number, unit) in units.units.iter().enumerate() {
        for piece in pieces.read(number as u32, unit)? {
            all.push(piece?);
        }
    }
    for phase in 1..pieces.phases() {
        turn(&mut all);
        let mut records = facts::Records::default();
        for piece in &all {
            records.append(piece.place, piece.facts.as_deref())?;
        }
        let mut wanted = facts::shared(&records)?;
        wanted.sort();
        all.sort_by_key(|piece| piece.place);
        let mut decider = Decider::new(&pieces, phase - 1, &work.join(phase.to_string()))?;
        for piece in &all {
            let details = facts::details(piece.place, piece.facts.as_deref(), &wanted)?;
            decider.add(piece.place, details.as_deref())?;
        }
        let removals = Removals::decode(&decider.finish()?)?;
        turn(&mut all);
        for piece in &mut all {
            *piece = pieces.apply(phase, std::mem::take(piece), Some(&removals))?;
        }
    }
    all.sort_by_key(|piece| piece.place);
    for piece in &all {
        ending.add(piece)?;
    }
    ending.finish(3)
}

fn corpus(folder: &Path) {
    for part in 0..4_u32 {
        let mut lines = String::new();
        for number in 0..150_u32 {
            // Every third text is one of few, some with a word of their own.
            let seed = if number % 3 == 0 {
                number % 7
            } else {
                part * 1000 + number
            };
            let _ = write!(lines, "{{\"id\": \"{}-{number}\", \"text\": \"", 9 - part);
            for word in 0..60 + seed % 40 {
                let _ = write!(lines, "w{} ", (seed + 1) * 31 + word * word % 97);
            }
            let own = if number % 6 == 0 { number } else { 0 };
            let _ = writeln!(lines, "end{own}\"}}");
        }
        lines.push_str("{\"text\": oops}\n");
        std::fs::write(folder.join(format!("{part}.jsonl")), lines).unwrap();
    }
    for (name, text) in [
        ("a.txt", "small"),
        ("b.txt", "small"),
        ("z.html", "<p>small"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("other.bin"), "?").unwrap();
}

fn written(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let inner = written(&path).into_iter();
            files.extend(inner.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            files.insert(name, std::fs::read(path).unwrap());
        }
    }
    files
}

fn counts(report: &Report) -> String {
    let steps = report
        .steps
        .iter()
        .map(|step| (&step.name, step.rows_in, step.rows_out));
    let steps: Vec<_> = steps.collect();
    let Report {
        rejected,
        skipped,
        dropped,
        duplicates,
        files,
        ..
    } = report;
    format!("{steps:?} {rejected:?} {skipped:?} {dropped:?} {duplicates} {files}")
}

type Steps = Box<dyn Fn(Pipeline) -> Pipeline>;

#[test]
fn pieces_give_the_bytes_of_one_process() {
    let least = ExactCopies {
        keep: Keep::LeastId,
        ignore_space: false,
        ..ExactCopies::default()
    };
    let clusters = NearCopies {
        keep: Keep::LeastId,
        threshold: None,
        ..NearCopies::default()
    };
    let memory = RunOptions {
        memory_size_bytes: Some(64 << 20),
        batch_rows: 40,
        ..RunOptions::default()
    };
    let small = RunOptions {
        batch_rows: 40,
        ..RunOptions::default()
    };
    let filters = |plan: Pipeline| plan.clean().quality(GopherQuality::default()).min_chars(3);
    let exact = |plan: Pipeline| plan.dedup_exact().min_chars(6);
    let both = |plan: Pipeline| plan.dedup_exact().dedup_near(NearCopies::default()).clean();
    let by_id = move |plan: Pipeline| {
        plan.dedup_exact_with(least.clone())
            .dedup_near(clusters.clone())
    };
    let twice = |plan: Pipeline| {
        plan.dedup_near(NearCopies::default())
            .min_chars(6)
            .dedup_exact()
    };
    let none = |plan: Pipeline| plan.min_chars(1 << 30);
    let cases: [(&str, Steps, Format, &RunOptions); 7] = [
        ("no decision", Box::new(filters), Format::JsonlGz, &small),
        ("streaming", Box::new(exact), Format::JsonlZst, &small),
        ("in memory", Box::new(exact), Format::Parquet, &memory),
        ("both", Box::new(both), Format::Mds, &small),
        ("by id", Box::new(by_id), Format::WebDataset, &small),
        ("twice", Box::new(twice), Format::Arrow, &memory),
        ("no rows", Box::new(none), Format::Jsonl, &small),
    ];
    for (name, steps, format, options) in cases {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("in");
        std::fs::create_dir(&source).unwrap();
        corpus(&source);
        let to = |place: &str| {
            let place = folder.path().join(place);
            std::fs::create_dir(&place).unwrap();
            let output = Output::new(place.join("out"))
                .format(format)
                .shard_size_bytes(20_000);
            let plan = steps(Pipeline::read(&source)).write(output);
            plan.write_rejects(place.join("rejects"))
                .write_audit(place.join("audit"))
        };
        let expected = to("one").run(options).unwrap();
        let work = folder.path().join("work");
        let found = in_pieces(&to("many"), options, &work, |all| all.reverse()).unwrap();
        assert_eq!(counts(&found), counts(&expected), "{name}");
        assert_eq!(found.rejected.count, 4, "{name}");
        let (one, many) = (
            written(&folder.path().join("one")),
            written(&folder.path().join("many")),
        );
        assert!(one == many, "{name}: {:?} {:?}", one.keys(), many.keys());
    }
}

#[test]
fn what_is_no_piece_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    corpus(folder.path());
    let plan = Pipeline::read(folder.path()).dedup_exact();
    let pieces = Arc::new(Pieces::new(&plan, &RunOptions::default()).unwrap());
    let units = pieces.units(1).unwrap();
    let first = pieces
        .read(0, &units.units[0])
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let kind = |error: Error| error.kind();
    let corrupt = ErrorKind::Corrupt;
    assert_eq!(pieces.read(0, b"{}").map(drop).map_err(kind), Err(corrupt));
    assert_eq!(
        Removals::decode(first.facts.as_deref().unwrap())
            .map(drop)
            .map_err(kind),
        Err(corrupt)
    );
    let broken = Piece {
        note: b"?".to_vec(),
        ..first.clone()
    };
    assert_eq!(
        pieces.apply(1, broken, None).map(drop).map_err(kind),
        Err(corrupt)
    );
    let mut ending = Ending::new(&pieces, units.skipped).unwrap();
    let done = pieces.apply(1, first, None).unwrap();
    ending.add(&done).unwrap();
    assert_eq!(ending.add(&done).map_err(kind), Err(corrupt));
    let last = Decider::new(&pieces, 1, folder.path()).map(drop);
    assert_eq!(last.map_err(kind), Err(ErrorKind::InvalidInput));
    let batches = Pieces::new(&Pipeline::batches([]), &RunOptions::default()).map(drop);
    assert_eq!(batches.map_err(kind), Err(ErrorKind::Unsupported));
}

#[test]
fn a_step_that_is_not_done_in_pieces_says_who_does_it() {
    let index = NearCopies {
        index: vec!["index".into()],
        ..NearCopies::default()
    };
    let plan = || Pipeline::read("docs").clean();
    for (plan, step, hint) in [
        (plan().dedup_near(index), "dedup_near", "node="),
        (
            plan().dedup_lines(RepeatedLines::default()),
            "dedup_lines",
            "node=",
        ),
        (
            plan().dedup_images(ImageCopies::default()),
            "dedup_images",
            "one process",
        ),
    ] {
        let error = Pieces::new(&plan, &RunOptions::default()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{step}");
        assert!(error.to_string().contains(step), "{error}");
        assert!(
            error.hint().is_some_and(|found| found.contains(hint)),
            "{step}"
        );
    }
}
