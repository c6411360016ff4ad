//! The web page: a search box and the hits, rendered here; it needs no script.

use crate::query::{Hit, Searcher};
use nexus_serve::{Page, Site};
use std::fmt::Write;
use std::time::Instant;

/// How many hits a page shows.
const HITS: usize = 10;

/// How much of a passage a page shows before it is opened, in characters.
const PREVIEW: usize = 280;

/// The page at `/`; `/?q=...` shows hits.
pub struct SearchPage {
    searcher: Searcher,
    title: String,
}

impl SearchPage {
    /// A page that answers from `searcher` under the headline `title`.
    pub fn new(searcher: Searcher, title: impl Into<String>) -> Self {
        Self {
            searcher,
            title: title.into(),
        }
    }

    fn render(&self, query: &str) -> String {
        let mut html = String::with_capacity(16 << 10);
        let (title, asked) = (Escaped(&self.title), Escaped(query));
        let passages = self.searcher.index().len();
        let _ = write!(
            html,
            include_str!("page.html"),
            title = title,
            query = asked
        );
        if query.trim().is_empty() {
            let _ = write!(
                html,
                "<p class=note>{passages} passages. Ask in your own words.</p>"
            );
        } else {
            self.render_hits(query, passages, &mut html);
        }
        html.push_str("</main></body></html>\n");
        html
    }

    fn render_hits(&self, query: &str, passages: usize, html: &mut String) {
        let start = Instant::now();
        match self.searcher.search(&[(query, HITS)]) {
            Ok(answers) => {
                let milliseconds = start.elapsed().as_secs_f64() * 1e3;
                let _ = write!(
                    html,
                    "<p class=note>{passages} passages searched in {milliseconds:.1} ms</p><ol>"
                );
                answers
                    .iter()
                    .flatten()
                    .for_each(|hit| render_hit(hit, html));
                html.push_str("</ol>");
            }
            Err(error) => {
                let _ = write!(
                    html,
                    "<p class=error role=alert>{}</p>",
                    Escaped(&error.to_string())
                );
            }
        }
    }
}

fn render_hit(hit: &Hit, html: &mut String) {
    let record = &hit.record;
    let _ = write!(
        html,
        "<li class=hit data-score=\"{:.4}\" data-position=\"{}\">",
        hit.score, hit.position
    );
    let title = Escaped(&record.title);
    let _ = if record.url.starts_with("https://") || record.url.starts_with("http://") {
        write!(
            html,
            "<a class=title href=\"{}\">{title}</a>",
            Escaped(&record.url)
        )
    } else {
        write!(html, "<span class=title>{title}</span>")
    };
    let module = Escaped(&record.module);
    let _ = write!(
        html,
        " <span class=score>{:.2}</span><div class=module>{module}</div>",
        hit.score
    );
    let text = record.text.trim();
    let cut = text
        .char_indices()
        .nth(PREVIEW)
        .map_or(text.len(), |(at, _)| at);
    let (shown, rest) = text.split_at(cut);
    if rest.is_empty() {
        let _ = write!(html, "<pre>{}</pre></li>", Escaped(shown));
    } else {
        let (shown, text) = (Escaped(shown), Escaped(text));
        let _ = write!(
            html,
            "<details><summary><pre>{shown}…</pre></summary><pre>{text}</pre></details></li>"
        );
    }
}

impl Site for SearchPage {
    fn get(&self, path: &str, query: &str) -> Option<Page> {
        (path == "/").then(|| Page::html(self.render(&parameter(query, "q"))))
    }
}

/// The value of the form field `name` in a query string (`application/x-www-form-urlencoded`, WHATWG
/// URL standard, section 5.1); empty if it is not there. Bytes that are no UTF-8 become U+FFFD.
fn parameter(query: &str, name: &str) -> String {
    let fields = query.split('&').filter_map(|field| field.split_once('='));
    let value = fields
        .into_iter()
        .find(|(key, _)| *key == name)
        .map_or("", |(_, value)| value);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |digit: u8| (digit as char).to_digit(16);
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                bytes.push(value as u8);
                after
            }
            (b'+', _) => {
                bytes.push(b' ');
                tail
            }
            (&byte, _) => {
                bytes.push(byte);
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Text with the characters replaced that mean something in HTML.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_fields_are_decoded_as_browsers_encode_them() {
        let check =
            |query: &str, expected: &str| assert_eq!(parameter(query, "q"), expected, "{query}");
        check("q=compress+a+file", "compress a file");
        check("k=5&q=100%25%20sure", "100% sure");
        check("q=na%C3%AFve", "naïve");
        check("q=%zz%4", "%zz%4");
        check("q=%FF", "\u{FFFD}");
        check("", "");
        check("q", "");
        check("qq=1", "");
    }

    #[test]
    fn markup_in_texts_is_shown_and_not_obeyed() {
        let text = Escaped("<script>alert('\"&')</script>").to_string();
        assert_eq!(
            text,
            "&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;"
        );
    }
}
