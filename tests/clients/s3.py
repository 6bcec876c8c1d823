"""S3 as boto3 calls it: buckets, objects, pages, parts, conditions, copies, tags, presigned URLs."""

import io
import threading
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3", config=Config(signature_version="s3v4"))


def fails(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{call.__name__} did not fail with {code}")


s3.create_bucket(Bucket="boto")
assert "boto" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
s3.head_bucket(Bucket="boto")
assert s3.get_bucket_location(Bucket="boto")["LocationConstraint"] is None
fails("404", s3.head_bucket, Bucket="absent-bucket")
fails("NoSuchBucket", s3.put_object, Bucket="absent-bucket", Key="k", Body=b"x")

put = s3.put_object(Bucket="boto", Key="a/ü b&c.txt", Body=b"hello", ContentType="text/plain", Metadata={"k": "v"})
assert put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"', put
assert put["ChecksumCRC32"] == "NhCmhg==", put
got = s3.get_object(Bucket="boto", Key="a/ü b&c.txt", ChecksumMode="ENABLED")
assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"hello", "text/plain", {"k": "v"}), got
assert s3.get_object(Bucket="boto", Key="a/ü b&c.txt", Range="bytes=-3")["Body"].read() == b"llo"
assert s3.head_object(Bucket="boto", Key="a/ü b&c.txt")["ContentLength"] == 5
fails("NoSuchKey", s3.get_object, Bucket="boto", Key="absent")
fails("404", s3.head_object, Bucket="boto", Key="absent")
fails("PreconditionFailed", s3.put_object, Bucket="boto", Key="a/ü b&c.txt", Body=b"x", IfNoneMatch="*")
fails("InvalidRange", s3.get_object, Bucket="boto", Key="a/ü b&c.txt", Range="bytes=9-")
for algorithm in ["CRC32", "SHA1", "SHA256"]:
    s3.put_object(Bucket="boto", Key=f"sums/{algorithm}", Body=b"123456789", ChecksumAlgorithm=algorithm)
# A stream has its checksum behind it.
s3.upload_fileobj(io.BytesIO(b"streamed"), "boto", "a/streamed")
assert s3.get_object(Bucket="boto", Key="a/streamed")["Body"].read() == b"streamed"

# In parts, several at a time.
large = bytes(range(256)) * (17 * 4096)
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
s3.upload_fileobj(io.BytesIO(large), "boto", "large", Config=parts)
assert s3.head_object(Bucket="boto", Key="large")["ETag"].endswith('-4"')
found = io.BytesIO()
s3.download_fileobj("boto", "large", found, Config=parts)
assert found.getvalue() == large
s3.copy({"Bucket": "boto", "Key": "large"}, "boto", "large-copy", Config=parts)
assert s3.get_object(Bucket="boto", Key="large-copy")["Body"].read() == large
started = s3.create_multipart_upload(Bucket="boto", Key="given-up")["UploadId"]
s3.upload_part(Bucket="boto", Key="given-up", UploadId=started, PartNumber=1, Body=b"x")
assert [part["Size"] for part in s3.list_parts(Bucket="boto", Key="given-up", UploadId=started)["Parts"]] == [1]
assert [upload["UploadId"] for upload in s3.list_multipart_uploads(Bucket="boto")["Uploads"]] == [started]
s3.abort_multipart_upload(Bucket="boto", Key="given-up", UploadId=started)
fails("NoSuchUpload", s3.list_parts, Bucket="boto", Key="given-up", UploadId=started)

# Pages, groups.
keys = [f"list/dt={day:02}/{number}" for day in range(12) for number in range(10)]
threads = [threading.Thread(target=lambda key=key: boto3.session.Session().client("s3").put_object(Bucket="boto", Key=key, Body=b"1")) for key in keys[:8]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for key in keys[8:]:
    s3.put_object(Bucket="boto", Key=key, Body=b"1")
for operation in ["list_objects_v2", "list_objects"]:
    pages = list(s3.get_paginator(operation).paginate(Bucket="boto", Prefix="list/", PaginationConfig={"PageSize": 7}))
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == sorted(keys), operation
    pages = list(s3.get_paginator(operation).paginate(Bucket="boto", Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 5}))
    groups = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    assert groups == [f"list/dt={day:02}/" for day in range(12)], (operation, groups)
assert s3.list_objects_v2(Bucket="boto", Prefix="list/dt=1")["KeyCount"] == 20
assert s3.list_objects_v2(Bucket="boto", Prefix="a/")["Contents"][1]["Key"] == "a/ü b&c.txt"

s3.copy_object(Bucket="boto", Key="copy", CopySource={"Bucket": "boto", "Key": "a/ü b&c.txt"})
assert s3.head_object(Bucket="boto", Key="copy")["Metadata"] == {"k": "v"}
s3.put_object_tagging(Bucket="boto", Key="copy", Tagging={"TagSet": [{"Key": "t", "Value": "1"}]})
assert s3.get_object_tagging(Bucket="boto", Key="copy")["TagSet"] == [{"Key": "t", "Value": "1"}]

url = s3.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": "a/ü b&c.txt", "ResponseContentType": "text/csv"})
with urllib.request.urlopen(url) as answer:
    assert (answer.read(), answer.headers["Content-Type"]) == (b"hello", "text/csv")
url = s3.generate_presigned_url("put_object", Params={"Bucket": "boto", "Key": "presigned"})
urllib.request.urlopen(urllib.request.Request(url, data=b"by url", method="PUT"))
assert s3.get_object(Bucket="boto", Key="presigned")["Body"].read() == b"by url"

fails("BucketNotEmpty", s3.delete_bucket, Bucket="boto")
everything = [{"Key": entry["Key"]} for entry in s3.list_objects_v2(Bucket="boto")["Contents"]]
deleted = s3.delete_objects(Bucket="boto", Delete={"Objects": everything + [{"Key": "absent"}]})
assert len(deleted["Deleted"]) == len(everything) + 1 and "Errors" not in deleted, deleted
s3.head_bucket(Bucket="boto")
s3.delete_bucket(Bucket="boto")
print("s3: ok")
