//! What the experiments on the founding papers share: their command line, their folders, and runs of
//! the small transformer under several recipes and seeds.

mod answers;
mod arguments;
mod coverage;
mod focal;
mod letters;
pub mod pairing;
mod race;
mod ranking;
pub mod ratios;
mod selection;
mod selection_arms;
mod transformer;

pub use answers::Answers;
pub use arguments::Lab;
pub use arguments::LabArguments;
pub use arguments::Size;
pub use arguments::exit;
pub use arguments::watch;
pub use coverage::ManyPrompts;
pub use coverage::OnePrompt;
pub use focal::Coverage;
pub use letters::LettersRun;
pub use race::Found;
pub use race::Race;
pub use race::WarmStart;
pub use ranking::Finish;
pub use ranking::Place;
pub use ranking::RankedRun;
pub use ranking::Ranking;
pub use selection::SelectionRun;
pub use selection::forecasts;
pub use selection_arms::SelectionArms;
pub use selection_arms::best_rate;
pub use transformer::Starts;
pub use transformer::train;
