//! Samples of tar archives to rows.

use super::{images, listing::Input};
use crate::batch::{Rows, columns};
use crate::files::Keys;
use crate::{Document, Reject, html, markdown, record};

/// Members that belong together.
pub(super) struct Sample {
    pub(super) key: String,
    number: u64,
    members: Vec<(String, Vec<u8>)>,
    /// The image with its ending, where images are read.
    image: Option<(String, Vec<u8>)>,
    /// Endings of members that are not read.
    left_out: Vec<String>,
    size: usize,
}

/// Some samples of a file.
pub(crate) struct SampleChunk {
    pub(super) input: Input,
    pub(super) samples: Vec<Sample>,
}

/// The last part of an ending, by which members are told apart.
fn kind(ending: &str) -> String {
    ending
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// Whether a member is an image.
pub(super) fn is_image(ending: &str) -> bool {
    images::is_image(&kind(ending))
}

/// Whether a member is read as text.
pub(super) fn is_text(ending: &str) -> bool {
    matches!(
        kind(ending).as_str(),
        "txt" | "text" | "transcript" | "md" | "html" | "htm" | "json" | "cls" | "url" | "id"
    )
}

impl Sample {
    pub(super) fn new(key: &str, number: u64) -> Self {
        let (members, left_out) = (Vec::new(), Vec::new());
        let key = key.to_owned();
        Self {
            key,
            number,
            members,
            image: None,
            left_out,
            size: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len() + self.left_out.len() + usize::from(self.image.is_some())
    }

    /// Bytes of all members that were read.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Bytes that it takes in memory: names count too, which an archive may have more of than data.
    pub(super) fn held(&self) -> usize {
        let endings = self.members.iter().map(|(ending, _)| ending.len());
        let left_out = self.left_out.iter().map(String::len);
        self.size + self.key.len() + endings.chain(left_out).sum::<usize>()
    }

    pub(super) fn add(&mut self, ending: &str, bytes: Vec<u8>) {
        self.size += bytes.len();
        self.members.push((ending.to_owned(), bytes));
    }

    pub(super) fn has_image(&self) -> bool {
        self.image.is_some()
    }

    pub(super) fn add_image(&mut self, ending: &str, bytes: Vec<u8>) {
        self.size += bytes.len();
        self.image = Some((ending.to_owned(), bytes));
    }

    pub(super) fn leave_out(&mut self, ending: &str) {
        self.left_out.push(ending.to_owned());
    }

    /// Id, text and fields. A sample with an image needs no text.
    fn row(self, keys: &Keys) -> Result<(Option<String>, String, String), String> {
        let (mut id, mut text, mut fields) = (None, None, serde_json::Map::new());
        let mut object = None;
        for (ending, bytes) in self.members {
            let member = String::from_utf8(bytes)
                .map_err(|error| format!("invalid UTF-8 in `.{ending}`: {}", error.utf8_error()))?;
            let plain = |text| Document { text, title: None };
            let document = match kind(&ending).as_str() {
                "txt" | "text" | "transcript" => plain(member),
                "md" => markdown::to_text(&member),
                "html" | "htm" => html::to_text(&member),
                "json" if object.is_none() && member.trim_ascii_start().starts_with('{') => {
                    object = Some(member);
                    continue;
                }
                _ => {
                    fields.insert(ending, member.into());
                    continue;
                }
            };
            if let Some(title) = document.title {
                fields.insert("title".to_owned(), title.into());
            }
            if text.is_none() {
                text = Some(document.text);
            } else {
                fields.insert(ending, document.text.into());
            }
        }
        if let Some((ending, _)) = &self.image {
            let name = format!("{}.{ending}", self.key);
            fields.insert(columns::IMAGE.to_owned(), name.into());
        }
        if !self.left_out.is_empty() {
            fields.insert("members".to_owned(), self.left_out.into());
        }
        let mut fields = serde_json::Value::Object(fields).to_string();
        if let Some(object) = object {
            let parts = record::parts(&object, keys)?;
            id = parts.id;
            text = text.or(parts.text);
            fields = join(&parts.fields, &fields);
        }
        if text.is_none() && self.image.is_none() {
            let text = &keys.text;
            return Err(format!(
                "the sample has no text: no `.txt`, `.md`, `.html` and no `{text}` in `.json`"
            ));
        }
        Ok((id, text.unwrap_or_default(), fields))
    }
}

/// The keys of two JSON objects in one.
fn join(left: &str, right: &str) -> String {
    match (left, right) {
        (left, "{}") => left.to_owned(),
        ("{}", right) => right.to_owned(),
        (left, right) => format!("{},{}", &left[..left.len() - 1], &right[1..]),
    }
}

impl SampleChunk {
    /// Appends a row for each sample that holds a text.
    pub(super) fn decode(self, rows: &mut Rows, rejects: &mut Vec<Reject>) {
        let Self { input, samples } = self;
        for mut sample in samples {
            let (number, place) = (sample.number, format!("{}:{}", input.id, sample.key));
            let image = sample
                .image
                .as_mut()
                .map(|(_, image)| std::mem::take(image));
            match sample.row(&input.keys) {
                Ok((id, text, fields)) => {
                    if let Some(image) = image {
                        rows.push_image(image);
                    }
                    rows.ids.push(id.unwrap_or(place));
                    rows.texts.push(&text);
                    rows.sources.push(input.source.clone());
                    rows.lines.push(Some(number));
                    rows.fields.push(fields);
                }
                Err(reason) => rejects.push(input.reject(Some(number), reason)),
            }
        }
    }
}
