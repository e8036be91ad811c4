//! The example programs as a person meets them: their messages, exit codes and folders.

mod aspo;
mod asymmetric_weighting;
mod common;
mod evaluate;
mod explain;
mod focal;
mod generate;
mod interruption;
mod leaderboard;
mod pairing;
mod quickstart;
mod score;
mod selection_lab;
mod train_gsm8k;
