mod crash;
mod drop;
mod loss;
mod model;
mod path;
mod sabotage;
pub(crate) mod world;
