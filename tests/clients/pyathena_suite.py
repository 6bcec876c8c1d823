"""PyAthena's own tests against the endpoint, compared with the list of those that are known to fail.

They are in PyAthena's repository and in no package. `SUIRO_PYATHENA_TESTS` names a checkout of the version that
requirements.txt has; its `tests` are copied, so that what they import is the installed package.

The tests are taken as they are; pyathena_plugin.py sets one thing from outside. They mostly wait, so many run at a time.
"""

import os
import pathlib
import shutil
import sys

import boto3
import pytest

MODULES = [
    "tests/pyathena/test_cursor.py",
    "tests/pyathena/test_async_cursor.py",
    "tests/pyathena/arrow",
    "tests/pyathena/pandas",
    "tests/pyathena/aio/test_cursor.py",
    "tests/pyathena/aio/arrow",
    "tests/pyathena/aio/pandas",
]
BUCKET = "pyathena-suite"
WORKERS = 6
KNOWN = pathlib.Path(__file__).with_name("pyathena_failures.txt")


class Outcomes:
    """How each test ended: a test whose set-up or clean-up fails has failed."""

    def __init__(self):
        self.passed, self.failed, self.skipped = set(), {}, set()

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.setdefault(report.nodeid, str(report.longrepr))
        elif report.skipped:
            self.skipped.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)


def known_failures():
    """Reads the list: the reason in brackets, then the tests that fail for it."""
    known, reason = {}, None
    for line in KNOWN.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            reason = line.strip("[]")
        elif line and not line.startswith("#"):
            known[line] = reason
    return known


def main():
    checkout = pathlib.Path(os.environ["SUIRO_PYATHENA_TESTS"])
    shutil.copytree(checkout / "tests", "tests")
    pathlib.Path("pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8"
    )
    os.environ.update(
        AWS_ATHENA_S3_STAGING_DIR=f"s3://{BUCKET}/staging/", AWS_ATHENA_WORKGROUP="suite", AWS_ATHENA_SPARK_WORKGROUP="none"
    )
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    boto3.client("athena").create_work_group(
        Name="suite", Configuration={"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/workgroup/"}}
    )
    # Where the workers find the tests and the plugin.
    os.environ["PYTHONPATH"] = os.pathsep.join([os.getcwd(), str(KNOWN.parent)])
    sys.path.insert(0, os.getcwd())
    outcomes = Outcomes()
    modules = sys.argv[1:] or MODULES
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-p", "pyathena_plugin", "-n", str(WORKERS)]
    ended = pytest.main([*options, *modules], plugins=[outcomes])
    assert ended in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), ended

    known = {name: reason for name, reason in known_failures().items() if name.startswith(tuple(modules))}
    worse = sorted(outcomes.failed.keys() - known.keys())
    better = sorted(known.keys() - outcomes.failed.keys())
    for name in worse:
        print(f"fails, and is not in {KNOWN.name}: {name}\n{outcomes.failed[name]}\n")
    for name in better:
        print(f"passes now, take it out of {KNOWN.name}: {name}")
    print(f"pyathena_suite: {len(outcomes.passed)} passed, {len(outcomes.failed)} failed, {len(outcomes.skipped)} skipped")
    if worse or better:
        sys.exit(1)
    print("pyathena_suite: ok")


if __name__ == "__main__":
    main()
