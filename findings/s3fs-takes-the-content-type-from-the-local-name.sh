#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: an object's Content-Type follows from its key's ending, as a web server's would.
# Seen:  put() guesses it from the local file's name, whatever the key is, and a copy keeps it: an HTML page put from a
#        temporary file is binary/octet-stream, which browsers save, and remains it whatever key it is copied to.
# Versions: s3fs==2026.9.0 moto==5.1.14, on 127.0.0.1. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check s3fs==2026.9.0 "moto[server]==5.1.14"
venv/bin/python - <<'PYTHON'
from pathlib import Path

import moto
import s3fs
from moto.server import ThreadedMotoServer

print("s3fs", s3fs.__version__, "moto", moto.__version__)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
store = s3fs.S3FileSystem(key="any", secret="any", endpoint_url=f"http://{host}:{port}")
store.mkdir("bucket")
for name in ("page.part", "page.html"):
    Path(name).write_text("<p>moss</p>", encoding="utf-8")
types = {}
for local, key in (("page.html", "a.html"), ("page.part", "b.html"), ("page.html", "c.part")):
    store.put_file(local, f"bucket/{key}")
    types[local, key] = store.info(f"bucket/{key}")["ContentType"]
store.copy("bucket/c.part", "bucket/c.html")
types["copied from c.part", "c.html"] = store.info("bucket/c.html")["ContentType"]
server.stop()
for (local, key), kind in types.items():
    print(f"{local} as {key}: {kind}")
assert list(types.values()) == ["text/html", "binary/octet-stream", "text/html", "text/html"], types
PYTHON
