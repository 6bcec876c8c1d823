//! The operators that need nothing but the engine; [`register_builtin`] is their list.
//!
//! Loops, conditions and calls generate tasks and let the engine run them; `wait>` gives its slot back; `sh>` alone has a
//! process of its own.

mod call;
mod echo;
mod fail;
mod for_each;
mod for_range;
mod if_then;
mod loop_times;
mod sh;
mod value;
mod wait;

use super::Registry;

/// Adds the operators of the language itself.
pub fn register_builtin(registry: &mut Registry) {
    registry.register(call::Call);
    registry.register(echo::Echo);
    registry.register(fail::Fail);
    registry.register(for_each::ForEach);
    registry.register(for_range::ForRange);
    registry.register(if_then::IfThen);
    registry.register(loop_times::LoopTimes);
    registry.register(sh::Sh);
    registry.register(wait::Wait);
}
