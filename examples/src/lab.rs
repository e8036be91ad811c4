//! What the experiments on the founding papers share: their command line, their folders, and runs of
//! the small transformer under several recipes and seeds.

mod arguments;
pub mod pairing;
pub mod ratios;
mod transformer;

pub use arguments::Lab;
pub use arguments::LabArguments;
pub use arguments::Size;
pub use arguments::watch;
pub use transformer::Starts;
pub use transformer::train;
