//! The example programs as a person meets them: their messages, exit codes and folders.

mod aspo;
mod common;
mod evaluate;
mod explain;
mod interruption;
mod pairing;
mod quickstart;
mod score;
mod train_gsm8k;
