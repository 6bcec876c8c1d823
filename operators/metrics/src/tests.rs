mod crash;
mod drop;
mod flow;
mod loss;
mod model;
mod naming;
mod path;
mod sabotage;
pub(crate) mod world;
