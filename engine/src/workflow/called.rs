//! The workflows that a workflow calls by a path that is written out: they are checked before anything runs, too.
//!
//! Paths that hold a `${…}`, and those of files that set `_workdir`, are known only at run time and are checked there.

use std::collections::HashMap;

use super::Workflow;
use super::compile::Call;
use super::load::compile_file;
use crate::diagnostic::{Diagnostic, code};
use crate::document::{ProjectFiles, ProjectPath, SourceMap};
use crate::operator::Registry;
use crate::params::Params;

/// The endings that `call>` may leave out.
const EXTENSIONS: [&str; 4] = ["", ".dig", ".yml", ".yaml"];

/// Loads a workflow and what it calls, each file once.
#[derive(Debug)]
pub(super) struct Calls<'a> {
    files: &'a dyn ProjectFiles,
    registry: &'a Registry,
    diagnostics: Vec<Diagnostic>,
    /// The calls of each file that was loaded, with the files that they name.
    found: HashMap<ProjectPath, Vec<(Call, ProjectPath)>>,
    /// The files in the order in which they were loaded.
    order: Vec<ProjectPath>,
}

impl<'a> Calls<'a> {
    pub(super) fn new(files: &'a dyn ProjectFiles, registry: &'a Registry) -> Self {
        Self { files, registry, diagnostics: Vec::new(), found: HashMap::new(), order: Vec::new() }
    }

    /// Loads one file and finds what it calls; `given` are the parameters that reach it from outside, when that is known.
    pub(super) fn load(
        &mut self,
        sources: &mut SourceMap,
        path: &ProjectPath,
        given: Option<&[Params]>,
    ) -> Option<Workflow> {
        let compiled = compile_file(sources, self.files, path, self.registry, given);
        self.diagnostics.extend(compiled.diagnostics);
        let calls = compiled.calls.into_iter().filter_map(|call| {
            let target = self.target(path, &call)?;
            Some((call, target))
        });
        let calls = calls.collect();
        self.found.insert(path.clone(), calls);
        self.order.push(path.clone());
        compiled.workflow
    }

    /// Loads everything that is called and returns all problems, and the files that are called.
    pub(super) fn finish(mut self, sources: &mut SourceMap) -> (Vec<Diagnostic>, Vec<ProjectPath>) {
        let mut next = 0;
        while let Some(path) = self.order.get(next).cloned() {
            next += 1;
            let targets: Vec<ProjectPath> =
                self.found.get(&path).into_iter().flatten().map(|(_, target)| target.clone()).collect();
            for target in targets {
                if !self.found.contains_key(&target) {
                    // What reaches its tasks is what reaches those that call it.
                    self.load(sources, &target, None);
                }
            }
        }
        self.report_circles();
        let called = self.found.into_values().flatten().map(|(_, target)| target).collect();
        (self.diagnostics, called)
    }

    fn target(&mut self, path: &ProjectPath, call: &Call) -> Option<ProjectPath> {
        let Ok(called) = path.directory().join(&call.path) else {
            let message = format!("the called workflow `{}` lies outside the project", call.path);
            self.diagnostics.push(Diagnostic::error(code::CALLED_FILE, call.span, message));
            return None;
        };
        let target = EXTENSIONS
            .iter()
            .filter_map(|extension| ProjectPath::new(&format!("{called}{extension}")).ok())
            .find(|candidate| self.files.is_file(candidate));
        if target.is_none() {
            let message = format!("there is no workflow `{}` to call", call.path);
            let help = "the path starts at the directory of this file; `.dig` may be left out";
            self.diagnostics.push(Diagnostic::error(code::CALLED_FILE, call.span, message).help(help));
        }
        target
    }

    /// Finds circles of calls that no condition ends, and reports each once.
    fn report_circles(&mut self) {
        let mut done: Vec<&ProjectPath> = Vec::new();
        let mut circles = Vec::new();
        for start in &self.order {
            // The chain of files that call each other, each with the next call of it to look at.
            let mut chain: Vec<(&ProjectPath, usize)> = vec![(start, 0)];
            while let Some((path, next)) = chain.last_mut() {
                let calls = self.found.get(*path).map(Vec::as_slice).unwrap_or_default();
                let Some((call, target)) = calls.get(*next).filter(|_| !done.contains(path)) else {
                    done.push(path);
                    chain.pop();
                    continue;
                };
                *next += 1;
                if call.conditional {
                    continue;
                }
                if let Some(first) = chain.iter().position(|(path, _)| *path == target) {
                    let names = chain.iter().skip(first).map(|(path, _)| path.as_str());
                    let names: Vec<&str> = names.chain([target.as_str()]).collect();
                    circles.push((call.span, names.join("` → `"), first + 1 == chain.len()));
                } else if !done.contains(&target) {
                    chain.push((target, 0));
                }
            }
        }
        for (span, names, direct) in circles {
            let message = if direct {
                "the workflow calls itself without end".to_owned()
            } else {
                format!("workflows call each other without end: `{names}`")
            };
            let help = "put the call into the `_do` of an `if>`";
            self.diagnostics.push(Diagnostic::error(code::CALL_CYCLE, span, message).help(help));
        }
    }
}
