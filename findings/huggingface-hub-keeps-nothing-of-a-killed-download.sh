#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: hf_hub_download goes on where an earlier process was killed: there is an .incomplete file, and http_get takes
#        resume_size.
# Seen:  the file has a random name and is never looked for again: the next process asks for all of it, and the killed
#        one's part stays on the disk for ever.
# Versions: huggingface_hub==2.4.0, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check huggingface_hub==2.4.0
HF_HOME=$folder HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_PROGRESS_BARS=1 venv/bin/python - <<'PYTHON'
import hashlib
import pathlib
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZE = 40_000_000
DATA = bytes(SIZE)
DIGEST = hashlib.sha256(DATA).hexdigest()
asked, slow = [], True


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{DIGEST}"')
        self.end_headers()

    def do_GET(self):
        asked.append(self.headers.get("Range", "all of it"))
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        try:
            for place in range(0, SIZE, 1_000_000):
                self.wfile.write(DATA[place : place + 1_000_000])
                time.sleep(0.1 if slow else 0)
        except OSError:
            self.close_connection = True

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{server.server_address[1]}"
code = f"""import huggingface_hub as hub
hub.hf_hub_download("a/b", "w.safetensors", local_dir="models", endpoint="{endpoint}", token=False)"""
first = subprocess.Popen([sys.executable, "-c", code])
for _ in range(300):
    parts = [path for path in pathlib.Path("models").rglob("*.incomplete") if path.stat().st_size >= 10_000_000]
    if parts:
        break
    time.sleep(0.1)
first.kill()
first.wait()
print("killed with", parts[0].stat().st_size, "bytes of", SIZE)
slow = False
subprocess.run([sys.executable, "-c", code], check=True)
print("asked for:", asked)
left = list(pathlib.Path("models").rglob("*.incomplete"))
print("left behind:", [path.stat().st_size for path in left])
assert asked == ["all of it", "all of it"] and left
PYTHON
