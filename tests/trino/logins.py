"""Writes what a Trino needs to tell its users apart: `logins.py DIR`. The user `etl` may come with a password or a token.

DIR/password.db   the hash of the password (https://trino.io/docs/476/security/password-file.html, PBKDF2)
DIR/password      the password
DIR/token.key     what tokens are signed with (https://trino.io/docs/476/security/jwt.html, HMAC)
DIR/token         a token that is good for a day
"""

import base64
import hashlib
import hmac
import json
import pathlib
import secrets
import sys
import time

USER = "etl"


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


folder = pathlib.Path(sys.argv[1])
password, salt, rounds = secrets.token_hex(16), secrets.token_bytes(16), 1000
hashed = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, rounds, 32)
(folder / "password.db").write_text(f"{USER}:{rounds}:{salt.hex()}:{hashed.hex()}\n", encoding="utf-8")
(folder / "password").write_text(password, encoding="utf-8")

key = secrets.token_bytes(32)
header, claims = {"alg": "HS256", "typ": "JWT"}, {"sub": USER, "exp": int(time.time()) + 86400}
signed = b".".join(part(json.dumps(each).encode()) for each in (header, claims))
token = signed + b"." + part(hmac.digest(key, signed, "sha256"))
(folder / "token.key").write_bytes(base64.b64encode(key))
(folder / "token").write_bytes(token)
