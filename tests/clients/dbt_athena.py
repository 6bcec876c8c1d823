"""dbt-athena against the endpoint: seeds, a table, a view, incremental models, more partitions than a statement may write,
data tests and the catalog of the docs.

Works on a copy of `dbt/` in the current folder; ends with an error at the first difference.
"""

import json
import os
import pathlib
import shutil
import time

import boto3

PROJECT = pathlib.Path("dbt").absolute()
# Read by dbt when it is imported: nothing is to leave this machine.
os.environ.update(DBT_PROFILES_DIR=str(PROJECT), DBT_SEND_ANONYMOUS_USAGE_STATS="false", DBT_USE_COLORS="false")
from dbt.cli.main import dbtRunner  # noqa: E402

MODELS = ["customer_totals", "daily", "large_orders", "log", "many_days"]
DAILY = "SELECT ordered_on, orders, amount, load FROM clients_dbt.daily ORDER BY ordered_on"

athena = boto3.client("athena")


def dbt(*arguments, **variables):
    """Runs a command, and returns how each node ended and what the service said of it."""
    command = [*arguments, "--project-dir", str(PROJECT), "--vars", json.dumps(variables), "--quiet"]
    ended = dbtRunner().invoke(command)
    assert ended.success, (arguments, ended.exception, ended.result)
    return ended.result


def outcomes(result):
    return {node.node.name: str(node.status) for node in result.results}


def read(sql):
    started = athena.start_query_execution(
        QueryString=sql, ResultConfiguration={"OutputLocation": "s3://athena-dbt/read/"}
    )
    query_id = started["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.02)
    assert status["State"] == "SUCCEEDED", (sql, status)
    rows = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
    return [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in rows][1:]


def is_equal(sql, expected):
    found = read(sql)
    assert found == expected, (sql, found, expected)


def main():
    shutil.copytree(pathlib.Path(__file__).with_name("dbt"), PROJECT)
    boto3.client("s3").create_bucket(Bucket="athena-dbt")
    seeded = dbt("seed")
    assert outcomes(seeded) == {"customers": "success", "orders": "success"}, outcomes(seeded)
    is_equal(
        "SELECT id, amount, ordered_on, placed_at, note FROM clients_dbt.orders WHERE id BETWEEN 2 AND 4 ORDER BY id",
        [
            ("2", "7.00", "2026-01-01", "2026-01-01 09:30:00.000", None),
            ("3", "100.00", "2026-01-02", "2026-01-02 10:00:00.000", 'a, comma and "quotes"'),
            ("4", "3.25", "2026-01-02", "2026-01-02 23:59:59.000", "ä"),
        ],
    )

    first = dbt("run")
    assert outcomes(first) == dict.fromkeys(MODELS, "success"), outcomes(first)
    is_equal(
        "SELECT name, city, orders, amount, last_placed_at FROM clients_dbt.customer_totals ORDER BY name",
        [
            ("ann", "Ankara", "2", "112.50", "2026-01-02 10:00:00.000"),
            ("bob", "Bonn", "2", "62.10", "2026-01-03 00:00:00.000"),
            ("cem", "Cali", "1", "3.25", "2026-01-02 23:59:59.000"),
        ],
    )
    is_equal("SELECT id FROM clients_dbt.large_orders ORDER BY id", [("3",), ("5",)])
    is_equal(
        DAILY,
        [("2026-01-01", "2", "19.50", "1"), ("2026-01-02", "2", "103.25", "1"), ("2026-01-03", "1", "55.10", "1")],
    )
    # 120 partitions: the first statement is refused, two batches follow.
    is_equal("SELECT count(*), count(DISTINCT day), min(n), max(n) FROM clients_dbt.many_days", [("120", "120", "1", "120")])

    # The data changes, and the incremental models take the new part: a day is written again, a day is new.
    with open(PROJECT / "seeds/orders.csv", "a", encoding="utf-8") as orders:
        orders.write("6,ann,4.90,2026-01-03,2026-01-03 12:00:00,late\n7,cem,1.00,2026-01-04,2026-01-04 00:00:01,\n")
    dbt("seed", "--select", "orders")
    again = dbt("run", since="2026-01-03", load=2, large=60)
    assert outcomes(again) == dict.fromkeys(MODELS, "success"), outcomes(again)
    is_equal(
        DAILY,
        [
            ("2026-01-01", "2", "19.50", "1"),
            ("2026-01-02", "2", "103.25", "1"),
            ("2026-01-03", "2", "60.00", "2"),
            ("2026-01-04", "1", "1.00", "2"),
        ],
    )
    # The second load has a column more.
    is_equal("SELECT load, orders, note FROM clients_dbt.log ORDER BY load", [("1", "5", None), ("2", "7", "again")])
    is_equal("SELECT id FROM clients_dbt.large_orders", [("3",)])
    is_equal("SELECT sum(amount) FROM clients_dbt.customer_totals", [("183.75",)])

    tested = dbt("test")
    assert set(outcomes(tested).values()) == {"pass"} and len(outcomes(tested)) == 7, outcomes(tested)
    failing = dbtRunner().invoke(
        ["test", "--project-dir", str(PROJECT), "--quiet", "--select", "totals_agree", "--vars", json.dumps({"off_by": 1})]
    )
    assert not failing.success, "a test whose query gives rows fails"

    dbt("docs", "generate")
    catalog = json.loads((PROJECT / "target/catalog.json").read_text(encoding="utf-8"))
    columns = {
        node["metadata"]["name"]: [(column["name"], column["type"]) for column in node["columns"].values()]
        for node in catalog["nodes"].values()
    }
    assert sorted(columns) == ["customer_totals", "customers", "daily", "large_orders", "log", "many_days", "orders"], columns
    assert columns["daily"] == [
        ("orders", "bigint"), ("amount", "decimal(38,2)"), ("load", "int"), ("ordered_on", "date")
    ], columns["daily"]

    full = dbt("run", "--full-refresh", "--select", "daily", load=3)
    assert outcomes(full) == {"daily": "success"}, outcomes(full)
    is_equal("SELECT count(*), min(load), max(load) FROM clients_dbt.daily", [("4", "3", "3")])
    print("dbt_athena: ok")


# dbt starts processes that import this file again.
if __name__ == "__main__":
    main()
