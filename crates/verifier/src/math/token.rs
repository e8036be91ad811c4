//! What an answer is made of, after the lexer.

use dashu_ratio::RBig;

/// Name of a variable, with its decorations and subscript.
pub(crate) type Name = Box<str>;

/// A function that the parser knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Sinh,
    Cosh,
    Tanh,
    /// Natural logarithm.
    Ln,
    Exp,
    Abs,
    Floor,
    Ceil,
    Factorial,
    DoubleFactorial,
    Binomial,
    Max,
    Min,
    Gcd,
    Lcm,
    Mod,
}

/// A comparison sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Equal,
    Approx,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

/// A kind of bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bracket {
    /// `(`
    Round,
    /// `[`
    Square,
    /// `{` of LaTeX, which groups and is not seen.
    Group,
    /// `\{`
    Curly,
    /// `\langle`
    Angle,
    Floor,
    Ceil,
}

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A literal number; `digits` if it is a plain run of digits that LaTeX may take apart.
    Number {
        value: RBig,
        digits: Option<Box<str>>,
    },
    /// A single letter or a named symbol.
    Symbol(Name),
    /// A run of at least two letters.
    Word(Name),
    /// What `\text{}` holds.
    Text(Box<str>),
    Function(Function),
    /// `\log` and `log`: base 10 unless a base is written.
    Log,
    Plus,
    Minus,
    PlusMinus,
    MinusPlus,
    Times,
    Over,
    Caret,
    Underscore,
    Bang,
    Percent,
    Degree,
    Prime,
    Frac,
    Sqrt,
    Binom,
    Choose,
    Mod,
    /// `\overline`, `\vec`, `\mathcal` and the like: part of a name.
    Decoration(&'static str),
    Open(Bracket),
    Close(Bracket),
    /// `|`
    Bar,
    /// `\mid`
    Mid,
    Comma,
    Semicolon,
    Colon,
    And,
    Or,
    Sign(Sign),
    Cup,
    Cap,
    Minuses,
    Infinity,
    EmptySet,
    Reals,
    Currency(&'static str),
    Begin(Box<str>),
    End(Box<str>),
    Ampersand,
    NewRow,
}

/// A token with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// White space stands before it.
    pub(crate) spaced: bool,
    /// Where it begins in the cleaned text.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
}
