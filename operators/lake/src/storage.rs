//! Objects by [`Location`](crate::name::Location): `s3://bucket/key` is `WAREHOUSE/s3/bucket/key` on the embedded lake.
