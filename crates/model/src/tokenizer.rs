//! Text to tokens and back: one struct over the `tokenizers` crate.

mod special;

use std::collections::BTreeSet;
use std::path::Path;

use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use crate::json_file::FileError;

use special::stop_ids;
pub(crate) use special::{SpecialTokens, special_tokens};

/// The text of the stop token of [`Tokenizer::characters`].
const STOP: &str = "<eos>";

/// Turns text into token ids and back.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The tokens that end a completion, the one to teach first.
    stops: Vec<u32>,
    /// Ids below this are valid; those from the tokenizer's own on are padding without a text.
    vocabulary: usize,
    /// Whether what is in no token's text is refused, as is the text of a stop token.
    closed: bool,
}

/// Why a text could not be turned into tokens or back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A character is not in the alphabet.
    #[error("{text:?} cannot be encoded: {character:?} is not in the alphabet {alphabet:?}")]
    UnknownCharacter {
        /// The text.
        text: String,
        /// Its first unknown character.
        character: char,
        /// The characters there are.
        alphabet: String,
    },
    /// The library refused.
    #[error("tokenizer: {0}")]
    Library(String),
    /// A file of the checkpoint is missing or wrong.
    #[error(transparent)]
    Files(#[from] FileError),
    /// No file says which token ends a completion.
    #[error(
        "{folder}: no token ends a completion: neither `eos_token_id` in generation_config.json or \
         config.json nor `eos_token` in tokenizer_config.json is set"
    )]
    NoStop {
        /// The folder.
        folder: String,
    },
    /// Tokenizer and model do not belong together.
    #[error("the tokenizer has token {token}, but the model's vocabulary is {vocabulary}")]
    TooManyTokens {
        /// The largest id.
        token: u32,
        /// Rows of the model's embedding.
        vocabulary: usize,
    },
}

impl Tokenizer {
    /// A token for each character of the alphabet, after the stop token with id 0.
    ///
    /// ```
    /// use fireproof_model::Tokenizer;
    /// let tokenizer = Tokenizer::characters("0123456789+>");
    /// let tokens = tokenizer.encode("7+5>").unwrap();
    /// assert_eq!(tokens.len(), 4);
    /// assert_eq!(tokenizer.decode(&tokens).unwrap(), "7+5>");
    /// assert_eq!(tokenizer.vocabulary(), 13);
    /// ```
    ///
    /// # Panics
    /// Never: every set of characters is a vocabulary.
    #[must_use]
    pub fn characters(alphabet: &str) -> Self {
        let alphabet: BTreeSet<char> = alphabet.chars().collect();
        let texts = std::iter::once(STOP.to_owned()).chain(alphabet.iter().map(char::to_string));
        let vocabulary = texts.zip(0u32..).collect();
        let model = WordLevel::builder().vocab(vocabulary).unk_token(STOP.to_owned()).build();
        let mut inner = tokenizers::Tokenizer::new(model.expect("a vocabulary without a file"));
        // Every character stands alone, line breaks included.
        let every = SplitPattern::Regex("(?s).".to_owned());
        let split = Split::new(every, SplitDelimiterBehavior::Isolated, false);
        inner.with_pre_tokenizer(Some(split.expect("a valid pattern")));
        inner.with_decoder(Some(tokenizers::decoders::fuse::Fuse::new()));
        inner.add_special_tokens(&[AddedToken::from(STOP, true)]);
        let vocabulary = inner.get_vocab_size(true);
        Self { inner, stops: vec![0], vocabulary, closed: true }
    }

    /// The tokenizer in the folder of a Hugging Face checkpoint.
    ///
    /// Reads `tokenizer.json`, and for the tokens that end a completion `eos_token_id` of
    /// `generation_config.json` or `config.json` (an id or a list), or else `eos_token` of
    /// `tokenizer_config.json`. Padding and truncation that `tokenizer.json` may ask for are off, as
    /// in `transformers`.
    ///
    /// # Errors
    /// [`TokenizerError`] names the file and the field.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join("tokenizer.json");
        let inner = tokenizers::Tokenizer::from_file(&path);
        let mut inner = inner.map_err(|error| FileError::unreadable(&path, error))?;
        inner.with_padding(None);
        let untruncated = inner.with_truncation(None);
        untruncated.map_err(|error| FileError::unreadable(&path, error))?;

        let special = special_tokens(folder)?;
        let mut stops = stop_ids(folder, |id| inner.id_to_token(id).is_some())?;
        let eos = special.get("eos_token").and_then(|text| inner.token_to_id(text));
        if let Some(eos) = eos.filter(|eos| stops.is_empty() || stops.contains(eos)) {
            stops.retain(|stop| *stop != eos);
            stops.insert(0, eos);
        }
        if stops.is_empty() {
            return Err(TokenizerError::NoStop { folder: folder.display().to_string() });
        }
        let vocabulary = largest_id(&inner) as usize + 1;
        Ok(Self { inner, stops, vocabulary, closed: false })
    }

    /// The same tokenizer for a model whose embedding has `vocabulary` rows: more than there are
    /// tokens, if it was padded. Such ids may be sampled and decode to nothing.
    ///
    /// # Errors
    /// [`TokenizerError::TooManyTokens`] if the model lacks a token.
    pub fn for_model(self, vocabulary: usize) -> Result<Self, TokenizerError> {
        let token = largest_id(&self.inner);
        if token as usize >= vocabulary {
            return Err(TokenizerError::TooManyTokens { token, vocabulary });
        }
        Ok(Self { vocabulary, ..self })
    }

    /// The token that ends an answer in a demonstration: the tokenizer's `eos_token` if that is one
    /// of [`stops`](Self::stops), else the first of them.
    #[must_use]
    pub fn stop(&self) -> u32 {
        self.stops[0]
    }

    /// The tokens that end a completion, at least one.
    #[must_use]
    pub fn stops(&self) -> &[u32] {
        &self.stops
    }

    /// Number of token ids, `V`.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The tokens of a text; no special tokens are added.
    ///
    /// With the tokenizer of a checkpoint, the text of a special token in `text` is that token: this
    /// is how the text of a chat template is encoded.
    ///
    /// # Errors
    /// If the text holds something that no token stands for.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.inner.encode_fast(text, false);
        let encoding = encoding.map_err(|error| TokenizerError::Library(error.to_string()))?;
        let tokens = encoding.get_ids().to_vec();
        // The stop token stands for unknown characters inside the library; that must not pass.
        if self.closed && tokens.contains(&self.stop()) {
            return Err(self.unknown_character(text));
        }
        Ok(tokens)
    }

    /// The tokens of a document, with the special tokens that the tokenizer puts around it, such as
    /// `<s>` in front.
    ///
    /// # Errors
    /// If the text holds something that no token stands for.
    pub fn encode_document(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        if self.closed {
            return self.encode(text);
        }
        let encoding = self.inner.encode_fast(text, true);
        let encoding = encoding.map_err(|error| TokenizerError::Library(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The first special token whose text stands in `text`. A prompt from outside that holds one
    /// would speak in the voice of the template.
    #[must_use]
    pub fn special_token_in(&self, text: &str) -> Option<String> {
        let special = self.inner.get_added_tokens_decoder().into_values().filter(|t| t.special);
        let mut texts: Vec<String> = special.map(|token| token.content).collect();
        texts.sort();
        texts.into_iter().find(|token| !token.is_empty() && text.contains(token.as_str()))
    }

    /// The text of tokens; special tokens are left out.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TokenizerError> {
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.vocabulary()) {
            let size = self.vocabulary();
            let text = format!("token {token} is not in the vocabulary of {size}");
            return Err(TokenizerError::Library(text));
        }
        self.inner.decode(tokens, true).map_err(|error| TokenizerError::Library(error.to_string()))
    }

    /// The text of one token; special tokens by their names, such as `<eos>`.
    ///
    /// The pieces of a text need not join to it: a token of a byte-level vocabulary may be part of a
    /// character.
    ///
    /// # Errors
    /// If the token is not in the vocabulary.
    pub fn piece(&self, token: u32) -> Result<String, TokenizerError> {
        let text = self.decode(&[token])?;
        if text.is_empty() {
            Ok(self.inner.id_to_token(token).unwrap_or_default())
        } else {
            Ok(text)
        }
    }

    fn unknown_character(&self, text: &str) -> TokenizerError {
        let vocabulary = self.inner.get_vocab(false);
        let alphabet: BTreeSet<char> = vocabulary
            .keys()
            .filter(|token| *token != STOP)
            .flat_map(|token| token.chars())
            .collect();
        let character = text.chars().find(|c| !alphabet.contains(c)).unwrap_or('<');
        let alphabet = alphabet.into_iter().collect();
        TokenizerError::UnknownCharacter { text: text.to_owned(), character, alphabet }
    }
}

/// The largest id of a tokenizer; ids may have holes.
fn largest_id(inner: &tokenizers::Tokenizer) -> u32 {
    inner.get_vocab(true).into_values().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_character_is_named() {
        let error = Tokenizer::characters("01>").encode("012>").unwrap_err().to_string();
        assert_eq!(error, "\"012>\" cannot be encoded: '2' is not in the alphabet \"01>\"");
    }

    #[test]
    fn the_stop_token_is_no_text() {
        let tokenizer = Tokenizer::characters("<eos>ab");
        assert_eq!(tokenizer.stop(), 0);
        assert_eq!(tokenizer.decode(&[0, 0]).unwrap(), "");
        assert_eq!(tokenizer.piece(0).unwrap(), "<eos>");
        assert!(tokenizer.piece(99).is_err());
        // The text of the stop token cannot be smuggled in through a prompt.
        assert!(tokenizer.encode("a<eos>b").is_err());
    }

    #[test]
    fn every_character_of_the_alphabet_survives() {
        let alphabet = "0123456789+-*/(),=:%> \n";
        let tokenizer = Tokenizer::characters(alphabet);
        let tokens = tokenizer.encode(alphabet).unwrap();
        assert_eq!(tokens.len(), alphabet.len());
        assert_eq!(tokenizer.decode(&tokens).unwrap(), alphabet);
    }

    #[test]
    fn a_token_outside_the_vocabulary_is_refused() {
        let error = Tokenizer::characters("ab").decode(&[9]).unwrap_err().to_string();
        assert_eq!(error, "tokenizer: token 9 is not in the vocabulary of 3");
    }
}
