//! Where spaCy's English tokenizer cuts a piece of text without white space.
//!
//! Facts of spaCy 3.8's prefix, suffix and infix rules, as functions over classified characters.
//! spaCy searches with regular expressions; a suffix rule that matches further left wins there, which
//! here means that the longest suffix wins.

use crate::unicode::{ALPHA, BEFORE_STOP, Class, ICON, LOWER, PREFIX, QUOTE, SUFFIX, UPPER};
use std::sync::LazyLock;

/// A character, where it begins in the piece, and its classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glyph {
    pub(crate) at: u32,
    pub(crate) c: char,
    pub(crate) class: Class,
}

/// Units of measure and currencies, which are cut off when they follow a digit.
const UNITS: &str = "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg \
    µg t lb oz m/s km/h kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм \
    дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ \
    тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ كوب اكواب + $ £ € ¥ ฿ US$ C$ \
    A$ ₽ ﷼ ₴ ₠ ₡ ₢ ₣ ₤ ₥ ₦ ₧ ₨ ₩ ₪ ₫ ₭ ₮ ₯ ₰ ₱ ₲ ₳ ₵ ₶ ₷ ₸ ₹ ₺ ₻ ₼ ₾ ₿";

/// Characters of the longest unit.
const UNIT_CHARS_MAX: usize = 5;

/// The length of the prefix that is cut off, or 0.
pub(crate) fn prefix(piece: &[Glyph]) -> usize {
    let next = |at: usize| piece.get(at).map_or('\0', |glyph| glyph.c);
    match piece[0].c {
        '+' => usize::from(!next(1).is_ascii_digit()),
        '.' => at_least_two(piece.iter().take_while(|glyph| glyph.c == '.').count()),
        'U' if next(1) == 'S' && next(2) == '$' => 3,
        'C' | 'A' if next(1) == '$' => 2,
        _ => usize::from(piece[0].class & PREFIX != 0),
    }
}

/// The length of the suffix that is cut off, or 0.
pub(crate) fn suffix(piece: &[Glyph]) -> usize {
    let Some((last, before)) = piece.split_last() else {
        return 0;
    };
    let previous = before.last().map_or('\0', |glyph| glyph.c);
    let simple = match last.c {
        '.' => full_stops(before),
        's' | 'S' if matches!(previous, '\'' | '’') => 2,
        '…' if previous == '…' => 2,
        _ => usize::from(last.class & SUFFIX != 0),
    };
    simple.max(unit(piece))
}

/// The length of the infix at `at`, or 0.
pub(crate) fn infix(piece: &[Glyph], at: usize) -> usize {
    let class = |at: usize| piece.get(at).map_or(0, |glyph| glyph.class);
    let c = |at: usize| piece.get(at).map_or('\0', |glyph| glyph.c);
    let (previous, before) = match at {
        0 => (0, '\0'),
        _ => (class(at - 1), c(at - 1)),
    };
    let after_word = previous & ALPHA != 0 || before.is_ascii_digit();
    let run = |of: char| {
        piece[at..]
            .iter()
            .take(4)
            .take_while(|glyph| glyph.c == of)
            .count()
    };
    match piece[at].c {
        '.' if c(at + 1) == '.' => piece[at..]
            .iter()
            .take_while(|glyph| glyph.c == '.')
            .count(),
        '.' => usize::from(previous & (LOWER | QUOTE) != 0 && class(at + 1) & (UPPER | QUOTE) != 0),
        '…' => 1,
        _ if piece[at].class & ICON != 0 => 1,
        '+' | '-' | '*' | '^'
            if before.is_ascii_digit() && (c(at + 1).is_ascii_digit() || c(at + 1) == '-') =>
        {
            1
        }
        ',' => usize::from(previous & ALPHA != 0 && class(at + 1) & ALPHA != 0),
        ':' | '<' | '>' | '=' | '/' | '–' | '~' => {
            usize::from(after_word && class(at + 1) & ALPHA != 0)
        }
        dash @ ('-' | '—') if after_word => {
            let (dashes, most) = (run(dash), if dash == '-' { 3 } else { 2 });
            if dashes <= most && class(at + dashes) & ALPHA != 0 {
                dashes
            } else {
                0
            }
        }
        _ => 0,
    }
}

/// The run of full stops at the end, of which the last is not part of `before`.
fn full_stops(before: &[Glyph]) -> usize {
    let run = 1 + before
        .iter()
        .rev()
        .take_while(|glyph| glyph.c == '.')
        .count();
    if run > 1 {
        return run;
    }
    let class = |back: usize| before.iter().nth_back(back).map_or(0, |glyph| glyph.class);
    let c = |back: usize| before.iter().nth_back(back).map_or('\0', |glyph| glyph.c);
    let is_abbreviation = class(0) & class(1) & UPPER != 0;
    let is_temperature = c(1) == '°' && matches!(c(0), 'F' | 'f' | 'C' | 'c' | 'K' | 'k');
    usize::from(class(0) & BEFORE_STOP != 0 || is_abbreviation || is_temperature)
}

/// The units as characters, padded with NUL, in order.
static SORTED_UNITS: LazyLock<Vec<[char; UNIT_CHARS_MAX]>> = LazyLock::new(|| {
    let mut units: Vec<_> = UNITS.split(' ').map(|unit| padded(unit.chars())).collect();
    units.sort_unstable();
    units
});

fn padded(chars: impl Iterator<Item = char>) -> [char; UNIT_CHARS_MAX] {
    let mut unit = ['\0'; UNIT_CHARS_MAX];
    unit.iter_mut().zip(chars).for_each(|(to, c)| *to = c);
    unit
}

/// The length of the unit after the last digit, or 0.
fn unit(piece: &[Glyph]) -> usize {
    let mut tail = piece.iter().rev().take(UNIT_CHARS_MAX + 1);
    let Some(length) = tail.position(|glyph| glyph.c.is_ascii_digit()) else {
        return 0;
    };
    if length == 0 {
        return 0;
    }
    let tail = padded(piece[piece.len() - length..].iter().map(|glyph| glyph.c));
    if SORTED_UNITS.binary_search(&tail).is_ok() {
        length
    } else {
        0
    }
}

fn at_least_two(count: usize) -> usize {
    if count < 2 { 0 } else { count }
}
