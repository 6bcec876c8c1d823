//! Which scope wins: written once, tested by table.
