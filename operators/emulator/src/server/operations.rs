//! The names of the operations that are served, for rules that name one: a rule for another would never fire.

use lake::sql::resolve::nearest;

use super::Service;

/// Athena's, as `Athena::call` has them.
const ATHENA: &[&str] = &[
    "BatchGetNamedQuery",
    "BatchGetPreparedStatement",
    "BatchGetQueryExecution",
    "CreateNamedQuery",
    "CreatePreparedStatement",
    "CreateWorkGroup",
    "DeleteNamedQuery",
    "DeletePreparedStatement",
    "DeleteWorkGroup",
    "GetDataCatalog",
    "GetDatabase",
    "GetNamedQuery",
    "GetPreparedStatement",
    "GetQueryExecution",
    "GetQueryResults",
    "GetQueryRuntimeStatistics",
    "GetTableMetadata",
    "GetWorkGroup",
    "ListDataCatalogs",
    "ListDatabases",
    "ListEngineVersions",
    "ListNamedQueries",
    "ListPreparedStatements",
    "ListQueryExecutions",
    "ListTableMetadata",
    "ListTagsForResource",
    "ListWorkGroups",
    "StartQueryExecution",
    "StopQueryExecution",
    "TagResource",
    "UntagResource",
    "UpdateNamedQuery",
    "UpdatePreparedStatement",
    "UpdateWorkGroup",
];

/// Glue's, as `Glue::call` has them.
const GLUE: &[&str] = &[
    "BatchCreatePartition",
    "BatchDeletePartition",
    "BatchDeleteTable",
    "BatchDeleteTableVersion",
    "BatchGetPartition",
    "BatchUpdatePartition",
    "CreateDatabase",
    "CreatePartition",
    "CreateTable",
    "DeleteColumnStatisticsForPartition",
    "DeleteColumnStatisticsForTable",
    "DeleteDatabase",
    "DeletePartition",
    "DeleteTable",
    "DeleteTableVersion",
    "GetCatalogImportStatus",
    "GetColumnStatisticsForPartition",
    "GetColumnStatisticsForTable",
    "GetDatabase",
    "GetDatabases",
    "GetPartition",
    "GetPartitionIndexes",
    "GetPartitions",
    "GetResourcePolicy",
    "GetTable",
    "GetTableVersion",
    "GetTableVersions",
    "GetTables",
    "GetTags",
    "GetUserDefinedFunction",
    "GetUserDefinedFunctions",
    "SearchTables",
    "UpdateColumnStatisticsForPartition",
    "UpdateColumnStatisticsForTable",
    "UpdateDatabase",
    "UpdatePartition",
    "UpdateTable",
];

/// S3's, as `Operation::name` gives them.
const S3: &[&str] = &[
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteBucket",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "GetBucketAcl",
    "GetBucketCors",
    "GetBucketEncryption",
    "GetBucketLifecycle",
    "GetBucketLocation",
    "GetBucketPolicy",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "GetObject",
    "GetObjectAcl",
    "GetObjectTagging",
    "HeadBucket",
    "HeadObject",
    "ListBuckets",
    "ListMultipartUploads",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "PutObjectTagging",
    "UploadPart",
    "UploadPartCopy",
];

impl Service {
    /// Returns the names of its operations.
    pub(crate) fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Athena => ATHENA,
            Self::Glue => GLUE,
            Self::S3 => S3,
            Self::Sts => &["AssumeRole", "GetCallerIdentity"],
        }
    }

    /// Says that a name is none of an operation of these services, when it is none.
    pub(crate) fn unknown_operation(services: &[Self], name: &str) -> Option<String> {
        if services.iter().any(|service| service.operations().contains(&name)) {
            return None;
        }
        let named: Vec<&str> = services.iter().map(|service| service.signing_name()).collect();
        let known = || services.iter().flat_map(|service| service.operations()).copied();
        let meant = known().find(|known| known.eq_ignore_ascii_case(name)).or_else(|| nearest(name, known()));
        let alike = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        Some(format!(
            "expected an operation of {} that is served, found `{}`{alike}",
            named.join(", "),
            name.escape_debug()
        ))
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    /// The sources of the calls are what the lists follow.
    #[test]
    fn every_operation_is_in_its_list() {
        let name = Regex::new(r#""([A-Z][A-Za-z0-9]+)" (?:=>|\|)|\| "([A-Z][A-Za-z0-9]+)""#).unwrap();
        for (source, listed) in [(include_str!("../athena.rs"), ATHENA), (include_str!("../glue.rs"), GLUE)] {
            let mut served: Vec<&str> = name
                .captures_iter(source)
                .filter_map(|found| found.get(1).or(found.get(2)).map(|name| name.as_str()))
                .collect();
            served.sort_unstable();
            served.dedup();
            assert_eq!(served, listed);
        }
    }

    #[test]
    fn another_name_is_told() {
        assert_eq!(Service::unknown_operation(&[Service::Glue], "GetTable"), None);
        assert_eq!(Service::unknown_operation(&Service::SERVED, "PutObject"), None);
        assert_eq!(
            Service::unknown_operation(&[Service::S3], "putobject").unwrap(),
            "expected an operation of s3 that is served, found `putobject`; did you mean `PutObject`?"
        );
        assert_eq!(
            Service::unknown_operation(&[Service::Glue], "GetPartitionss").unwrap(),
            "expected an operation of glue that is served, found `GetPartitionss`; did you mean `GetPartitions`?"
        );
        assert_eq!(
            Service::unknown_operation(&Service::SERVED, "Nope").unwrap(),
            "expected an operation of athena, glue, s3, sts that is served, found `Nope`"
        );
    }
}
