//! Which instruction set the kernels use: found once, passed by value.

/// An instruction set that this machine has.
///
/// The only ways to get one check the machine, so holding an `Isa` proves that its instructions run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(pub(crate) Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Portable,
    /// With FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// With BW and DQ. Has all of `Avx2` too.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The widest set that both this machine and the kernels have. Costs one cached lookup.
    pub fn detect() -> Self {
        Self::named("avx512")
            .or(Self::named("avx2"))
            .unwrap_or(Self::portable())
    }

    /// Every set that both this machine and the kernels have, the widest last.
    pub fn all() -> impl Iterator<Item = Self> {
        ["portable", "avx2", "avx512"]
            .into_iter()
            .filter_map(Self::named)
    }

    /// Code that runs everywhere, vectorised as far as the compiler's baseline allows.
    pub const fn portable() -> Self {
        Self(Level::Portable)
    }

    /// The set called `name` (`"portable"`, `"avx2"` or `"avx512"`), or `None` where this machine lacks it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "portable" => Some(Self::portable()),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            "avx2"
                if is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c") =>
            {
                Some(Self(Level::Avx2))
            }
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            "avx512"
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && Self::named("avx2").is_some() =>
            {
                Some(Self(Level::Avx512))
            }
            _ => None,
        }
    }

    /// Whether the set is AVX-512 on a machine that adds up products of bytes too (VNNI). Costs cached lookups.
    pub fn has_byte_dots(self) -> bool {
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        if self.0 == Level::Avx512 {
            return is_x86_feature_detected!("avx512vnni");
        }
        false
    }

    /// The same of `bf16`. It takes subnormal numbers for zeros.
    pub fn has_brain_dots(self) -> bool {
        #[cfg(all(target_arch = "x86_64", feature = "std"))]
        if self.0 == Level::Avx512 {
            return is_x86_feature_detected!("avx512bf16");
        }
        false
    }

    /// The name that [`Isa::named`] takes.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detected_set_is_found_again_by_its_name() {
        assert_eq!(Isa::named(Isa::detect().name()), Some(Isa::detect()));
        assert_eq!(Isa::named("vax"), None);
    }

    #[cfg(all(target_arch = "x86_64", feature = "std"))]
    #[test]
    fn a_machine_with_avx2_and_fma_does_not_fall_back() {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        assert_eq!(Isa::detect() != Isa::portable(), has);
        let is_wide = has
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq");
        assert_eq!(Isa::detect().name() == "avx512", is_wide);
    }
}
