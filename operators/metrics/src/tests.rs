mod crash;
mod drop;
mod flow;
mod loss;
mod model;
mod path;
mod sabotage;
pub(crate) mod world;
