//! Pieces of text that spaCy's English tokenizer splits by a table: contractions, abbreviations,
//! emoticons, times.
//!
//! The table is made of stems and endings. Words are joined by a blank where the piece is cut:
//! `"i 'm a"` says that `i'ma` gives `i`, `'m` and `a`.

use crate::hash::TextMap;

/// Bytes of the longest special piece, with room to spare; longer pieces are not looked up.
const SIZE_MAX: usize = 40;

/// Bits of the filter in front of the table.
const FILTER_BITS: usize = 1 << 15;

/// The table.
pub(crate) struct Specials {
    /// A piece, and the lengths in bytes of its words.
    cuts: TextMap<Box<[u8]>>,
    filter: Box<[u64; FILTER_BITS / 64]>,
}

impl Specials {
    pub(crate) fn new() -> Self {
        let mut specials = Self {
            cuts: TextMap::default(),
            filter: Box::new([0; FILTER_BITS / 64]),
        };
        contractions(&mut |words| specials.add(words));
        for words in lists() {
            specials.add(words);
        }
        specials
    }

    /// The lengths in bytes of the words of `piece`, if it is special.
    #[inline]
    pub(crate) fn get(&self, piece: &str) -> Option<&[u8]> {
        let bit = filter_bit(piece.as_bytes());
        if self.filter[bit / 64] >> (bit % 64) & 1 == 0 || piece.len() > SIZE_MAX {
            return None;
        }
        self.cuts.get(piece).map(|cuts| &**cuts)
    }

    /// All special pieces.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &str> {
        self.cuts.keys().map(|piece| &**piece)
    }

    /// Adds a piece, and the same with a typographic apostrophe.
    fn add(&mut self, words: &str) {
        self.add_one(words);
        if words.contains('\'') {
            self.add_one(&words.replace('\'', "’"));
        }
    }

    fn add_one(&mut self, words: &str) {
        let piece = words.replace(' ', "");
        let bit = filter_bit(piece.as_bytes());
        self.filter[bit / 64] |= 1 << (bit % 64);
        let cuts = words.split(' ').map(|word| word.len() as u8).collect();
        self.cuts.insert(piece.into(), cuts);
    }
}

/// A hash of the length, the first two bytes, the middle and the last.
#[inline]
fn filter_bit(piece: &[u8]) -> usize {
    let n = piece.len();
    if n == 0 {
        return 0;
    }
    let ends = u64::from(piece[0])
        | u64::from(piece[n / 2]) << 8
        | u64::from(piece[n - 1]) << 16
        | u64::from(piece[1.min(n - 1)]) << 24
        | (n as u64) << 32;
    (ends.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 49) as usize
}

/// Words that look like contractions and are not.
const EXCLUDED: [&str; 16] = [
    "Ill", "ill", "Its", "its", "Hell", "hell", "Shell", "shell", "Shed", "shed", "were", "Were",
    "Well", "well", "Whore", "whore",
];

/// Gives every contraction: stems with endings, each with and without its apostrophes.
fn contractions(add: &mut dyn FnMut(&str)) {
    let mut each = |stems: &str, endings: &[&str]| {
        for stem in stems.split(' ') {
            for ending in endings {
                for stem in [stem.to_owned(), titled(stem)] {
                    let with = format!("{stem} {ending}");
                    let without = with.replace('\'', "");
                    add(&with);
                    if !EXCLUDED.contains(&&*without.replace(' ', "")) {
                        add(&without);
                    }
                }
            }
        }
    };
    let (will, would, have, are, is) = (
        ["'ll", "'ll 've"],
        ["'d", "'d 've"],
        ["'ve"],
        ["'re"],
        ["'s"],
    );
    each("i", &["'m", "'m a"]);
    each("i you he she it we they", &will);
    each("i you he she it we they", &would);
    each("i you we they", &have);
    each("you we they", &are);
    each("he she it", &is);
    let questions = "who what when where why how there";
    each(questions, &[will, would].concat());
    each("that this these those", &[will, would].concat());
    each(questions, &[have, are, is].concat());
    each("that this", &is);
    each("these those", &[have, are].concat());
    each("could might must should would", &have);
    let verbs = "ca could do does did had may might must need ought sha should wo would";
    each(verbs, &["n't", "n't 've"]);
    each("ai are is was were have has dare", &["n't"]);
    each("not", &have);
}

/// Everything else, as words joined by blanks, one piece each.
fn lists() -> impl Iterator<Item = &'static str> {
    const CUT: &[&str] = &[
        "y' all",
        "y all",
        "how 'd 'y",
        "How 'd 'y",
        "can not",
        "Can not",
        "gon na",
        "Gon na",
        "got ta",
        "Got ta",
        "let 's",
        "Let 's",
        "c'm on",
        "C'm on",
        "° c .",
        "° f .",
        "° k .",
        "° C .",
        "° F .",
        "° K .",
        "1 am",
        "1 a.m.",
        "1 pm",
        "1 p.m.",
        "2 am",
        "2 a.m.",
        "2 pm",
        "2 p.m.",
        "3 am",
        "3 a.m.",
        "3 pm",
        "3 p.m.",
        "4 am",
        "4 a.m.",
        "4 pm",
        "4 p.m.",
        "5 am",
        "5 a.m.",
        "5 pm",
        "5 p.m.",
        "6 am",
        "6 a.m.",
        "6 pm",
        "6 p.m.",
        "7 am",
        "7 a.m.",
        "7 pm",
        "7 p.m.",
        "8 am",
        "8 a.m.",
        "8 pm",
        "8 p.m.",
        "9 am",
        "9 a.m.",
        "9 pm",
        "9 p.m.",
        "10 am",
        "10 a.m.",
        "10 pm",
        "10 p.m.",
        "11 am",
        "11 a.m.",
        "11 pm",
        "11 p.m.",
        "12 am",
        "12 a.m.",
        "12 pm",
        "12 p.m.",
    ];
    const WHOLE: &str = "doin doin' Doin Doin' goin goin' Goin Goin' nothin nothin' Nothin Nothin' \
        nuthin nuthin' Nuthin Nuthin' ol ol' Ol Ol' somethin somethin' Somethin Somethin' lovin \
        lovin' Lovin Lovin' havin havin' Havin Havin' em 'em ll 'll nuff 'nuff 'S 's ‘S ‘s and/or \
        w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout 'd ma'am Ma'am o'clock O'clock \
        Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. \
        Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. \
        N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. \
        a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. \
        Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. \
        \\t \\n — ' \\\") <space> '' C++ a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. \
        t. u. v. w. x. y. z. ä. ö. ü.";
    const EMOTICONS: &str = ":) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: \
        :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( :-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( \
        :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :* :-* :3 :-3 =3 \
        :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. \
        ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ \
        <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\\(ツ)/¯ \
        (╯°□°）╯︵┻━┻ ><(((*>";
    CUT.iter()
        .copied()
        .chain(WHOLE.split(' '))
        .chain(EMOTICONS.split(' '))
}

fn titled(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_piece_passes_the_filter() {
        let specials = Specials::new();
        for piece in specials.pieces() {
            let cuts = specials.get(piece).expect(piece);
            assert_eq!(
                cuts.iter().map(|&cut| usize::from(cut)).sum::<usize>(),
                piece.len()
            );
        }
        // 1347 of spaCy's, less the four of white space.
        assert_eq!(specials.pieces().count(), 1343);
    }
}
