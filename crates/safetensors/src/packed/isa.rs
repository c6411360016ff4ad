//! Which instruction set the decoder uses: found once, passed by value.

/// An instruction set that this machine has.
///
/// The only ways to get one check the machine, so holding an `Isa` proves that its instructions
/// run. Every set gives the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(pub(super) Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    /// The widest set that both this machine and the decoder have. Costs one cached lookup.
    pub fn detect() -> Self {
        Self::named("avx2").unwrap_or(Self::portable())
    }

    /// Code that runs everywhere.
    pub const fn portable() -> Self {
        Self(Level::Portable)
    }

    /// The set called `name` (`"portable"` or `"avx2"`), or `None` where this machine lacks it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "portable" => Some(Self::portable()),
            #[cfg(target_arch = "x86_64")]
            "avx2" if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") => {
                Some(Self(Level::Avx2))
            }
            _ => None,
        }
    }

    /// The name that [`Isa::named`] takes.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
        }
    }
}

impl Default for Isa {
    fn default() -> Self {
        Self::detect()
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

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_machine_with_avx2_does_not_fall_back() {
        let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt");
        assert_eq!(Isa::detect().name() == "avx2", has);
    }
}
