//! Schedules: when sessions are due. Here for `last_session_time` and `next_session_time`; the scheduler itself comes with the server.
