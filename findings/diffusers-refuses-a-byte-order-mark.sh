#!/usr/bin/env bash
# diffusers 0.42.1 reads a configuration that begins with a UTF-8 byte order mark, as Windows editors write it, as broken:
# json.loads raises "Unexpected UTF-8 BOM (decode using utf-8-sig)". RFC 8259, section 8.1, lets parsers ignore the mark.
# Needs the network. Fails if it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet diffusers==0.42.1
cd "$folder"
printf '\xef\xbb\xbf{"sample_size": 64}' >config.json
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null | tee out.txt
from diffusers.configuration_utils import ConfigMixin

try:
    print("read:", ConfigMixin._dict_from_json_file("config.json"))
except ValueError as error:
    print("refused:", error)
PYTHON
grep -q "^refused: Unexpected UTF-8 BOM" out.txt
