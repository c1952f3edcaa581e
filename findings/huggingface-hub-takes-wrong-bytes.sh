#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: hf_hub_download compares a large file with the SHA-256 that the hub names for it (its ETag) before it is in place.
# Seen:  only the length is compared. A byte that was changed on the way is taken, and a later call takes the file as it is.
# Versions: huggingface_hub==2.4.0, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check huggingface_hub==2.4.0
HF_HOME=$folder HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_PROGRESS_BARS=1 venv/bin/python - <<'PYTHON'
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
from huggingface_hub import hf_hub_download

GOOD, BAD = b"a" * 1000, b"a" * 999 + b"b"
DIGEST = hashlib.sha256(GOOD).hexdigest()


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(GOOD)))
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{DIGEST}"')
        self.end_headers()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BAD)))
        self.end_headers()
        self.wfile.write(BAD)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{server.server_address[1]}"
path = hf_hub_download("a/b", "w.safetensors", local_dir="models", endpoint=endpoint, token=False)
found = hashlib.sha256(open(path, "rb").read()).hexdigest()
print("huggingface_hub", huggingface_hub.__version__)
print("the hub says:", DIGEST[:16], "in place:", found[:16])
assert found != DIGEST
again = hf_hub_download("a/b", "w.safetensors", local_dir="models", endpoint=endpoint, token=False)
assert hashlib.sha256(open(again, "rb").read()).hexdigest() != DIGEST
print("a second call takes it too")
PYTHON
