//! HTML to text, in one pass and without a tree.
//!
//! Tags are found as the tokeniser of the [HTML standard](https://html.spec.whatwg.org/#tokenization)
//! finds them: attribute values may hold `>`, scripts and styles end at their own end tag only, and
//! comments at theirs. Block elements end a line or a paragraph, white space is collapsed outside
//! `<pre>`, and character references are replaced. Nothing is executed, fetched or laid out.

use crate::Document;
use crate::document::{Blocks, is_html_space};

/// The text of an HTML document, and the content of its `<title>`. Linear in the input's size.
///
/// ```
/// let page = "<title>T &amp; T</title><h1>One</h1><p>two <b>three</b><br>four<script>x</script>";
/// let document = nexus_data::html::to_text(page);
/// assert_eq!(document.title.as_deref(), Some("T & T"));
/// assert_eq!(document.text, "One\n\ntwo three\nfour");
/// ```
pub fn to_text(html: &str) -> Document {
    let mut reader = Reader::default();
    let mut rest = html;
    while let Some((token, tail)) = next_token(rest) {
        rest = match token {
            Token::Text(text) => {
                reader.text(text);
                tail
            }
            Token::Comment => tail,
            Token::Start { name } => reader.start(&name.to_ascii_lowercase(), tail),
            Token::End { name } => {
                reader.end(&name.to_ascii_lowercase());
                tail
            }
        };
    }
    let title = reader.title.filter(|title| !title.is_empty());
    Document {
        text: reader.blocks.finish(),
        title,
    }
}

/// Elements whose content is text up to their own end tag, whatever it looks like.
const RAW: [&str; 8] = [
    "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes",
];

/// Elements whose content no reader sees, or not as text.
const DROPPED: [&str; 9] = [
    "audio", "canvas", "math", "noscript", "object", "select", "svg", "template", "video",
];

#[derive(Default)]
struct Reader {
    blocks: Blocks,
    title: Option<String>,
    preformatted: usize,
    /// The dropped element that is open, and how many of its name are open inside each other.
    dropped: Option<(&'static str, usize)>,
}

impl Reader {
    fn text(&mut self, text: &str) {
        if self.dropped.is_some() {
            return;
        }
        let text = htmlize::unescape(text);
        if self.preformatted > 0 {
            self.blocks.push_verbatim(&text);
        } else {
            self.blocks.push_flowing(&text);
        }
    }

    /// Handles a start tag; `rest` follows it. Gives what is still to be read.
    fn start<'a>(&mut self, name: &str, rest: &'a str) -> &'a str {
        if RAW.contains(&name) {
            let (content, rest) = split_raw(name, rest);
            if name == "title" && self.title.is_none() && self.dropped.is_none() {
                let words = htmlize::unescape(content);
                let words: Vec<_> = words
                    .split(is_html_space)
                    .filter(|w| !w.is_empty())
                    .collect();
                self.title = Some(words.join(" "));
            }
            return rest;
        }
        match &mut self.dropped {
            Some((open, depth)) if *open == name => *depth += 1,
            Some(_) => {}
            None => match DROPPED.into_iter().find(|dropped| *dropped == name) {
                Some(dropped) => self.dropped = Some((dropped, 1)),
                None => self.block(name),
            },
        }
        if name == "pre" && self.dropped.is_none() {
            self.preformatted += 1;
            // The line end right after the tag is no part of the content.
            return rest
                .strip_prefix("\r\n")
                .or_else(|| rest.strip_prefix('\n'))
                .unwrap_or(rest);
        }
        rest
    }

    fn end(&mut self, name: &str) {
        match &mut self.dropped {
            Some((open, depth)) if *open == name => {
                *depth -= 1;
                if *depth == 0 {
                    self.dropped = None;
                }
            }
            Some(_) => {}
            // A lone </p> and </br> make an empty element, as browsers do.
            None => {
                if name == "pre" {
                    self.preformatted = self.preformatted.saturating_sub(1);
                }
                self.block(name);
            }
        }
    }

    /// The break that an element makes before and after its content.
    fn block(&mut self, name: &str) {
        match name {
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "pre" | "blockquote" | "ul" | "ol"
            | "dl" | "table" | "figure" | "hr" | "form" | "fieldset" | "article" | "section"
            | "main" | "header" | "footer" | "nav" | "aside" | "details" => {
                self.blocks.break_paragraph();
            }
            "address" | "body" | "br" | "caption" | "center" | "dd" | "dir" | "div" | "dt"
            | "figcaption" | "html" | "legend" | "li" | "menu" | "optgroup" | "option"
            | "summary" | "tbody" | "tfoot" | "thead" | "tr" => self.blocks.break_line(),
            "td" | "th" => self.blocks.push_flowing(" "),
            _ => {}
        }
    }
}

enum Token<'a> {
    Text(&'a str),
    Start {
        name: &'a str,
    },
    End {
        name: &'a str,
    },
    /// Comments, declarations and processing instructions.
    Comment,
}

/// The first token of `html`, and what follows it.
fn next_token(html: &str) -> Option<(Token<'_>, &str)> {
    if html.is_empty() {
        return None;
    }
    let Some(tag) = html.strip_prefix('<') else {
        let end = html.find('<').unwrap_or(html.len());
        return Some((Token::Text(&html[..end]), &html[end..]));
    };
    let starts_name = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts_name(tag) {
        let (name, rest) = split_name(tag);
        return Some((Token::Start { name }, after_tag(rest)));
    }
    if let Some(tag) = tag.strip_prefix('/') {
        if starts_name(tag) {
            let (name, rest) = split_name(tag);
            return Some((Token::End { name }, after_tag(rest)));
        }
        return Some((Token::Comment, after(tag, ">")));
    }
    if let Some(comment) = tag.strip_prefix("!--") {
        // <!--> and <!---> are whole comments.
        let rest = comment
            .strip_prefix('>')
            .or_else(|| comment.strip_prefix("->"));
        return Some((
            Token::Comment,
            rest.unwrap_or_else(|| after(comment, "-->")),
        ));
    }
    if let Some(data) = tag.strip_prefix("![CDATA[") {
        return Some((Token::Comment, after(data, "]]>")));
    }
    if tag.starts_with(['!', '?']) {
        return Some((Token::Comment, after(tag, ">")));
    }
    // A `<` that opens nothing is text.
    let end = tag.find('<').map_or(html.len(), |at| at + 1);
    Some((Token::Text(&html[..end]), &html[end..]))
}

fn split_name(tag: &str) -> (&str, &str) {
    let end = tag
        .find(|c: char| is_html_space(c) || c == '/' || c == '>')
        .unwrap_or(tag.len());
    tag.split_at(end)
}

/// What follows the tag whose attributes `text` starts with.
fn after_tag(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut at = 0;
    // Quotes count after `=` only: <p title=a"b> ends at its first `>`.
    let mut is_value = false;
    while at < bytes.len() {
        match bytes[at] {
            b'>' => return &text[at + 1..],
            quote @ (b'"' | b'\'') if is_value => {
                let rest = &bytes[at + 1..];
                let Some(end) = rest.iter().position(|&byte| byte == quote) else {
                    return "";
                };
                at += end + 1;
                is_value = false;
            }
            b'=' => is_value = true,
            byte if byte.is_ascii_whitespace() => {}
            _ => is_value = false,
        }
        at += 1;
    }
    ""
}

/// What follows the first `end` in `text`, or nothing.
fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// Splits the content of a raw element from what follows its end tag.
fn split_raw<'a>(name: &str, text: &'a str) -> (&'a str, &'a str) {
    for (at, _) in text.match_indices("</") {
        let tag = &text.as_bytes()[at + 2..];
        let is_name =
            tag.len() >= name.len() && tag[..name.len()].eq_ignore_ascii_case(name.as_bytes());
        let ends = |byte: &u8| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace();
        if is_name && tag.get(name.len()).is_some_and(ends) {
            return (&text[..at], after_tag(&text[at + 2 + name.len()..]));
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_the_text_that_a_reader_sees() {
        for (html, expected) in [
            ("", ""),
            ("plain  text\n here", "plain text here"),
            ("<p>a</p><p>b</p>", "a\n\nb"),
            ("<p>a<p>b", "a\n\nb"),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("<ul>\n<li>a\n<li>b</ul>c", "a\nb\n\nc"),
            ("<b>a</b> <i>b</i>c", "a bc"),
            ("<td>a</td><td>b</td>", "a b"),
            ("<pre>\n  a\n    b</pre>c  d", "  a\n    b\n\nc d"),
            (
                "&lt;p&gt; &amp;copy; &#233;&nbsp;x &notit;",
                "<p> &copy; é\u{a0}x ¬it;",
            ),
            ("a<script>if (a<b) '</p>'</script >b", "ab"),
            ("<STYLE>x</sTyLe\n>a", "a"),
            ("<script>never closed <p>x", ""),
            (
                "<!-- <p>x</p> -->a<!-->b<!--->c<!doctype html>d<?xml?>e</>f</3>g",
                "abcdefg",
            ),
            ("<a title=\"a>b\" href='c>d' x=e'f>g</a>", "g"),
            ("a < b <3 <", "a < b <3 <"),
            ("<p", ""),
            ("<a href=\"unclosed>text", ""),
            ("<svg><text>x</text><svg></svg>y</svg>a<template>t", "a"),
            ("<noscript>x</noscript>a</svg>b", "ab"),
            (
                "<head><title>x</title><meta charset=utf-8></head><body>a",
                "a",
            ),
            ("<textarea><p>x</textarea>a", "a"),
            ("日本<b>語</b>", "日本語"),
            ("</pre>a  b", "a b"),
        ] {
            assert_eq!(to_text(html).text, expected, "{html:?}");
        }
    }

    #[test]
    fn the_first_title_counts() {
        for (html, expected) in [
            ("<title> a\n b </title><title>c</title>", Some("a b")),
            ("<title></title>", None),
            ("<svg><title>icon</title></svg>", None),
            ("<p>a", None),
        ] {
            assert_eq!(to_text(html).title.as_deref(), expected, "{html:?}");
        }
    }

    #[test]
    fn hostile_input_takes_linear_time() {
        for unit in [
            "<", "</", "<!--", "<a b=\"", "&", "<script>", "</script", "<svg>", "<pre>\n",
        ] {
            let html = unit.repeat(1 << 17);
            assert!(to_text(&html).text.len() <= html.len());
        }
    }
}
