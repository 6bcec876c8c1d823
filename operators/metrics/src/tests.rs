mod crash;
mod model;
mod path;
mod sabotage;
mod world;
