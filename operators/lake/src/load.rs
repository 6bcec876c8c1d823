//! The loader: inputs → splits → batches → output, columnar all the way.

pub mod config;

mod column;
mod parse;
mod reject;
mod time_format;

pub use config::LoadConfig;
