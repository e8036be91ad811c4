//! LaTeX commands.

use super::token::{Bracket, Function, Kind, Sign};

/// What a command does to the lexer.
#[derive(Debug)]
pub(crate) enum Command {
    Token(Kind),
    /// White space.
    Space,
    /// Style without meaning.
    Nothing,
    /// `\left`, `\right` and the sizes: the delimiter follows.
    Delimiter,
    /// `\text{...}` and the styles of letters.
    Text,
    /// `\begin` (true) or `\end`.
    Begin(bool),
    /// `\mathbb{...}`
    Blackboard,
    Unknown,
}

/// Bytes of the command at the start of `text`: a backslash and letters, or one other character.
pub(crate) fn length(text: &str) -> usize {
    // `\quad` is often written without a space behind it.
    if let Some(space) = ["\\qquad", "\\quad"].iter().find(|space| text.starts_with(**space)) {
        return space.len();
    }
    let letters = text[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
    match letters {
        0 => 1 + text[1..].chars().next().map_or(0, char::len_utf8),
        _ => 1 + letters,
    }
}

/// Meaning of a command without its backslash.
pub(crate) fn look_up(name: &str) -> Command {
    if let Some(kind) = function(name).or_else(|| operator(name)).or_else(|| delimiter(name)) {
        return Command::Token(kind);
    }
    match name {
        "" | "," | ";" | ":" | ">" | " " | "\n" | "\t" | "quad" | "qquad" | "thinspace"
        | "enspace" | "hspace" | "space" => Command::Space,
        "!" | "displaystyle" | "textstyle" | "limits" | "nolimits" | "mathstrut" | "strut"
        | "boxed" | "fbox" | "boldsymbol" | "bm" | "mathop" | "mathord" | "mathbin"
        | "ensuremath" | "negthinspace" | "bf" | "rm" | "it" | "left." | "right." | "(" | ")"
        | "[" | "]" | "hline" | "phantom" | "middle" => Command::Nothing,
        "left" | "right" | "big" | "Big" | "bigg" | "Bigg" | "bigl" | "bigr" | "Bigl" | "Bigr"
        | "biggl" | "biggr" | "Biggl" | "Biggr" | "mleft" | "mright" => Command::Delimiter,
        "text" | "textbf" | "textit" | "textrm" | "textnormal" | "textsf" | "texttt" | "emph"
        | "mbox" | "hbox" | "mathrm" | "mathbf" | "mathit" | "mathsf" | "mathtt"
        | "operatorname" => Command::Text,
        "begin" => Command::Begin(true),
        "end" => Command::Begin(false),
        "mathbb" => Command::Blackboard,
        _ if is_letter(name) => Command::Token(Kind::Symbol(format!("\\{name}").into())),
        _ => Command::Unknown,
    }
}

fn function(name: &str) -> Option<Kind> {
    Some(Kind::Function(match name {
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "tan" | "tg" => Function::Tan,
        "cot" | "ctg" => Function::Cot,
        "sec" => Function::Sec,
        "csc" => Function::Csc,
        "arcsin" => Function::Arcsin,
        "arccos" => Function::Arccos,
        "arctan" => Function::Arctan,
        "sinh" => Function::Sinh,
        "cosh" => Function::Cosh,
        "tanh" => Function::Tanh,
        "ln" => Function::Ln,
        "exp" => Function::Exp,
        "max" => Function::Max,
        "min" => Function::Min,
        "gcd" => Function::Gcd,
        "lcm" => Function::Lcm,
        "log" | "lg" => return Some(Kind::Log),
        _ => return None,
    }))
}

fn operator(name: &str) -> Option<Kind> {
    Some(match name {
        "frac" | "dfrac" | "tfrac" | "cfrac" | "nicefrac" | "sfrac" => Kind::Frac,
        "sqrt" => Kind::Sqrt,
        "binom" | "dbinom" | "tbinom" => Kind::Binom,
        "choose" => Kind::Choose,
        "cdot" | "times" | "ast" | "bullet" => Kind::Times,
        "div" => Kind::Over,
        "pm" => Kind::PlusMinus,
        "mp" => Kind::MinusPlus,
        "infty" => Kind::Infinity,
        "circ" | "degree" => Kind::Degree,
        "prime" => Kind::Prime,
        "le" | "leq" | "leqslant" => Kind::Sign(Sign::LessEqual),
        "ge" | "geq" | "geqslant" => Kind::Sign(Sign::GreaterEqual),
        "lt" => Kind::Sign(Sign::Less),
        "gt" => Kind::Sign(Sign::Greater),
        "ne" | "neq" => Kind::Sign(Sign::NotEqual),
        "approx" | "simeq" | "thickapprox" => Kind::Sign(Sign::Approx),
        "in" => Kind::Sign(Sign::In),
        "cup" | "bigcup" => Kind::Cup,
        "cap" | "bigcap" => Kind::Cap,
        "setminus" | "backslash" => Kind::Minuses,
        "emptyset" | "varnothing" => Kind::EmptySet,
        "lor" | "vee" => Kind::Or,
        "land" | "wedge" => Kind::And,
        "bmod" | "mod" => Kind::Mod,
        "colon" => Kind::Colon,
        "mid" => Kind::Mid,
        "%" => Kind::Percent,
        "$" => Kind::Currency("$"),
        "pounds" => Kind::Currency("£"),
        "euro" => Kind::Currency("€"),
        "overline" | "bar" => Kind::Decoration("bar"),
        "vec" | "overrightarrow" => Kind::Decoration("vec"),
        "hat" | "widehat" => Kind::Decoration("hat"),
        "tilde" | "widetilde" => Kind::Decoration("tilde"),
        "dot" => Kind::Decoration("dot"),
        "mathcal" | "mathscr" => Kind::Decoration("script"),
        "mathfrak" => Kind::Decoration("fraktur"),
        "angle" | "measuredangle" => Kind::Decoration("angle"),
        "triangle" => Kind::Decoration("triangle"),
        "\\" | "cr" => Kind::NewRow,
        "&" => Kind::Ampersand,
        _ => return None,
    })
}

fn delimiter(name: &str) -> Option<Kind> {
    Some(match name {
        "{" | "lbrace" => Kind::Open(Bracket::Curly),
        "}" | "rbrace" => Kind::Close(Bracket::Curly),
        "lbrack" => Kind::Open(Bracket::Square),
        "rbrack" => Kind::Close(Bracket::Square),
        "langle" => Kind::Open(Bracket::Angle),
        "rangle" => Kind::Close(Bracket::Angle),
        "lfloor" => Kind::Open(Bracket::Floor),
        "rfloor" => Kind::Close(Bracket::Floor),
        "lceil" => Kind::Open(Bracket::Ceil),
        "rceil" => Kind::Close(Bracket::Ceil),
        "lvert" | "rvert" | "vert" => Kind::Bar,
        _ => return None,
    })
}

fn is_letter(name: &str) -> bool {
    const LETTERS: [&str; 47] = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "omicron",
        "pi",
        "varpi",
        "rho",
        "varrho",
        "sigma",
        "varsigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
        "imath",
        "jmath",
        "Re",
        "Im",
    ];
    LETTERS.contains(&name)
}
