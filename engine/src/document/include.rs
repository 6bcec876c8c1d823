//! `!include`: splices another file, with cycles and escapes from the project refused, spans kept across files.
