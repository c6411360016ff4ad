//! What the machine allows: fused multiply-adds in registers, and reading memory.

use std::time::Instant;

/// `peak`: operations a second; `read`: bytes a second. `None` for other words.
pub fn figure(word: &str, kind: &str, threads: usize) -> Option<f64> {
    if !matches!(word, "peak" | "read") {
        return None;
    }
    let one = || {
        if word == "peak" {
            peak::rate(kind)
        } else {
            read()
        }
    };
    let all = || {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(&one)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("arithmetic"))
                .sum()
        })
    };
    Some((0..3).map(|_| all()).fold(0.0, f64::max))
}

/// Twelve chains of fused multiply-adds, as many as the latency needs.
macro_rules! chains {
    ($name:ident, $type:ty, $lanes:literal, $set:expr, $multiply_add:expr $(, $features:literal)?) => {
        $(#[target_feature(enable = $features)])?
        fn $name(steps: usize) -> usize {
            let (factor, term): ($type, $type) = ($set(black_box(0.999)), $set(black_box(0.001)));
            let mut sums: [$type; 12] = [factor; 12];
            for _ in 0..steps {
                for sum in &mut sums {
                    *sum = $multiply_add(*sum, factor, term);
                }
            }
            black_box(sums);
            $lanes * 12 * 2 * steps
        }
    };
}

mod peak {
    use super::Instant;
    use std::hint::black_box;

    #[cfg(target_arch = "x86_64")]
    mod x86 {
        use std::arch::x86_64 as arch;
        use std::hint::black_box;
        chains!(
            f64_avx512,
            arch::__m512d,
            8,
            arch::_mm512_set1_pd,
            arch::_mm512_fmadd_pd,
            "avx512f"
        );
        chains!(
            f32_avx512,
            arch::__m512,
            16,
            arch::_mm512_set1_ps,
            arch::_mm512_fmadd_ps,
            "avx512f"
        );
        chains!(
            f64_avx2,
            arch::__m256d,
            4,
            arch::_mm256_set1_pd,
            arch::_mm256_fmadd_pd,
            "avx2,fma"
        );
        chains!(
            f32_avx2,
            arch::__m256,
            8,
            arch::_mm256_set1_ps,
            arch::_mm256_fmadd_ps,
            "avx2,fma"
        );

        /// The widest that the machine has.
        pub(super) fn widest(kind: &str, steps: usize) -> Option<usize> {
            let wide = is_x86_feature_detected!("avx512f");
            if !is_x86_feature_detected!("avx2") || !is_x86_feature_detected!("fma") {
                return None;
            }
            // SAFETY: the machine has the instructions.
            Some(unsafe {
                match (kind, wide) {
                    ("f32", true) => f32_avx512(steps),
                    ("f32", false) => f32_avx2(steps),
                    (_, true) => f64_avx512(steps),
                    (_, false) => f64_avx2(steps),
                }
            })
        }
    }

    chains!(f64_plain, f64, 1, std::convert::identity, f64::mul_add);
    chains!(f32_plain, f32, 1, std::convert::identity, f32::mul_add);

    fn run(kind: &str, steps: usize) -> usize {
        #[cfg(target_arch = "x86_64")]
        if let Some(operations) = x86::widest(kind, steps) {
            return operations;
        }
        match kind {
            "f32" => f32_plain(steps),
            _ => f64_plain(steps),
        }
    }

    /// Operations a second on one thread.
    pub(super) fn rate(kind: &str) -> f64 {
        run(kind, 200_000);
        let begin = Instant::now();
        run(kind, 8_000_000) as f64 / begin.elapsed().as_secs_f64()
    }
}

/// Sums of eight chains over 256 MB.
fn read() -> f64 {
    let data = vec![1_u64; 32 << 20];
    let begin = Instant::now();
    let mut sums = [0_u64; 32];
    for chunk in data.chunks_exact(32) {
        for (sum, item) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*item);
        }
    }
    std::hint::black_box(sums);
    (data.len() * 8) as f64 / begin.elapsed().as_secs_f64()
}
