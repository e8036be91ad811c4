//! What `train_gsm8k` is made of: its settings, its prompts, its policy.

mod hub;
mod policy;
mod prompts;
mod settings;

pub use hub::find_checkpoint;
pub use policy::Checkpoint;
pub use policy::TooLarge;
pub use prompts::PromptReader;
pub use prompts::PromptSet;
pub use settings::CheckpointConfig;
pub use settings::DataConfig;
pub use settings::Gsm8kFile;
pub use settings::Precision;
