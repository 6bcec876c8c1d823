//! `${…}`: found with spans, evaluated, rendered.
