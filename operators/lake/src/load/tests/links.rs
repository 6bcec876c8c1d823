//! Files that several names lead to.

use std::os::unix::fs::symlink;

use super::*;

#[tokio::test]
async fn a_file_is_read_once_however_many_names_lead_to_it() {
    let fixture = Fixture::new();
    fixture.write("in/2024-03-01.csv", "1\n");
    fixture.write("in/2024-03-02.csv", "2\n");
    fixture.write("elsewhere/3.csv", "3\n");
    let base = fixture.base();
    symlink("2024-03-02.csv", base.join("in/latest.csv")).unwrap();
    symlink(".", base.join("in/_hidden")).unwrap();
    symlink("../elsewhere", base.join("in/more")).unwrap();
    symlink("../elsewhere/3.csv", base.join("in/z.csv")).unwrap();
    for path in ["in", "in/*"] {
        let config = serde_json::json!({
            "in": {"type": "file", "path": path, "parser": {"type": "csv", "columns": [{"name": "n", "type": "bigint"}]}},
            "out": {"type": "table", "database": "web", "table": "t", "mode": "replace"},
        });
        let report = fixture.run(&config, "one").await.unwrap();
        assert_eq!((report.files, report.rows), (3, 3), "{path}");
        assert_eq!(table(&fixture.lake().await, "web", "t").await, owned(&[("", &["1", "2", "3"])]), "{path}");
    }
}
