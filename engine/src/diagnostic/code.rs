//! The table of codes; each has a page `docs/errors/CODE.md`.

/// The code of a problem, such as `E0201`.
///
/// `E01xx` document, `E02xx` workflow, `E03xx` parameters, `E04xx` templates, `E05xx` schedule; `T…` while a task runs;
/// `S…` the state store; `C…` the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A code with what there is to say of it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// What it means, in a few words.
    pub title: &'static str,
    /// Its page in Markdown: what it means, an example, how to mend it.
    pub page: &'static str,
}

/// Returns what there is to say of a code; letter case does not matter.
#[must_use]
pub fn find(code: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.code.0.eq_ignore_ascii_case(code))
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($code);)*

        /// All codes in order.
        pub const TABLE: &[Entry] = &[$(Entry {
            code: $name,
            title: $title,
            page: include_str!(concat!("../../../docs/errors/", $code, ".md")),
        }),*];
    };
}

codes! {
    UNREADABLE_FILE = "E0100", "the file cannot be read";
    YAML_SYNTAX = "E0101", "the text is not valid YAML";
    TAB = "E0102", "a tab stands where YAML takes only spaces";
    UNCLOSED_QUOTE = "E0103", "a quote is never closed";
    SECOND_DOCUMENT = "E0104", "a file holds more than one YAML document";
    DUPLICATE_KEY = "E0105", "a key stands twice in one mapping";
    UNKNOWN_TAG = "E0106", "a YAML tag is unknown";
    UNKNOWN_ANCHOR = "E0107", "an alias names no anchor above it";
    KEY_NOT_TEXT = "E0108", "a key is not a text";
    SCALAR_VALUE = "E0109", "a number is too large, or a value does not fit its tag";
    TOO_DEEP = "E0110", "mappings and lists are nested too deep";
    TOO_LARGE = "E0111", "the document grows too large";
    MERGE_SHAPE = "E0112", "`<<` merges something that is not a mapping";
    NOT_A_MAPPING = "E0113", "a workflow file is empty or not a mapping";
    INCLUDE_PATH = "E0114", "`!include` has no path";
    INCLUDE_OUTSIDE = "E0115", "an included file lies outside the project";
    INCLUDE_UNREADABLE = "E0116", "an included file cannot be read";
    INCLUDE_CYCLE = "E0117", "includes go round in a circle";
    INCLUDE_SHAPE = "E0118", "an included file does not fit its place";

    UNKNOWN_KEY = "E0201", "a key is unknown";
    UNKNOWN_OPERATOR = "E0202", "an operator is unknown";
    TWO_OPERATORS = "E0203", "a task has two operators";
    OPERATOR_WITH_TASKS = "E0204", "a task has an operator and tasks";
    TASK_NAME = "E0205", "a task has a bad name";
    TASK_SHAPE = "E0206", "a task is not a mapping";
    LIST_OF_OPERATORS = "E0207", "a list of operators stands where one task is";
    KEY_VALUE = "E0208", "a key of the language has a wrong value";
    KEY_PLACE = "E0209", "a key of the language stands in the wrong place";
    UNKNOWN_DEPENDENCY = "E0210", "`_after` names no task above";
    TIME_ZONE = "E0211", "a time zone is unknown";
    NOT_SUPPORTED = "E0212", "a part of the language is not supported yet";
    IGNORED_BLOCK = "E0213", "a block is ignored";
    CALLED_FILE = "E0214", "a called workflow does not exist";
    CALL_CYCLE = "E0215", "a workflow calls itself without end";
    WORKFLOW_NAME = "E0216", "a workflow has a bad name";
    NO_TASKS = "E0217", "a workflow has no tasks";

    PARAM_VALUE = "E0301", "a parameter has a wrong value";
    PARAM_UNKNOWN = "E0302", "an operator does not know a parameter";
    PARAM_MISSING = "E0303", "a parameter is missing";

    TEMPLATE_SYNTAX = "E0401", "an expression is not JavaScript";
    TEMPLATE_UNKNOWN_NAME = "E0402", "an expression uses an unknown name";
    TEMPLATE_FAILED = "E0403", "an expression failed";
    TEMPLATE_CYCLE = "E0404", "a parameter is made of itself";
    TEMPLATE_TOO_LONG = "E0405", "an expression does not end";
    TEMPLATE_TOO_BIG = "E0406", "an expression needs too much memory or goes too deep";
    TEMPLATE_NO_TEXT = "E0407", "the result of an expression has no text";

    SCHEDULE_SHAPE = "E0501", "a schedule does not have one rule";
    SCHEDULE_KEY = "E0502", "a schedule has an unknown key";
    SCHEDULE_VALUE = "E0503", "a schedule has a wrong value";
    SCHEDULE_NEVER = "E0504", "a schedule is never due";

    SH_FAILED = "T0101", "a script failed";
    FAIL = "T0102", "a `fail>` task was reached";
    TASK_STOPPED = "T0103", "a task was stopped";
    OPERATOR_PANICKED = "T0104", "an operator broke down";
    TOO_MANY_TASKS = "T0105", "an attempt has too many tasks";
    NO_SUCH_TASK = "T0106", "the task that was asked for does not exist";
    OUTSIDE_PROJECT = "T0107", "a path leads out of the project";
    CALLED_FILE_UNUSABLE = "T0108", "a called workflow file is missing or wrong";
    WAIT_DURATION = "T0110", "a duration cannot be read";
    SH_NOT_STARTED = "T0111", "a script could not be started";
    SH_NOT_STOPPED = "T0112", "a script cannot be stopped";
    SECRET_MISSING = "T0113", "a secret is not set";

    NOT_FOUND = "T0201", "a table, partition or object does not exist";
    EXISTS = "T0202", "a table or partition exists already";
    CONFLICT = "T0203", "another writer changed it meanwhile";
    BAD_NAME = "T0204", "a name, location or partition value cannot be used";
    NOT_OURS = "T0205", "objects that suiro did not write would be deleted";
    SQL_WRONG = "T0301", "the SQL is wrong";
    SQL_UNSUPPORTED = "T0302", "the SQL is not supported on this engine yet";
    QUERY_FAILED = "T0303", "the query stopped on the data";
    SCHEMA_MISMATCH = "T0304", "the columns of the query do not fit the table";
    SQL_FILE = "T0305", "the SQL text cannot be read";
    QUERY_TIMEOUT = "T0306", "the query ran out of its time";
    DATA_QUALITY = "T0401", "the data is not as it should be";
    BROKEN_INPUT = "T0402", "input data is broken";
    UNREADABLE_LINES = "T0403", "lines of the input cannot be read";
    RESOURCES = "T0501", "memory, disk or another limit is used up";
    CANCELED = "T0502", "the work was cancelled";
    PERMISSION = "T0503", "access was refused";
    STORAGE = "T0504", "the storage or a service failed";
    STATE_UNUSABLE = "T0505", "the stored state of a task cannot be used";
    POINTS_LOST = "T0601", "points would be gone before they are safe";
    TWO_WRITERS = "T0602", "two tasks write the same tier";
    POINT_LATE = "T0603", "a point was not read in time";

    LEASE_LOST = "S0101", "another process took the attempt over";
    STORE_CONFLICT = "S0102", "two processes wanted the same session";
    STORE_NEWER = "S0103", "the state was written by a newer version";
    STORE_CORRUPT = "S0104", "a stored value cannot be read";
    STORE_UNAVAILABLE = "S0105", "the state directory cannot be used";
    STORE_DATABASE = "S0106", "the state store failed";
    SESSION_HELD = "S0107", "the session is being run";

    COMMAND_LINE = "C0101", "the command line is wrong";
    SESSION_ARGUMENT = "C0102", "`--session` names no time";
    PARAM_ARGUMENT = "C0103", "a parameter of the command line cannot be read";
    NO_PROJECT = "C0104", "there is no project";
    SETTING = "C0105", "a setting is wrong";
}
