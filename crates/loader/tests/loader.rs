//! The loader: the same rows for any threads, workers and ranks, and after any stop.

mod files;

use files::{npy, u16s};
use nexus_loader::{
    Access, Batch, Cancel, Corpus, ErrorKind, Format, Loader, LoaderOptions, OpenOptions, Rows,
    Shuffle, Split, Stored, Tail, Token,
};
use proptest::prelude::*;
use std::time::Duration;

/// `count` rows of 4 tokens; the first of each is its number.
fn rows(count: u16) -> Rows {
    let tokens = u16s((0..count).flat_map(|row| [row, 1, 2, 3]));
    let options = OpenOptions {
        stored: Some(Stored::U16),
        ..OpenOptions::default()
    };
    let files = vec![("tokens".to_owned(), tokens)];
    let corpus = Corpus::from_memory(Format::Plain, files, &options).unwrap();
    Rows::windows(corpus, 4, 4).unwrap()
}

fn options(split: Split) -> LoaderOptions {
    LoaderOptions {
        split,
        seed: 11,
        ..LoaderOptions::default()
    }
}

fn first_tokens(batch: &Batch) -> Vec<u64> {
    let rows = batch.tokens().chunks_exact(8);
    rows.map(|row| u64::from(u16::from_le_bytes([row[0], row[1]])))
        .collect()
}

/// All rows of the rest of an epoch.
fn rest(loader: &mut Loader) -> Vec<u64> {
    let mut all = Vec::new();
    while let Some(batch) = loader.next_batch().unwrap() {
        assert_eq!(
            first_tokens(&batch),
            batch.rows(),
            "tokens are those of the rows"
        );
        all.extend_from_slice(batch.rows());
    }
    all
}

#[test]
fn threads_do_not_change_what_is_read() {
    let read = |threads, ahead| {
        let split = Split {
            batch: 7,
            tail: Tail::Keep,
            ..Split::default()
        };
        let options = LoaderOptions {
            threads,
            ahead,
            ..options(split)
        };
        let mut loader = Loader::new(rows(500), &options).unwrap();
        (rest(&mut loader), rest(&mut loader))
    };
    let (first, second) = read(0, 0);
    let mut sorted = first.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..500).collect::<Vec<_>>());
    assert_ne!(first, second, "epochs differ");
    for (threads, ahead) in [(1, 1), (2, 16), (5, 3), (3, 200)] {
        assert_eq!(
            read(threads, ahead),
            (first.clone(), second.clone()),
            "{threads} threads"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Ranks and workers read in lock step, stop after some steps, and others go on.
    #[test]
    fn a_run_goes_on_with_any_number_of_ranks_and_workers(
        count in 40_u16..200,
        first in (1_usize..6, 1_u64..4, 1_u64..4),
        second in (1_usize..6, 1_u64..4, 1_u64..4),
        steps in 0_u64..5,
        epoch in 0_u64..3,
    ) {
        let whole = {
            let split = Split { batch: 1, ..Split::default() };
            let mut loader = Loader::new(rows(count), &options(split)).unwrap();
            loader.set_epoch(epoch);
            rest(&mut loader)
        };
        let splits = |(batch, world, workers): (usize, u64, u64), tail| {
            move |rank, worker| Split { batch, rank, world, worker, workers, tail }
        };
        let mut read = Vec::new();
        let old = splits(first, Tail::Drop);
        let mut state = Loader::new(rows(count), &options(old(0, 0))).unwrap().state_at(epoch, 0);
        let mut loaders: Vec<Vec<Loader>> = (0..first.1).map(|rank| (0..first.2).map(|worker| {
            let mut loader = Loader::new(rows(count), &options(old(rank, worker))).unwrap();
            loader.set_epoch(epoch);
            loader
        }).collect()).collect();
        for step in 0..steps {
            for rank in &mut loaders {
                let loader = &mut rank[(step % first.2) as usize];
                if let Some(batch) = loader.next_batch().unwrap() {
                    read.extend_from_slice(batch.rows());
                    state = loader.state();
                }
            }
        }
        prop_assert_eq!(state.cursor, read.len() as u64);
        let new = splits(second, Tail::Keep);
        let mut loaders: Vec<Vec<Loader>> = (0..second.1).map(|rank| (0..second.2).map(|worker| {
            let mut loader = Loader::new(rows(count), &options(new(rank, worker))).unwrap();
            loader.set_state(&state).unwrap();
            loader
        }).collect()).collect();
        let mut done = false;
        for step in 0.. {
            if done {
                break;
            }
            done = true;
            for rank in &mut loaders {
                let loader = &mut rank[(step % second.2) as usize];
                if loader.state().epoch == epoch
                    && let Some(batch) = loader.next_batch().unwrap()
                {
                    read.extend_from_slice(batch.rows());
                    done = false;
                }
            }
        }
        prop_assert_eq!(read, whole);
    }
}

#[test]
fn batches_that_are_only_prepared_do_not_count() {
    let split = Split {
        batch: 3,
        ..Split::default()
    };
    let mut loader = Loader::new(rows(60), &options(split)).unwrap();
    let first = loader.next_batch().unwrap().unwrap();
    assert_eq!(loader.state().cursor, 3);
    let state = loader.state();
    let want = rest(&mut loader);
    loader.set_state(&state).unwrap();
    assert_eq!(rest(&mut loader), want);
    assert_eq!(first.rows().len() + want.len(), 60);
    assert_eq!(loader.state().epoch, 1);
}

#[test]
fn a_resumed_loader_keeps_its_place_when_told_the_same_epoch() {
    let split = Split {
        batch: 5,
        ..Split::default()
    };
    let mut loader = Loader::new(rows(60), &options(split)).unwrap();
    loader.set_epoch(4);
    loader.next_batch().unwrap();
    let state = loader.state();
    let mut other = Loader::new(rows(60), &options(split)).unwrap();
    other.set_state(&state).unwrap();
    other.set_epoch(4);
    assert_eq!(rest(&mut other), rest(&mut loader));
    other.set_epoch(9);
    assert_eq!((other.state().epoch, other.state().cursor), (9, 0));
}

#[test]
fn states_of_other_rows_are_refused() {
    let loader = |count| Loader::new(rows(count), &options(Split::default())).unwrap();
    let error = loader(50).set_state(&loader(51).state()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let mut state = loader(50).state();
    state.cursor = 51;
    assert!(loader(50).set_state(&state).is_err());
    state.cursor = 0;
    state.seed = 99;
    let mut other = loader(50);
    other.set_state(&state).unwrap();
    assert_eq!(other.state().seed, 99, "the state's seed is used");
}

#[test]
fn buffers_are_used_again_and_never_while_somebody_has_them() {
    let split = Split {
        batch: 2,
        ..Split::default()
    };
    let mut loader = Loader::new(rows(400), &options(split)).unwrap();
    let mut kept = Vec::new();
    let mut starts = std::collections::HashSet::new();
    while let Some(batch) = loader.next_batch().unwrap() {
        starts.insert(batch.tokens_start().addr());
        if kept.len() < 30 {
            kept.push(batch);
        }
    }
    assert!(
        starts.len() < 100,
        "{} buffers for 200 batches",
        starts.len()
    );
    for batch in &kept {
        assert_eq!(first_tokens(batch), batch.rows());
    }
}

#[test]
fn packed_rows_have_bounds_and_positions() {
    let lens: Vec<usize> = vec![3, 5, 2, 9, 4, 1];
    let mut next = 0_u16;
    let docs: Vec<(String, Vec<u8>)> = lens
        .iter()
        .map(|&len| {
            let tokens = u16s(next..next + len as u16);
            next += len as u16;
            (format!("{len}"), npy("<u2", &format!("({len},)"), &tokens))
        })
        .collect();
    let corpus = Corpus::from_memory(Format::Npy, docs, &OpenOptions::default()).unwrap();
    let rows = Rows::packed(corpus, 6).unwrap();
    assert_eq!(rows.packing().unwrap().padding(), 0);
    let options = LoaderOptions {
        shuffle: Shuffle::Never,
        split: Split {
            batch: 4,
            ..Split::default()
        },
        token: Some(Token::I64),
        positions: true,
        cu_seqlens: true,
        ..LoaderOptions::default()
    };
    let mut loader = Loader::new(rows, &options).unwrap();
    let batch = loader.next_batch().unwrap().unwrap();
    assert_eq!(batch.cu_seqlens().unwrap(), [0, 6, 11, 12, 16, 18, 21, 24]);
    let ids: Vec<i64> = batch
        .tokens()
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| i64::from_le_bytes(*b))
        .collect();
    let places: Vec<i32> = batch
        .positions()
        .unwrap()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| i32::from_le_bytes(*b))
        .collect();
    let mut seen = ids.clone();
    seen.sort_unstable();
    assert_eq!(seen, (0..24).collect::<Vec<_>>());
    for pair in batch.cu_seqlens().unwrap().windows(2) {
        let (start, end) = (pair[0] as usize, pair[1] as usize);
        assert!(
            places[start..end]
                .iter()
                .copied()
                .eq(0..(end - start) as i32)
        );
        assert!(ids[start..end].windows(2).all(|two| two[1] == two[0] + 1));
    }
}

#[test]
fn rows_that_cannot_be_read_are_errors_until_they_are_passed() {
    let docs = vec![u16s(0..3), u16s(0..9), u16s(0..2)];
    let files = docs.into_iter().map(|doc| ("x".to_owned(), doc)).collect();
    let open = OpenOptions {
        stored: Some(Stored::U16),
        ..OpenOptions::default()
    };
    let corpus = Corpus::from_memory(Format::Plain, files, &open).unwrap();
    let options = LoaderOptions {
        shuffle: Shuffle::Never,
        ..LoaderOptions::default()
    };
    let mut loader = Loader::new(Rows::documents(corpus, 4).unwrap(), &options).unwrap();
    assert_eq!(loader.next_batch().unwrap().unwrap().rows(), [0]);
    let error = loader.next_batch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("document 1 has 9 tokens"),
        "{error}"
    );
    assert!(loader.next_batch().is_err(), "the loader stays before it");
    let state = loader.state_at(0, 2);
    loader.set_state(&state).unwrap();
    assert_eq!(loader.next_batch().unwrap().unwrap().rows(), [2]);
}

#[test]
fn files_are_mapped_or_read_with_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    for (name, from) in [("b.npy", 100), ("a.npy", 0)] {
        let file = npy("<u2", "(10, 4)", &u16s(from..from + 40));
        std::fs::write(folder.path().join(name), file).unwrap();
    }
    let read = |access| {
        let open = OpenOptions {
            access,
            ..OpenOptions::default()
        };
        let corpus = Corpus::open(&[folder.path()], &open).unwrap();
        let options = LoaderOptions {
            shuffle: Shuffle::Never,
            token: Some(Token::U32),
            ..LoaderOptions::default()
        };
        let mut loader = Loader::new(Rows::windows(corpus, 20, 20).unwrap(), &options).unwrap();
        let mut all = Vec::new();
        while let Some(batch) = loader.next_batch().unwrap() {
            all.extend(
                batch
                    .tokens()
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|b| u32::from_le_bytes(*b)),
            );
        }
        all
    };
    let want: Vec<u32> = (0..40).chain(100..140).collect();
    assert_eq!(read(Access::Map), want, "files of a folder are sorted");
    assert_eq!(read(Access::Read), want);
}

#[test]
fn files_that_are_not_there_or_not_known_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let kind = |name: &str| {
        let path = folder.path().join(name);
        Corpus::open(&[path], &OpenOptions::default())
            .unwrap_err()
            .kind()
    };
    assert_eq!(kind("none.npy"), ErrorKind::NotFound);
    assert_eq!(kind(""), ErrorKind::NotFound);
    std::fs::write(folder.path().join("x.dat"), [0; 4]).unwrap();
    assert_eq!(kind("x.dat"), ErrorKind::Unsupported);
    std::fs::write(folder.path().join("index.json"), "{}").unwrap();
    assert_eq!(kind("index.json"), ErrorKind::Unsupported);
    let none: [&str; 0] = [];
    let error = Corpus::open(&none, &OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn impossible_options_are_refused() {
    use ErrorKind::{InvalidInput, LimitReached};
    let kind = |change: fn(&mut LoaderOptions)| {
        let mut options = LoaderOptions::default();
        change(&mut options);
        Loader::new(rows(10), &options).unwrap_err().kind()
    };
    assert_eq!(kind(|options| options.split.batch = 0), InvalidInput);
    assert_eq!(kind(|options| options.split.batch = 11), InvalidInput);
    assert_eq!(kind(|options| options.split.rank = 1), InvalidInput);
    assert_eq!(kind(|options| options.split.workers = 0), InvalidInput);
    assert_eq!(kind(|options| options.pad = -1), InvalidInput);
    assert_eq!(
        kind(|options| options.shuffle = Shuffle::Blocks {
            block: 0,
            window: 1
        }),
        InvalidInput
    );
    assert_eq!(kind(|options| options.threads = 1000), LimitReached);
    assert_eq!(kind(|options| options.ahead = 1 << 20), LimitReached);
}

#[test]
fn padding_gives_every_rank_full_batches() {
    let read = |rank| {
        let split = Split {
            batch: 4,
            rank,
            world: 3,
            tail: Tail::Pad,
            ..Split::default()
        };
        rest(&mut Loader::new(rows(25), &options(split)).unwrap())
    };
    let all: Vec<Vec<u64>> = (0..3).map(read).collect();
    assert!(all.iter().all(|rows| rows.len() == 12));
    let mut seen = all.concat();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 25);
}

#[test]
fn what_is_cancelled_while_it_is_opened_is_an_error() {
    let cancel = Cancel::new();
    let options = OpenOptions {
        stored: Some(Stored::U16),
        cancel: cancel.clone(),
        ..OpenOptions::default()
    };
    let files = vec![("tokens".to_owned(), u16s(0..64))];
    let corpus = Corpus::from_memory(Format::Plain, files, &options).unwrap();
    cancel.cancel();
    for error in [
        Rows::windows(corpus.clone(), 4, 4).unwrap_err(),
        Rows::packed(corpus.clone(), 4).unwrap_err(),
        corpus.document_lens().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    }
}

#[test]
fn a_batch_that_is_given_up_comes_again() {
    let split = Split {
        batch: 3,
        ..Split::default()
    };
    for threads in [0, 1] {
        let options = LoaderOptions {
            threads,
            ..options(split)
        };
        let mut expected = Loader::new(rows(64), &options).unwrap();
        let mut loader = Loader::new(rows(64), &options).unwrap();
        let state = loader.state();
        // With a thread it may have been made before anybody could give it up.
        match loader.next_unless(Duration::ZERO, &|| true) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled),
            Ok(_) => assert_eq!(threads, 1),
        }
        loader.set_state(&state).unwrap();
        let first = |loader: &mut Loader| loader.next_batch().unwrap().unwrap().rows().to_vec();
        assert_eq!(first(&mut loader), first(&mut expected));
    }
}
