//! The example programs as a person meets them: their messages, exit codes and folders.

mod asymmetric_weighting;
mod common;
mod evaluate;
mod explain;
mod focal;
mod interruption;
mod quickstart;
mod score;
mod train_gsm8k;
