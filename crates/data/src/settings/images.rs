//! Settings of the steps about images.

use super::{Setting, quote};
use crate::images::{ImageHash, PixelType};
use nexus_image::{Filter, Layout};
use toml::de::DeValue;

/// A type whose values are names.
macro_rules! names {
    ($type:ty, $expected:literal, $($value:ident = $name:literal),+) => {
        impl Setting for $type {
            const EXPECTED: &'static str = $expected;

            fn read(value: &DeValue<'_>) -> Option<Self> {
                match value.as_str()? {
                    $($name => Some(Self::$value),)+
                    _ => None,
                }
            }

            fn write(&self) -> Option<String> {
                Some(quote(match self {
                    $(Self::$value => $name,)+
                }))
            }
        }
    };
}

names!(
    ImageHash,
    "\"phash\" or \"dhash\"",
    Phash = "phash",
    Dhash = "dhash"
);
names!(
    PixelType,
    "\"uint8\" or \"float32\"",
    U8 = "uint8",
    F32 = "float32"
);
names!(Layout, "\"chw\" or \"hwc\"", Chw = "chw", Hwc = "hwc");
names!(
    Filter,
    "\"bilinear\", \"bicubic\" or \"lanczos\"",
    Bilinear = "bilinear",
    Bicubic = "bicubic",
    Lanczos = "lanczos"
);

/// A number for each channel.
impl Setting for [f32; 3] {
    const EXPECTED: &'static str = "an array of three numbers";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let numbers = value.as_array()?.iter();
        let numbers: Option<Vec<f64>> = numbers.map(|each| f64::read(each.get_ref())).collect();
        let numbers: Self = numbers?
            .into_iter()
            .map(|number| number as f32)
            .collect::<Vec<_>>()
            .try_into()
            .ok()?;
        Some(numbers)
    }

    fn write(&self) -> Option<String> {
        // The shortest digits that are this number; `NaN` is `nan` in TOML.
        let numbers = self.map(|number| format!("{number:?}").to_lowercase());
        Some(format!("[{}]", numbers.join(", ")))
    }
}
