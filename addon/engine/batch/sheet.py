# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact sheet: one page of HTML that shows and searches the textures beside it. Imports core only.

Everything that it shows lies below its own folder, and its script is in the page: it asks no network for anything.
"""

import json
from collections.abc import Iterable
from html import escape
from urllib.parse import quote

SHEET = "index.html"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ margin: 1rem; background: #222; color: #ddd; font: 14px/1.35 system-ui, sans-serif; }}
input {{ width: 24rem; max-width: 100%; padding: .4rem .6rem; font: inherit; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 1rem; margin-top: 1rem; }}
figure {{ margin: 0; overflow-wrap: anywhere; }}
figure[hidden] {{ display: none; }}
img {{ width: 100%; height: auto; display: block; background: #333; }}
a {{ color: inherit; }}
small {{ color: #999; }}
</style>
</head>
<body>
<label>Search <input type="search" id="search" autofocus></label> <span id="count">{count}</span>
<main>
{figures}
</main>
<script>
const search = document.getElementById("search"), count = document.getElementById("count");
const figures = [...document.querySelectorAll("figure")];
search.addEventListener("input", () => {{
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const figure of figures) {{
    figure.hidden = !words.every((word) => figure.dataset.words.includes(word));
    shown += !figure.hidden;
  }}
  count.textContent = shown + " of " + figures.length;
}});
</script>
</body>
</html>
"""
_FIGURE = """<figure data-words="{words}">
<a href="{file}"><img loading="lazy" width="256" height="256" src="{image}" alt="{prompt}"></a>
<figcaption>{prompt}<br><small>{facts}</small>{more}</figcaption>
</figure>"""


def page(title: str, lines: Iterable[str]) -> str:
    """The page. lines: of `results.jsonl`, in the order in which they are shown."""
    figures = [_figure(json.loads(line)) for line in lines]
    return _PAGE.format(title=escape(title), count=len(figures), figures="\n".join(figures))


def _figure(record: dict[str, object]) -> str:
    recipe = record["recipe"]
    assert isinstance(recipe, dict)
    request = recipe["request"]
    file, maps = str(record["file"]), record.get("maps", {})
    assert isinstance(maps, dict)
    score = record["seam_score"]
    facts = [
        " x ".join(map(str, request["size"])),
        f"seed {request['seed']}",
        "seam not measured" if score is None else f"seam {score:.2f}",
    ]
    links = [f'<a href="{escape(quote(str(path)))}">{escape(kind)}</a>' for kind, path in maps.items()]
    exported = record.get("export", [])
    assert isinstance(exported, list)
    names = [str(path).rpartition("/")[2] for path in exported]
    links += [
        f'<a href="{escape(quote(str(path)))}">{escape(name)}</a>' for name, path in zip(names, exported, strict=True)
    ]
    words = " ".join([request["prompt"], file, request["model"], *facts, *maps, *names]).lower()
    return _FIGURE.format(
        words=escape(words),
        file=escape(quote(file)),
        image=escape(quote(str(record.get("thumbnail", file)))),
        prompt=escape(request["prompt"]),
        facts=escape(", ".join(facts)),
        more=f"<br><small>{' '.join(links)}</small>" if links else "",
    )
