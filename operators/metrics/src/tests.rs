mod crash;
mod drop;
mod model;
mod path;
mod sabotage;
pub(crate) mod world;
