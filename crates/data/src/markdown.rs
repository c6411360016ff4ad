//! Markdown ([CommonMark](https://spec.commonmark.org) with tables, strikethrough, footnotes and front matter) to text.

use crate::Document;
use crate::document::Blocks;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// The text of a Markdown document, and its first heading of level 1.
///
/// Code keeps its lines and indentation, links and images keep their text, mark-up in HTML and
/// front matter are dropped.
///
/// ```
/// let document = nexus_data::markdown::to_text("# Title\n\nSome *text* with a [link](x).\n\n- item");
/// assert_eq!(document.title.as_deref(), Some("Title"));
/// assert_eq!(document.text, "Title\n\nSome text with a link.\n\nitem");
/// ```
pub fn to_text(markdown: &str) -> Document {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let mut blocks = Blocks::default();
    let mut title = Title::default();
    let mut is_metadata = false;
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::MetadataBlock(_)) => is_metadata = true,
            Event::End(TagEnd::MetadataBlock(_)) => is_metadata = false,
            Event::Text(_) if is_metadata => {}
            Event::Text(text) | Event::Code(text) => {
                blocks.push_verbatim(&text);
                title.push(&text);
            }
            Event::SoftBreak | Event::HardBreak => blocks.break_line(),
            Event::Start(Tag::Heading { level, .. }) => {
                blocks.break_paragraph();
                title.start(level);
            }
            Event::End(TagEnd::Heading(_)) => {
                blocks.break_paragraph();
                title.end();
            }
            Event::Start(Tag::Item | Tag::TableRow | Tag::TableHead)
            | Event::End(TagEnd::Item | TagEnd::TableRow | TagEnd::TableHead) => {
                blocks.break_line();
            }
            Event::End(TagEnd::TableCell) => blocks.push_flowing(" "),
            Event::Start(
                Tag::Paragraph
                | Tag::BlockQuote(_)
                | Tag::CodeBlock(_)
                | Tag::List(_)
                | Tag::Table(_)
                | Tag::FootnoteDefinition(_),
            )
            | Event::End(
                TagEnd::Paragraph
                | TagEnd::BlockQuote(_)
                | TagEnd::CodeBlock
                | TagEnd::List(_)
                | TagEnd::Table
                | TagEnd::FootnoteDefinition,
            )
            | Event::Rule => blocks.break_paragraph(),
            _ => {}
        }
    }
    Document {
        text: blocks.finish(),
        title: title.text.filter(|title| !title.is_empty()),
    }
}

/// Collects the first heading of level 1.
#[derive(Default)]
struct Title {
    text: Option<String>,
    is_open: bool,
}

impl Title {
    fn start(&mut self, level: HeadingLevel) {
        if level == HeadingLevel::H1 && self.text.is_none() {
            self.text = Some(String::new());
            self.is_open = true;
        }
    }

    fn push(&mut self, text: &str) {
        if let Some(title) = self.text.as_mut().filter(|_| self.is_open) {
            title.push_str(text);
        }
    }

    fn end(&mut self) {
        self.is_open = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_text() {
        for (markdown, expected) in [
            ("", ""),
            ("a\nb\n\nc", "a\nb\n\nc"),
            ("# A\ntext\n## B", "A\n\ntext\n\nB"),
            ("- a\n- b\n  - c\n\nd", "a\nb\n\nc\n\nd"),
            (
                "```rust\nfn a() {\n    b\n}\n```\nc",
                "fn a() {\n    b\n}\n\nc",
            ),
            ("a `code` ![alt](x.png) <b>bold</b>", "a code alt bold"),
            ("| a | b |\n|---|---|\n| c | d |", "a b\nc d"),
            ("> quote\n\nend", "quote\n\nend"),
            ("---\ntitle: x\n---\n\nbody", "body"),
            ("a &amp; b\\*", "a & b*"),
            ("<div>\nhidden?\n</div>\n\nshown", "shown"),
        ] {
            assert_eq!(to_text(markdown).text, expected, "{markdown:?}");
        }
    }

    #[test]
    fn the_first_top_heading_is_the_title() {
        for (markdown, expected) in [
            ("## b\n# a `c`\n# d", Some("a c")),
            ("Title\n=====\n", Some("Title")),
            ("text", None),
            ("#\n\n# a", None),
        ] {
            assert_eq!(to_text(markdown).title.as_deref(), expected, "{markdown:?}");
        }
    }
}
