//! What the experiments on the founding papers share: their command line, their folders, and runs of
//! the small transformer under several recipes and seeds.

mod answers;
mod arguments;
mod coverage;
mod focal;
mod race;
mod transformer;

pub use answers::Answers;
pub use arguments::Lab;
pub use arguments::LabArguments;
pub use arguments::Size;
pub use arguments::watch;
pub use coverage::ManyPrompts;
pub use coverage::OnePrompt;
pub use focal::Coverage;
pub use race::Found;
pub use race::Race;
pub use race::WarmStart;
pub use transformer::Starts;
pub use transformer::train;
