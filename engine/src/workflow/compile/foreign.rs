//! Operators that Digdag has and suiro does not have yet, each with the nearest thing that it has:
//! <https://docs.digdag.io/operators.html>.

/// The operators' names, and what to do instead.
const OPERATORS: [(&str, &str); 36] = [
    ("bq", "run the query with `sh>` and `bq query`"),
    ("bq_ddl", "run the statement with `sh>` and `bq`"),
    ("bq_extract", "run the export with `sh>` and `bq extract`"),
    ("bq_load", "run the load with `sh>` and `bq load`"),
    ("embulk", "load with `load>`, which reads Embulk's keys, or run Embulk with `sh>`"),
    ("emr", "run the cluster with `sh>` and `aws emr`"),
    ("gcs_wait", "wait with `sh>` and `gsutil`"),
    ("http", "send the request with `sh>` and `curl`"),
    ("http_call", "fetch the workflow with `sh>` and `curl`, and run it with `call>` when it lies in the project"),
    ("mail", "send it with `sh>` and the mail program of the machine"),
    ("nop", "leave the task out, or say something with `echo>`"),
    ("notify", "send it with `sh>`, for failures in `_error`"),
    ("param_get", "keep the value in a file of the project and read it with `sh>`"),
    ("param_set", "keep the value in a file of the project and write it with `sh>`"),
    ("pg", "run the query with `sh>` and `psql`, or query the lake with `athena.query>`"),
    ("py", "run the script with `sh>` and `python3`"),
    ("rb", "run the script with `sh>` and `ruby`"),
    ("redshift", "run the query with `sh>` and `psql`, or query the lake with `athena.query>`"),
    ("redshift_load", "run `COPY` with `sh>` and `psql`"),
    ("redshift_unload", "run `UNLOAD` with `sh>` and `psql`"),
    ("require", "run the other workflow's tasks here with `call>`, or run it before with `suiro run`"),
    ("s3_copy", "copy with `sh>` and `aws s3 cp`"),
    ("s3_delete", "delete with `sh>` and `aws s3 rm`"),
    ("s3_move", "move with `sh>` and `aws s3 mv`"),
    ("s3_touch", "make the object with `sh>` and `aws s3 cp`"),
    ("s3_wait", "wait with `sh>` and `aws s3 ls`"),
    ("td", "query the lake with `athena.query>`"),
    ("td_ddl", "change the catalog with `athena.ctas>`, `athena.drop_table>` and the like"),
    (
        "td_for_each",
        "query with `athena.query>`, show its rows with `athena.preview>`, and loop over `${athena.last_preview.rows}` with `for_each>`",
    ),
    ("td_load", "load with `load>`"),
    ("td_partial_delete", "drop partitions with `athena.drop_partition>`"),
    ("td_result_export", "keep the result with `athena.ctas>`"),
    ("td_run", "query the lake with `athena.query>`"),
    ("td_table_export", "write the table with `athena.ctas>` and `table_mode: data_only`"),
    ("td_wait", "ask with `athena.query>` and try again with `_retry`"),
    ("td_wait_table", "ask with `athena.table_exists?>` and try again with `_retry`"),
];

/// Returns what to do instead of an operator of Digdag's.
pub(super) fn instead_of(operator: &str) -> Option<&'static str> {
    OPERATORS.iter().find(|(name, _)| *name == operator).map(|(_, instead)| *instead)
}
