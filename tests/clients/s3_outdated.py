"""Signatures of version 2, in a URL and in a header, to an endpoint with keys: refused by what is wrong, and nothing is done."""

import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
outdated = boto3.client("s3", config=Config(signature_version="s3"))

s3.create_bucket(Bucket="outdated")
s3.put_object(Bucket="outdated", Key="k", Body=b"kept")
for operation, method, body in [("get_object", "GET", None), ("put_object", "PUT", b"old"), ("delete_object", "DELETE", None)]:
    url = outdated.generate_presigned_url(operation, Params={"Bucket": "outdated", "Key": "k"})
    assert "AWSAccessKeyId=" in url and "X-Amz-" not in url, url
    try:
        urllib.request.urlopen(urllib.request.Request(url, data=body, method=method))
        raise AssertionError(f"{method} of a URL of version 2 was let in")
    except urllib.error.HTTPError as error:
        said = error.read().decode()
        assert error.code == 400 and "<Code>InvalidRequest</Code>" in said, said
        assert "is not supported. Please use AWS4-HMAC-SHA256" in said, said
try:
    outdated.put_object(Bucket="outdated", Key="k", Body=b"old")
    raise AssertionError("a header of version 2 was let in")
except ClientError as error:
    assert error.response["Error"]["Code"] == "InvalidRequest", error
assert s3.get_object(Bucket="outdated", Key="k")["Body"].read() == b"kept"
print("s3 outdated: ok")
