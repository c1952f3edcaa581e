# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the words that a user types: a template around them, other languages in English, words that a model
does not know. Imports the standard library and its neighbour with the table only."""

import itertools
import json
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from .foreign_words import ADJECTIVES, ENDINGS, LINKS, NOUNS, PHRASES

EXAMPLE = "grey cobblestone"  # what an empty prompt shows, wherever an example is wanted
PLACE = "{prompt}"  # in a template, where the prompt goes
_WORD = re.compile(r"[^\W\d_]+")
_LONGEST_PHRASE = 3  # words


@dataclass(frozen=True)
class Reading:
    """How a model takes a prompt.

    text: the prompt for the model. read_as: that text where it was translated, "" where it was not.
    unknown: words of the text that the model does not know, each once, as they were typed.
    """

    text: str
    read_as: str = ""
    unknown: tuple[str, ...] = ()


def fill(template: str, prompt: str) -> str:
    """The prompt with its template's words around it: in place of {prompt}, or behind it. Nothing is said twice where
    they meet: "brick wall" in "{prompt} brick wall" is one brick wall."""
    if not template.strip():
        return prompt
    prompt = prompt.strip()
    if PLACE not in template:
        return _join(f"{prompt} ", template.strip()).strip()
    first, *others = template.split(PLACE)  # one after the other: the prompt may hold the place's name too
    text = first
    for part in others:
        text = _join(_join(text, prompt), part)
    return text.strip(" ,")


def _join(before: str, after: str) -> str:
    """One behind the other, without the words that end the one and begin the other."""
    said = [word.casefold() for word in _WORD.findall(re.split(r"[^\w\s]", before)[-1])]
    words = list(_WORD.finditer(after))
    if not words or after[: words[0].start()].strip():
        return before + after
    for count in range(min(len(said), len(words)), 0, -1):
        phrase = words[:count]
        apart = any(after[a.end() : b.start()].strip() for a, b in itertools.pairwise(phrase))
        if not apart and [match.group().casefold() for match in phrase] == said[-count:]:
            return before.rstrip() + after[phrase[-1].end() :]
    return before + after


def read_vocabulary(folder: Path) -> frozenset[str]:
    """The words that a model's tokenizer has whole, in lower case; none where there is no table of words.

    folder: the model's, as diffusers lays it out. Reads the disk: not for draw functions. Raises nothing.
    """
    try:
        with (folder / "tokenizer" / "tokenizer.json").open(encoding="utf-8") as file:
            model = json.load(file)["model"]
        # pieces of words, as CLIP has them, say nothing about which words are known
        return frozenset(model["vocab"]) if model["type"] in ("WordPiece", "WordLevel") else frozenset()
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def read(prompt: str, vocabulary: Collection[str]) -> Reading:
    """What a model with that vocabulary reads; with an empty one the prompt as it is, and nothing is unknown.

    Material words of another language are translated only where one of them is a word that the model does not know.
    """
    if not vocabulary:
        return Reading(prompt)
    language = _language(prompt, vocabulary)
    text = _translate(prompt, language) if language else prompt
    found = dict.fromkeys(match.group() for match in _WORD.finditer(text))
    unknown = tuple(word for word in found if not _knows(vocabulary, word))
    return Reading(text, text if language else "", unknown)


def final(template: str, prompt: str, vocabulary: Collection[str]) -> Reading:
    """What a model with that vocabulary reads of a prompt with its template's words around it."""
    typed = read(prompt, vocabulary)  # before they meet: else "Ziegelwand" in "{prompt} brick wall" would double
    whole = read(fill(template, typed.text), vocabulary)
    return replace(whole, read_as=whole.text if typed.read_as or whole.read_as else "")


def _knows(vocabulary: Collection[str], word: str) -> bool:
    word = plain(word)
    return any(form in vocabulary for form in (word, word.removesuffix("s"), word.removesuffix("es")))


def plain(word: str) -> str:
    """In lower case and without accents, as tokenizers of the BERT kind read it."""
    letters = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _language(prompt: str, vocabulary: Collection[str]) -> str:
    """The language that has most of the words which the model does not know, "" where none has any."""
    strange = [word for word in _WORD.findall(prompt) if not _knows(vocabulary, word)]
    counts = {name: sum(_find(name, word) is not None for word in strange) for name in NOUNS}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else ""


def _find(language: str, word: str) -> tuple[str, bool] | None:
    """(the English word, whether it is an adjective), None where the table lacks it."""
    word = plain(word)
    for form in (word, *(word.removesuffix(ending) for ending in ENDINGS[language] if len(word) - len(ending) >= 3)):
        if form in ADJECTIVES[language]:
            return ADJECTIVES[language][form], True
        if form in NOUNS[language]:
            return NOUNS[language][form], False
    if language == "German":  # which writes nouns together
        for cut in range(3, len(word) - 2):
            first, second = word[:cut], word[cut:]
            found = NOUNS[language].get(second) or NOUNS[language].get(second.removesuffix("n"))
            for form in (first, *(first.removesuffix(link) for link in ("en", "er", "n", "s", "e"))):
                if found and form in NOUNS[language]:
                    return f"{NOUNS[language][form]} {found}", False
    return None


def _translate(prompt: str, language: str) -> str:
    """In English word order: adjectives first, then of what it is, then what it is."""
    return ", ".join(filter(None, (_translate_part(part, language) for part in prompt.split(","))))


def _translate_part(text: str, language: str) -> str:
    """`text`: without commas. What stands behind "with", "and" and their like keeps its place."""
    words, read, part = text.split(), [], _Part()
    while words:
        phrases = (n for n in range(min(_LONGEST_PHRASE, len(words)), 1, -1) if _phrase(words[:n]) in PHRASES[language])
        length = next(phrases, 0)
        if length:
            part.groups[-1].append(PHRASES[language][_phrase(words[:length])])
            words = words[length:]
            continue
        word = words.pop(0)
        link = LINKS[language].get(plain(word))
        if link == "of":
            part.groups.append([])
        elif link is None:
            found = _find(language, word.strip(".;:!?"))
            (part.adjectives if found and found[1] else part.groups[-1]).append(found[0] if found else word)
        elif link:
            read += [*part.words(), link]
            part = _Part()
    return " ".join([*read, *part.words()])


@dataclass
class _Part:
    """adjectives: of all of it. groups: what it is, what that is made of, what that is made of."""

    adjectives: list[str] = field(default_factory=list)
    groups: list[list[str]] = field(default_factory=lambda: [[]])

    def words(self) -> list[str]:
        return [*self.adjectives, *(word for group in reversed(self.groups) for word in group)]


def _phrase(words: list[str]) -> str:
    return " ".join(plain(word) for word in words)
