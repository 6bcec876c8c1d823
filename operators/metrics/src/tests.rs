mod crash;
mod damage;
mod drop;
mod dumped;
mod loss;
mod model;
mod path;
mod sabotage;
pub(crate) mod world;
