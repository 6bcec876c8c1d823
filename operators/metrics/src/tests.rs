mod crash;
mod damage;
mod drop;
mod dumped;
mod model;
mod path;
mod sabotage;
pub(crate) mod world;
