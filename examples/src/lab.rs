//! What the experiments on the founding papers share: their command line, their folders, and runs of
//! the small transformer under several recipes and seeds.

mod arguments;
mod letters;
mod ranking;
mod selection;
mod selection_arms;
pub mod pairing;
pub mod ratios;
mod transformer;

pub use arguments::Lab;
pub use arguments::LabArguments;
pub use arguments::Size;
pub use arguments::exit;
pub use arguments::watch;
pub use letters::LettersRun;
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
