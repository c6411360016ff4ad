//! The fuzz targets on their corpora and on seeded mutations, and the same bytes before the oracle.
//!
//! `NEXUS_FUZZ_RUNS` sets the number of mutations of each test, 20 000 if it is not given.

#[path = "../../../fuzz/targets/safetensors_header.rs"]
#[expect(unreachable_pub, reason = "cargo-fuzz wants a public function")]
mod header;
#[path = "../../../fuzz/targets/safetensors_index_json.rs"]
#[expect(unreachable_pub, reason = "cargo-fuzz wants a public function")]
mod index_json;
#[path = "../../../fuzz/mutate.rs"]
#[expect(unreachable_pub, reason = "the file is shared by several tests")]
mod mutate;
#[path = "../../../fuzz/mutate_header.rs"]
#[expect(
    unreachable_pub,
    reason = "the file stands beside those of the fuzz targets"
)]
mod mutate_header;
mod oracle;
#[path = "../../../fuzz/targets/packed_tensor.rs"]
#[expect(unreachable_pub, reason = "cargo-fuzz wants a public function")]
mod packed_tensor;
#[path = "../../../fuzz/targets/safetensors_slice.rs"]
#[expect(unreachable_pub, reason = "cargo-fuzz wants a public function")]
mod slice;

use mutate::Rng;
use mutate_header::mutate_header;
use nexus_safetensors::SafeTensors;

fn runs() -> usize {
    std::env::var("NEXUS_FUZZ_RUNS").map_or(20_000, |count| count.parse().expect("a number"))
}

#[test]
fn any_bytes_are_refused_or_read_without_a_gap() {
    mutate::replay("safetensors_header", runs(), header::run);
}

#[test]
fn any_packed_bytes_are_refused_or_read_alike_by_every_instruction_set() {
    mutate::replay("packed_tensor", runs(), packed_tensor::run);
}

#[test]
fn any_index_of_a_checkpoint_is_refused_or_leads_to_files_in_its_folder() {
    mutate::replay("safetensors_index_json", runs() / 4, index_json::run);
}

#[test]
fn any_bytes_are_judged_as_the_published_crate_judges_them() {
    mutate::replay("safetensors_header", runs(), oracle::compare);
}

/// Most mutations of a whole file break the leading length and go no further. Here the length is
/// mended: what ends with the last brace is the header.
#[test]
fn any_header_is_judged_as_the_published_crate_judges_it() {
    mutate::replay("safetensors_header", runs(), |file| {
        let Some(body) = file.get(8..) else { return };
        let end = body
            .iter()
            .rposition(|&byte| byte == b'}')
            .map_or(body.len(), |at| at + 1);
        let mended = [&(end as u64).to_le_bytes()[..], body].concat();
        oracle::compare(&mended);
        header::run(&mended);
    });
}

/// Headers whose tokens are changed: numbers, names, types, keys that stand twice, escapes.
#[test]
fn a_header_with_other_tokens_is_judged_as_the_published_crate_judges_it() {
    let mut rng = Rng(0x7361_6665);
    let mut accepted = 0;
    let (mut strict, runs) = (0, runs());
    for _ in 0..runs {
        let (json, size) = random_header(&mut rng);
        let mut json = mutate_header(&json, &mut rng).into_bytes();
        if rng.below(8) == 0 {
            json = mutate::mutate(&json, &mut rng);
        }
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend(&json);
        let end = file.len() + size;
        file.resize(end, 0xA5);
        oracle::compare(&file);
        header::run(&file);
        let rules = nexus_safetensors::Rules::Strict;
        accepted += usize::from(SafeTensors::deserialize(&file).is_ok());
        strict += usize::from(SafeTensors::deserialize_with(&file, rules).is_ok());
    }
    println!("{runs} mutated headers: {accepted} accepted by both, {strict} by strict rules too");
    assert!(
        accepted * 20 > runs,
        "only {accepted} of {runs} were accepted"
    );
    assert!(strict < accepted);
}

/// A sound header and the size of its data.
fn random_header(rng: &mut Rng) -> (String, usize) {
    let dtypes = nexus_safetensors::Dtype::ALL;
    let mut entries = Vec::new();
    let mut start = 0;
    for at in 0..rng.below(4) {
        let dtype = dtypes[rng.below(dtypes.len())];
        let shape: Vec<usize> = (0..rng.below(3)).map(|_| rng.below(4)).collect();
        // Eight elements of any type fill bytes.
        let shape = [&[8][..], &shape].concat();
        let end = start + shape.iter().product::<usize>() * dtype.bits() / 8;
        entries.push(format!(
            r#""t{at}":{{"dtype":"{dtype}","shape":{},"data_offsets":[{start},{end}]}}"#,
            format!("{shape:?}").replace(' ', "")
        ));
        start = end;
    }
    if rng.below(3) == 0 {
        entries.reverse();
    }
    if rng.below(3) == 0 {
        entries.insert(
            0,
            String::from(r#""__metadata__":{"format":"pt","x":"{\"a\":1}"}"#),
        );
    }
    (format!("{{{}}}", entries.join(",")), start)
}

#[test]
fn any_index_takes_what_its_twin_takes() {
    mutate::replay("safetensors_slice", 5 * runs(), slice::run);
}

/// Mutated texts are seldom long indices: these are made, not mutated.
#[test]
fn a_random_index_takes_what_its_twin_takes() {
    let mut rng = Rng(0x0069_6E64_6578);
    for _ in 0..5 * runs() {
        let dtypes = nexus_safetensors::Dtype::ALL;
        let dtype = dtypes[rng.below(dtypes.len())];
        let shape: Vec<usize> = (0..rng.below(5)).map(|_| rng.below(6)).collect();
        let indices: Vec<_> = (0..rng.below(6)).map(|_| random_index(&mut rng)).collect();
        slice::check(dtype, &shape, &indices);
    }
}

fn random_index(rng: &mut Rng) -> nexus_safetensors::Index {
    use nexus_safetensors::Index;
    let number = |rng: &mut Rng| match rng.below(20) {
        0 => isize::MIN,
        1 => isize::MAX,
        _ => rng.below(17).cast_signed() - 8,
    };
    let bound = |rng: &mut Rng| (rng.below(3) > 0).then(|| number(rng));
    match rng.below(10) {
        0 => Index::NewAxis,
        1 => Index::Ellipsis,
        2..5 => Index::At(rng.below(9).cast_signed() - 4),
        _ => Index::Slice {
            start: bound(rng),
            stop: bound(rng),
            step: bound(rng),
        },
    }
}
