"""Runs statements on a Trino by its own client: `ask.py URL CATALOG STATEMENT…`. Prints the rows of the last one as JSON."""

import json
import sys
import urllib.parse

import trino

url, catalog, *statements = sys.argv[1:]
address = urllib.parse.urlparse(url)
connection = trino.dbapi.connect(host=address.hostname, port=address.port, user="outsider", catalog=catalog, timezone="UTC")
cursor = connection.cursor()
rows = []
for statement in statements:
    cursor.execute(statement)
    rows = cursor.fetchall()
print(json.dumps(rows, default=str))
