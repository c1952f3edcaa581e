# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of prompts, as people have them."""

import codecs

import pytest

from addon.core import guide_columns
from addon.core.errors import ErrorKind, UserError
from addon.core.prompt_files import BATCH_COLUMNS, Wish, parse

TABLE = 'prompt,negative,seed,size,count,steps,guidance,name\nbrick,,7,64x128,2,3,1.5,wall\n"oak, old",moss,,,,,,\n'
WISHES = [
    Wish("brick", 2, None, "64x128", 7, 2, 3, 1.5, name="wall"),
    Wish("oak, old", 3, negative="moss"),
]


def test_a_prompt_a_line_and_comments() -> None:
    text = "# mine\nbrick wall\n\n  oak, planks  \n  # more\n#3 is no prompt\n"
    assert parse(text.encode(), "a.txt") == [Wish("brick wall", 2), Wish("oak, planks", 4)]


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.CSV", "prompts"])
def test_a_table_has_settings_for_each_and_its_header_is_no_texture(name: str) -> None:
    assert parse(TABLE.encode(), name) == WISHES


@pytest.mark.parametrize("separator", [";", "\t"])
def test_tables_of_other_countries_spreadsheets(separator: str) -> None:
    text = TABLE.replace('"oak, old"', "oak").replace(",", separator)
    assert [wish.prompt for wish in parse(text.encode(), "a.csv")] == ["brick", "oak"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_of_windows(encoding: str, end: str) -> None:
    text = f"Ziegel{end}# no{end}грубая стена{end}"
    assert [wish.prompt for wish in parse(text.encode(encoding), "a.txt")] == ["Ziegel", "грубая стена"]


def test_utf_16_of_the_other_order_has_its_mark() -> None:
    data = codecs.BOM_UTF16_BE + "prompt\nbrick\n".encode("utf-16-be")
    assert [wish.prompt for wish in parse(data, "a.csv")] == ["brick"]


def test_json_lines() -> None:
    text = '{"prompt": "brick", "seed": 7, "size": "64x128", "count": 2, "steps": 3, "guidance": 1.5, "name": "wall"}\n'
    text += '\n# note\n{"Prompt": "oak, old", "negative_prompt": "moss", "seed": null}\n"plain"\n'
    for name in ("a.jsonl", "a.txt"):
        wishes = parse(text.encode(), name)
        assert [wish.prompt for wish in wishes] == ["brick", "oak, old", "plain"]
        assert (wishes[0].size, wishes[0].seed, wishes[1].negative, wishes[1].seed) == ("64x128", 7, "moss", None)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("", "a.txt", "a.txt holds no prompt"),
        ("# only\n", "a.csv", "a.csv holds no prompt"),
        ("text,seed\nbrick,7\n", "a.csv", "a.csv has no column prompt"),
        ("prompt,colour\nbrick,red\n", "a.csv", "has the column 'colour', which is not known"),
        ("prompt,seed\nbrick,many\n", "a.csv", "line 2: 'many' is no number for seed"),
        ("prompt,seed\nbrick,1,2\n", "a.csv", "line 2, has more cells than columns"),
        ("prompt,seed\n,1\n", "a.csv", "line 2, has no prompt"),
        ("{\n", "a.jsonl", "line 1, is not JSON"),
        ("[1]\n", "a.jsonl", "line 1, is no object"),
        ("prompt,prompt\nbrick,moss\n", "a.csv", "has the column 'prompt' twice"),
        ("prompt,negative,negative_prompt\nbrick,,\n", "a.csv", "has the column 'negative' twice"),
        ('prompt,seed\nmoss,1\n"brick,1\noak,2\n', "a.csv", "a.csv, line 3, is no row of a table"),
        ("prompt\n" + "x" * 200_000, "a.csv", "a.csv, line 2, is no row of a table"),
        ("prompt,strength\nmoss,1,5\n", "a.csv", "line 2, has more cells than columns"),
        ("prompt;seed\nmoss;1,5\n", "a.csv", "line 2: '1,5' is no number for seed"),
        ("[" * 100_000, "a.jsonl", "line 1, is not JSON"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, name: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text.encode(), name)
    assert said in caught.value.message
    assert caught.value.kind is ErrorKind.REQUEST
    assert caught.value.hint


def test_a_table_of_a_german_excel() -> None:
    text = 'sep=;\r\nprompt;name;guidance\r\n"Grüne Fliesen; ""groß""";fliese;7,5\r\n;;\r\n\r\nRost;rost;\r\n'
    wishes = parse(text.encode("utf-8-sig"), "a.csv")
    assert wishes == [Wish('Grüne Fliesen; "groß"', 3, name="fliese", guidance=7.5), Wish("Rost", 6, name="rost")]
    with pytest.raises(UserError, match="in Excel as the kind “CSV UTF-8”"):
        parse(text.encode("cp1252"), "a.csv")
    with pytest.raises(UserError, match="is a spreadsheet's own file"):
        parse(b"PK\3\4\x14\0\xff", "a.xlsx")


def test_a_column_that_is_nearly_known_is_guessed() -> None:
    with pytest.raises(UserError, match="Did you mean guidance"):
        parse(b"prompt,guidence\nmoss,2\n", "a.csv")


@pytest.mark.parametrize("data", [b"\xff\xfe\0", b"\x89PNG\r\n\x1a\n\0\0", b"caf\xe9\n", b"a\0\0\0b"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(UserError):
        parse(data, "a.txt")


def test_a_batch_has_other_columns_and_hears_of_every_bad_line() -> None:
    wrong: list[UserError] = []
    text = "prompt,tiling,upscale,model\nmoss,x,2,starter\nbrick,,much,\n,,,\noak,,,\na,b,c,d,e\n"
    wishes = parse(text.encode(), "a.csv", BATCH_COLUMNS, wrong)
    assert wishes == [Wish("moss", 2, tile="x", upscale=2, model="starter"), Wish("oak", 5)]
    assert [error.message.split(":")[0].split(", has")[0] for error in wrong] == ["a.csv, line 3", "a.csv, line 6"]
    with pytest.raises(UserError, match="'model', which is not known"):
        parse(b"prompt,model\nmoss,starter\n", "a.csv")
    with pytest.raises(UserError, match="'varnish', which is not known"):
        parse(b"prompt,varnish\nmoss,yes\n", "a.csv", BATCH_COLUMNS)


def test_a_line_may_name_guides_several_with_semicolons_or_as_a_list() -> None:
    text = (
        "prompt,control,control_picture,control_kind,control_strength,control_tileable,style,style_picture\n"
        "wall,depth;normal,h.png;n.png,;NORMAL,0.5,no,ip,s.png\nplain,,,,,,,\n"
    )
    json_ = '{"prompt": "wall", "controlnet": ["depth", "normal"], "control_picture": ["h.png", "n.png"],'
    json_ += ' "control_kind": ["", "normal"], "control_strength": [0.5], "control_tileable": "no",'
    json_ += ' "ip_adapter": "ip", "style_picture": "s.png"}\n{"prompt": "plain"}'
    for data, name in ((text, "a.csv"), (json_, "a.jsonl")):
        wall, plain = parse(data.encode(), name)
        assert guide_columns.controls(wall) == [
            {"control": "depth", "control_picture": "h.png", "control_strength": 0.5, "control_tileable": "no"},
            {"control": "normal", "control_picture": "n.png", "control_kind": "normal"},
        ]
        assert guide_columns.style(wall) == {"style": "ip", "style_picture": "s.png"}
        assert (guide_columns.controls(plain), guide_columns.style(plain)) == (None, None)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"control": "a"}, "Each control needs a control_picture"),
        ({"control": "a;b", "control_picture": "x"}, "Each control needs a control_picture"),
        ({"control": "a", "control_picture": "x;y"}, "control_picture has more parts than control"),
        ({"control_picture": "x"}, "control_picture says nothing without control"),
        ({"style_strength": 0.5}, "style_strength says nothing without style"),
        ({"control": "a", "control_picture": "x", "control_strength": "much"}, "'much' is no number"),
        ({"control": "a", "control_picture": "x", "control_kind": "deep"}, "'deep' is not known"),
        ({"control": "a", "control_picture": "x", "control_tileable": "maybe"}, "'maybe' is not known"),
    ],
)
def test_half_a_guide_is_refused(columns: dict[str, str | float], said: str) -> None:
    read = guide_columns.style if next(iter(columns)).startswith("style") else guide_columns.controls
    with pytest.raises(UserError, match=said):
        read(Wish("wall", 2, **columns))  # type: ignore[arg-type]
