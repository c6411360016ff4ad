//! The normalisation forms of Unicode Standard Annex 15, of the Unicode version of the peer.

use super::aligned::{Aligned, Change};
use crate::unicode;
use unicode_normalization::char::{compose, decompose_compatible};
use unicode_normalization::{
    IsNormalized, is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick,
};

/// A normalisation form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Characters are joined again.
    pub(crate) composes: bool,
    /// What only looks different is made the same.
    pub(crate) is_compatible: bool,
}

/// A character, its combining class and its change.
#[derive(Clone, Copy)]
struct Part {
    c: char,
    class: u8,
    by: isize,
}

impl Form {
    /// Brings the text into this form. Time is linear but for the ordering of runs of marks.
    pub(crate) fn apply(self, aligned: &mut Aligned<'_>) {
        let text = &*aligned.text;
        if text.is_ascii() || self.check(text) == IsNormalized::Yes {
            return;
        }
        let mut parts = self.decompose(text);
        if self.composes {
            parts = join(&parts);
        }
        let changes = parts.into_iter().map(|Part { c, by, .. }| Change { c, by });
        aligned.change(changes, 0);
    }

    fn check(self, text: &str) -> IsNormalized {
        let chars = text.chars();
        match (self.composes, self.is_compatible) {
            (true, true) => is_nfkc_quick(chars),
            (true, false) => is_nfc_quick(chars),
            (false, true) => is_nfkd_quick(chars),
            (false, false) => is_nfd_quick(chars),
        }
    }

    /// The parts of all characters in canonical order.
    fn decompose(self, text: &str) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::with_capacity(text.len());
        for c in text.chars() {
            let mut by = 0;
            let mut push = |c| {
                let class = unicode::combining_class(c, unicode::is_mark(c));
                parts.push(Part { c, class, by });
                by = 1;
            };
            if self.is_compatible && !unicode::is_undecomposed_compatible(c) {
                decompose_compatible(c, push);
            } else if self.is_compatible {
                push(c);
            } else {
                unicode::decompose(c, push);
            }
        }
        for run in parts.chunk_by_mut(|_, next| next.class != 0) {
            run.sort_by_key(|part| part.class);
        }
        parts
    }
}

/// Joins what composes.
fn join(parts: &[Part]) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    let mut starter: Option<usize> = None;
    for &part in parts {
        if let Some(at) = starter {
            let last = &out[out.len() - 1];
            let is_blocked = out.len() - 1 > at && (last.class >= part.class || last.class == 0);
            let composed = compose(out[at].c, part.c).filter(|&c| !unicode::is_undecomposed(c));
            if let Some(c) = composed
                && !is_blocked
            {
                out[at].c = c;
                out[at].by += part.by - 1;
                continue;
            }
        }
        if part.class == 0 {
            starter = Some(out.len());
        }
        out.push(part);
    }
    out
}
