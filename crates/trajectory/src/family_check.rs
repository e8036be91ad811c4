//! Instances of procedural families whose answers are neither one text nor an expression.

use serde::{Deserialize, Serialize};

/// What an answer to an instance of a procedural family must satisfy, as plain data.
///
/// In all of them a letter stands for itself: case matters, and white space counts only around the
/// answer, where it is ignored.
///
/// ```
/// use fireproof_trajectory::{CheckSpec, FamilyCheck};
///
/// let edges = vec![('a', 'b'), ('b', 'c')];
/// let check = CheckSpec::Family(FamilyCheck::Path { edges, start: 'a', end: 'c' });
/// let json = serde_json::to_string(&check).unwrap();
/// assert_eq!(
///     json,
///     r#"{"kind":"family","family":"path","edges":[["a","b"],["b","c"]],"start":"a","end":"c"}"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FamilyCheck {
    /// A path through an undirected graph that meets no node twice, written as its nodes: `abd`.
    Path {
        /// The edges, in any order and direction; a node is one character.
        edges: Vec<(char, char)>,
        /// The first node of the path.
        start: char,
        /// Its last node.
        end: char,
    },
    /// The rest of a balanced string of brackets.
    Brackets {
        /// How the string begins; the answer continues it.
        prefix: String,
        /// Length of the whole string in characters.
        length: usize,
        /// The brackets that may occur, each opening one followed by its closing one: `()[]`.
        kinds: String,
    },
    /// Queens on a chess board none of which attacks another: one in each row, written as the
    /// columns of the rows that are still empty, from 1.
    Queens {
        /// Rows and columns of the board, at most 9.
        size: u8,
        /// Columns of the queens that stand already, in the first rows.
        placed: Vec<u8>,
    },
    /// A word of a given length, with a number of one letter and without a forbidden part.
    Word {
        /// The letters that may occur.
        letters: String,
        /// Length of the word in characters.
        length: usize,
        /// The letter that is counted.
        counted: char,
        /// How often it must occur.
        count: usize,
        /// What may not occur in the word; empty for nothing.
        forbidden: String,
    },
    /// Any of these texts.
    OneOf {
        /// The right answers.
        answers: Vec<String>,
    },
}
