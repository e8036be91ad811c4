//! Text to tokens and back: one struct over the `tokenizers` crate.

use std::collections::BTreeSet;

use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

/// The text of the stop token of [`Tokenizer::characters`].
const STOP: &str = "<eos>";

/// Turns text into token ids and back.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    stop: u32,
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
        Self { inner, stop: 0 }
    }

    /// The token that ends a completion.
    #[must_use]
    pub fn stop(&self) -> u32 {
        self.stop
    }

    /// Number of tokens, `V`.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The tokens of a text; no special tokens are added.
    ///
    /// # Errors
    /// If the text holds something that no token stands for.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.inner.encode_fast(text, false);
        let encoding = encoding.map_err(|error| TokenizerError::Library(error.to_string()))?;
        let tokens = encoding.get_ids().to_vec();
        // The stop token stands for unknown characters inside the library; that must not pass.
        if tokens.contains(&self.stop) {
            return Err(self.unknown_character(text));
        }
        Ok(tokens)
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
