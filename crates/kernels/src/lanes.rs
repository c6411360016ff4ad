//! A vector register of `f32` as the generic algorithms see it.

/// `COUNT` lanes of `f32` that move together.
///
/// Loads and stores take slices of exactly `COUNT` items, so they need no unsafe code in the
/// algorithms. The methods of a type with instructions behind it run only inside the shell that
/// [`dispatch`](crate::simd::dispatch) entered after the machine was checked.
pub(crate) trait Lanes: Copy {
    /// How many lanes there are.
    const COUNT: usize;

    fn splat(value: f32) -> Self;
    fn load(from: &[f32]) -> Self;
    fn store(self, to: &mut [f32]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    /// `self * factor + term`, fused where the machine can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// `2^n` for lanes that hold whole numbers `n` in -126..=127.
    fn exp2_whole(self) -> Self;
    fn reduce_add(self) -> f32;
    fn reduce_max(self) -> f32;

    /// The items of a slice of up to `COUNT`, and `pad` in the lanes behind them.
    #[inline(always)]
    fn load_some(from: &[f32], pad: f32) -> Self {
        let mut buffer = [pad; LANES_MAX];
        buffer[..from.len()].copy_from_slice(from);
        Self::load(&buffer[..Self::COUNT])
    }

    /// Stores as many lanes as `to` has items, of up to `COUNT`.
    #[inline(always)]
    fn store_some(self, to: &mut [f32]) {
        let mut buffer = [0.0; LANES_MAX];
        self.store(&mut buffer[..Self::COUNT]);
        to.copy_from_slice(&buffer[..to.len()]);
    }

    /// The absolute value of each lane.
    #[inline(always)]
    fn abs(self) -> Self {
        self.max(Self::splat(0.0).sub(self))
    }

    /// The nearest whole number, ties to even, for lanes below 2^22 in size.
    #[inline(always)]
    fn round(self) -> Self {
        // Adding 1.5 * 2^23 leaves no bits for a fraction.
        let shift = Self::splat(12_582_912.0);
        self.add(shift).sub(shift)
    }
}

/// The portable register: eight lanes, which the compiler maps to what the baseline has.
pub(crate) type Portable = [f32; 8];

#[inline(always)]
fn zip(a: Portable, b: Portable, f: impl Fn(f32, f32) -> f32) -> Portable {
    core::array::from_fn(|i| f(a[i], b[i]))
}

impl Lanes for Portable {
    const COUNT: usize = 8;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        [value; 8]
    }
    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        core::array::from_fn(|i| from[i])
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        to.copy_from_slice(&self);
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        zip(self, other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        zip(self, other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        zip(self, other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        zip(self, other, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // As the x86 instruction does: the second operand wins when either is NaN.
        zip(self, other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        zip(self, other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        // Unfused: without the instruction a fused product is a slow library call.
        self.mul(factor).add(term)
    }
    #[inline(always)]
    fn exp2_whole(self) -> Self {
        self.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn reduce_add(self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
    #[inline(always)]
    fn reduce_max(self) -> f32 {
        self.into_iter()
            .fold(f32::NEG_INFINITY, |a, b| if a > b { a } else { b })
    }
}

// These are macros because a closure that the compiler leaves a call is compiled without the instructions of the
// shell around it.

/// Replaces every item of a row by an expression of the register that it is in.
macro_rules! map_in_place {
    ($lanes:ident, $row:expr, |$x:ident| $new:expr) => {{
        let mut chunks = $row.chunks_exact_mut($lanes::COUNT);
        for chunk in &mut chunks {
            let $x = $lanes::load(chunk);
            $new.store(chunk);
        }
        let tail = chunks.into_remainder();
        if !tail.is_empty() {
            let $x = $lanes::load_some(tail, 0.0);
            $new.store_some(tail);
        }
    }};
}

/// Folds a row into the register `$state`; a short tail is padded with `$pad`.
macro_rules! fold {
    ($lanes:ident, $row:expr, $pad:expr, $start:expr, |$state:ident, $x:ident| $next:expr) => {{
        let chunks = $row.chunks_exact($lanes::COUNT);
        let tail = chunks.remainder();
        let mut $state = $start;
        for chunk in chunks {
            let $x = $lanes::load(chunk);
            $state = $next;
        }
        if !tail.is_empty() {
            let $x = $lanes::load_some(tail, $pad);
            $state = $next;
        }
        $state
    }};
}

pub(crate) use {fold, map_in_place};

/// The widest register that any instruction set here has, in lanes.
pub(crate) const LANES_MAX: usize = 16;
