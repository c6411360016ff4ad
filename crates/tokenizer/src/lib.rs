//! Tokenizers that give the ids of Hugging Face `tokenizers`, without its dependencies.
//!
//! A [`Tokenizer`] is read from a `tokenizer.json` or a rank file of `tiktoken` and turns text into
//! token ids: byte-level byte-pair encoding (GPT-2, cl100k, o200k, Llama 3, Qwen, `DeepSeek` V3,
//! `StarCoder`, CLIP, BLOOM, Falcon), sentence pieces by merges (Llama 1 and 2, Gemma, NLLB) or by the
//! best path (Unigram: T5, XLM-R, ALBERT, `DeBERTa`), and [`WordPiece`] (BERT). It adds no special
//! tokens around a text unless a batch asks for them, and it ignores the file's truncation and padding:
//! where a text is cut is the caller's decision. Expressions that are not in use by these families are
//! refused.
//!
//! No regular expression is run: automata written for the known expressions cut the text, a bounded
//! cache knows the tokens of words seen before, and what is new is merged in n log n time, or cut by
//! Viterbi's algorithm in linear time.
//!
//! What a file asks for and this crate lacks is refused with
//! [`Unsupported`](ErrorKind::Unsupported), never approximated.
//!
//! ```
//! use nexus_tokenizer::{Case, WordPiece};
//!
//! let vocab = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nstream\n##ing\nworks\n!\n";
//! let tokenizer = WordPiece::from_vocab(vocab, Case::Lower)?;
//! let encoding = tokenizer.encode("Streaming works!");
//! assert_eq!(encoding.ids, [5, 6, 7, 8]);
//! assert_eq!(encoding.offsets, [(0, 6), (6, 9), (10, 15), (15, 16)]);
//! # Ok::<(), nexus_tokenizer::Error>(())
//! ```

mod added;
mod alphabet;
mod around;
mod base64;
mod batch;
mod bpe;
mod byte_level;
mod byte_pair;
mod class;
mod class_tables;
mod decoder;
mod error;
mod file;
mod from_file;
pub mod limits;
mod normal;
mod normalize;
mod normalizer;
mod parse;
mod pretoken;
mod raw;
mod tiktoken;
mod tokenizer;
mod trie;
mod unicode;
mod unicode_tables;
mod unigram;
mod wordpiece;
mod words;

pub use batch::{Batch, BatchOptions, Id};
pub use byte_pair::Special;
pub use error::{Error, ErrorKind};
pub use parse::Case;
pub use tiktoken::Tiktoken;
pub use tokenizer::Tokenizer;
pub use wordpiece::{Encoding, WordPiece};
