"""A plugin of pytest for pyathena_suite.py: pyarrow's file system asks the endpoint that boto3 asks.

PyAthena gives it none (`pyathena/arrow/result_set.py`), so that it would ask amazonaws.com.
"""

import functools
import os

from pyarrow import fs

fs.S3FileSystem = functools.partial(fs.S3FileSystem, endpoint_override=os.environ["AWS_ENDPOINT_URL"])
