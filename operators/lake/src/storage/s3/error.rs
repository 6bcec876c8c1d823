//! From the store's errors to ours: what S3 answered stands in them as text.

use aws_credential_types::provider::error::CredentialsError;
use object_store::Error as StoreError;

use super::answer::broke_off;
use crate::aws::Call;
use crate::aws::error::{answered, cause_of, causes, root_cause, unreachable_service, with_credentials};
use crate::error::{Error, ErrorKind};
use crate::name::Location;

/// Makes the error of a failed call of the store; `endpoint` is the address of S3, when it is not AWS's own.
pub(crate) fn of(
    operation: &'static str,
    location: Option<&Location>,
    endpoint: Option<&str>,
    error: StoreError,
) -> Error {
    let made = match cause_of::<CredentialsError>(&error) {
        Some(failed) => with_credentials(failed, operation),
        None => of_answer(operation, &error),
    };
    let made = match location {
        Some(location) if is_without_bucket(&made) => {
            made.with("location", location.to_string()).help(make_bucket(location.bucket(), endpoint))
        }
        Some(location) => made.with("location", location.to_string()),
        None => made,
    };
    made.source(error)
}

/// Tells whether S3 answered that there is no such bucket.
pub(crate) fn is_without_bucket(error: &Error) -> bool {
    error.context.iter().any(|(key, value)| *key == "code" && value == "NoSuchBucket")
}

/// Says what to do where a bucket is not there: none is made on the way, because its region, its owner and who may read it are
/// decisions of their own.
fn make_bucket(bucket: &str, endpoint: Option<&str>) -> String {
    let endpoint = endpoint.map_or_else(String::new, |endpoint| format!(" --endpoint-url {endpoint}"));
    format!(
        "there is no bucket `{bucket}`: make it (`aws s3 mb s3://{bucket}{endpoint}`), or change the location to a bucket that is \
         there"
    )
}

fn of_answer(operation: &'static str, error: &StoreError) -> Error {
    let call = Call { operation, action: action_of(operation) };
    let text = texts(error);
    let said = |element: &str| between(&text, &format!("<{element}>"), &format!("</{element}>"));
    let made = match (error, said("Code")) {
        (StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }, code)
            if code != Some("ConditionalRequestConflict") =>
        {
            Error::new(ErrorKind::AlreadyExists, operation, format!("cannot {operation}: it is there already"))
        }
        (StoreError::NotFound { .. }, code) if code != Some("NoSuchBucket") => {
            Error::new(ErrorKind::NotFound, operation, format!("cannot {operation}: it is not there"))
        }
        // One key of a `DeleteObjects`, in the words of the store.
        (StoreError::Generic { .. }, None) if text.contains("DeleteObjects request failed for key ") => {
            let code = between(&text, " (code: ", ")").unwrap_or_default();
            let key = between(&text, "failed for key ", ": ").unwrap_or_default();
            let message = between(&text, &format!("{key}: "), " (code: ").unwrap_or_default();
            answered(call, code, message).with("key", key)
        }
        (_, Some(code)) => answered(call, code, &plain(said("Message").unwrap_or_default())),
        // An answer without a body, as to a HEAD.
        (StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }, None) => {
            answered(call, "AccessDenied", "")
        }
        (StoreError::InvalidPath { .. }, None) => {
            Error::new(ErrorKind::InvalidInput, operation, format!("cannot {operation}: {error}"))
        }
        (StoreError::NotFound { .. }, _) => answered(call, "NoSuchBucket", "the bucket does not exist"),
        _ if text.contains("redirect without LOCATION") => {
            answered(call, "PermanentRedirect", "the bucket is in another region")
        }
        _ if broke_off(error) => {
            let message = format!("cannot {operation}: S3's answer broke off: {}", root_cause(error));
            Error::new(ErrorKind::External, operation, message)
                .retryable()
                .help("look at the network, and at what stands between here and S3")
        }
        _ => unreachable_service(operation, error),
    };
    match said("RequestId").filter(|_| made.kind != ErrorKind::NotFound) {
        Some(id) => made.with("request id", id),
        None => made,
    }
}

/// Returns the action that is missing when S3 refuses an operation.
fn action_of(operation: &'static str) -> &'static str {
    match operation {
        "list objects" => "s3:ListBucket",
        "write an object" | "copy an object" => "s3:PutObject",
        "delete an object" => "s3:DeleteObject",
        "give up an object" => "s3:AbortMultipartUpload",
        // S3 also refuses to say that an object is not there to whom may not list.
        _ => "s3:GetObject` and `s3:ListBucket",
    }
}

/// Tells whether another write of the same object was under way, so that nobody knows yet which one wins
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
pub(crate) fn is_race(error: &StoreError) -> bool {
    texts(error).contains("<Code>ConditionalRequestConflict</Code>")
}

/// Joins what the error and its causes say.
fn texts(error: &StoreError) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Writes out what XML has other words for.
fn plain(text: &str) -> String {
    let words = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    words.iter().fold(text.to_owned(), |text, (word, meant)| text.replace(word, meant))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let after = text.split_once(start)?.1;
    after.split_once(end).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str, message: &str) -> String {
        format!("403: <Error><Code>{code}</Code><Message>{message}</Message><RequestId>R1</RequestId></Error>")
    }

    #[test]
    fn a_refusal_names_bucket_key_and_action() {
        let location = Location::parse("s3://b/k").unwrap();
        let path = "k".to_owned();
        let source = answer("AccessDenied", "Access Denied").into();
        let error = of("write an object", Some(&location), None, StoreError::PermissionDenied { path, source });
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        assert_eq!(
            error.to_string(),
            "cannot write an object: Access Denied\n  code: AccessDenied\n  request id: R1\n  location: s3://b/k"
        );
        assert_eq!(error.help.unwrap(), "allow `s3:PutObject` to who suiro acts as");
    }

    #[test]
    fn a_bucket_that_is_missing_is_no_object_that_is_missing() {
        let of_code = |text: String| {
            let path = "k".to_owned();
            of("read an object", None, None, StoreError::NotFound { path, source: text.into() }).to_string()
        };
        assert_eq!(of_code(answer("NoSuchKey", "no")), "cannot read an object: it is not there");
        assert_eq!(
            of_code(answer("NoSuchBucket", "The specified bucket does not exist")),
            "cannot read an object: The specified bucket does not exist\n  code: NoSuchBucket"
        );
    }

    #[test]
    fn a_bucket_that_is_missing_can_be_made() {
        let location = Location::parse("s3://shop-output/price/").unwrap();
        let of_endpoint = |endpoint| {
            let source = answer("NoSuchBucket", "The specified bucket does not exist").into();
            of("list objects", Some(&location), endpoint, StoreError::NotFound { path: "price".to_owned(), source })
        };
        let error = of_endpoint(None);
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(
            error.to_string(),
            "cannot list objects: The specified bucket does not exist\n  code: NoSuchBucket\n  location: \
             s3://shop-output/price/"
        );
        assert_eq!(
            error.help.unwrap(),
            "there is no bucket `shop-output`: make it (`aws s3 mb s3://shop-output`), or change the location to a bucket that is \
             there"
        );
        assert_eq!(
            of_endpoint(Some("http://127.0.0.1:5055")).help.unwrap(),
            "there is no bucket `shop-output`: make it (`aws s3 mb s3://shop-output --endpoint-url http://127.0.0.1:5055`), or \
             change the location to a bucket that is there"
        );
    }

    #[test]
    fn a_key_that_cannot_be_deleted_is_named() {
        let source = "DeleteObjects request failed for key a/b: Access Denied (code: AccessDenied)".into();
        let error = of("delete an object", None, None, StoreError::Generic { store: "S3", source });
        assert_eq!(error.to_string(), "cannot delete an object: Access Denied\n  code: AccessDenied\n  key: a/b");
        assert_eq!(error.help.unwrap(), "allow `s3:DeleteObject` to who suiro acts as");
    }

    #[test]
    fn a_write_that_races_is_told_from_one_that_is_late() {
        let path = "k".to_owned();
        let race = StoreError::AlreadyExists { path, source: answer("ConditionalRequestConflict", "x").into() };
        assert!(is_race(&race));
        assert_eq!(of("write an object", None, None, race).kind, ErrorKind::Conflict);
        let path = "k".to_owned();
        let late = StoreError::AlreadyExists { path, source: answer("PreconditionFailed", "x").into() };
        assert!(!is_race(&late));
        assert_eq!(of("write an object", None, None, late).kind, ErrorKind::AlreadyExists);
    }
}
