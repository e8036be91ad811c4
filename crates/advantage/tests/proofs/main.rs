//! What the papers say, and what must hold for every rule: golden tables, properties, float noise.

mod common;
mod credit;
mod noise;
mod papers;
mod properties;
mod theory;
