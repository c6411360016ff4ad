//! Documents without their mark-up.

/// What is left of a document when its mark-up is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// What a reader sees.
    pub text: String,
    /// The title, if the document names one.
    pub title: Option<String>,
}

/// Text under construction: breaks between blocks are made when the next block comes, so that none
/// is doubled and none stands at an end.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    text: String,
    /// Line ends that are due before the next text.
    due: usize,
    /// Whether a space is due before the next text of the same line.
    is_space_due: bool,
}

impl Blocks {
    /// Ends the line.
    pub(crate) fn break_line(&mut self) {
        self.due = self.due.max(1);
    }

    /// Ends the paragraph.
    pub(crate) fn break_paragraph(&mut self) {
        self.due = 2;
    }

    /// Appends text with each run of white space as one space.
    pub(crate) fn push_flowing(&mut self, text: &str) {
        for (at, word) in text.split(is_html_space).enumerate() {
            self.is_space_due |= at > 0;
            if !word.is_empty() {
                self.settle();
                self.text.push_str(word);
            }
        }
    }

    /// Appends text as it is.
    pub(crate) fn push_verbatim(&mut self, text: &str) {
        if !text.is_empty() {
            self.settle();
            self.text.push_str(text);
        }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn settle(&mut self) {
        let is_space_due = std::mem::take(&mut self.is_space_due);
        let due = std::mem::take(&mut self.due);
        if self.text.is_empty() {
            return;
        }
        if due > 0 {
            let present = self
                .text
                .bytes()
                .rev()
                .take_while(|&byte| byte == b'\n')
                .count();
            self.text
                .extend(std::iter::repeat_n('\n', due.saturating_sub(present)));
        } else if is_space_due && !self.text.ends_with(['\n', ' ']) {
            self.text.push(' ');
        }
    }
}

/// The white space that HTML collapses: not the no-break space.
pub(crate) fn is_html_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}
