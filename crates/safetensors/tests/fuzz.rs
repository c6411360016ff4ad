//! The fuzz targets on their corpora and on seeded mutations, and headers before the oracle.

#[path = "../../../fuzz/mutate.rs"]
#[expect(unreachable_pub, reason = "the file is shared by several tests")]
mod mutate;
mod oracle;
#[path = "../../../fuzz/targets/packed_tensor.rs"]
#[expect(unreachable_pub, reason = "cargo-fuzz wants a public function")]
mod packed_tensor;
#[path = "../../../fuzz/targets/safetensors_header.rs"]
#[expect(unreachable_pub, reason = "cargo-fuzz wants a public function")]
mod target;

/// Mutations in the ordinary tests; `NEXUS_FUZZ_COUNT` asks for more.
fn count() -> usize {
    std::env::var("NEXUS_FUZZ_COUNT").map_or(20_000, |count| count.parse().expect("a number"))
}

#[test]
fn any_bytes_are_refused_or_read_without_a_gap() {
    mutate::replay("safetensors_header", count(), target::run);
}

#[test]
fn any_packed_bytes_are_refused_or_read_alike_by_every_instruction_set() {
    mutate::replay("packed_tensor", count(), packed_tensor::run);
}

#[test]
fn any_bytes_are_judged_as_the_published_crate_judges_them() {
    mutate::replay("safetensors_header", count(), oracle::compare);
}

/// Most mutations of a whole file break the leading length and go no further. Here the length is
/// mended: what ends with the last brace is the header.
#[test]
fn any_header_is_judged_as_the_published_crate_judges_it() {
    mutate::replay("safetensors_header", 5 * count(), |file| {
        let Some(body) = file.get(8..) else { return };
        let end = body
            .iter()
            .rposition(|&byte| byte == b'}')
            .map_or(body.len(), |at| at + 1);
        let mended = [&(end as u64).to_le_bytes()[..], body].concat();
        oracle::compare(&mended);
        target::run(&mended);
    });
}
