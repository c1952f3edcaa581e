# SPDX-License-Identifier: GPL-3.0-or-later
"""The codec: what is sent arrives, however the bytes are cut; what is no message is refused."""

import io
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.core import protocol
from addon.core.errors import ErrorKind, UserError
from addon.core.pace import Pace
from addon.core.protocol import FrameReader, Heartbeat, ProtocolError, decode, encode, read_message
from addon.core.recipe import Recipe
from addon.core.requests.texture import TextureRequest
from addon.core.results import Result
from tests.core.test_request import requests

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
# A path on Linux may hold any byte: those that are no UTF-8 are lone surrogates in Python.
paths = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/")
    | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
    min_size=1,
    max_size=40,
).map(lambda name: f"/store/{name}")
seconds = st.floats(0, allow_nan=False, allow_infinity=False)
whole = st.integers(0, 2**31)
errors = st.builds(UserError, st.sampled_from(ErrorKind), words, words)
recipes = st.builds(Recipe, requests, words, st.dictionaries(words, words, max_size=3))
results = st.builds(
    Result,
    folder=paths.map(Path),
    files=st.just({"base_color": "base_color.png", "thumbnail": "thumbnail.png"}),
    recipe=recipes,
    seam_score=st.none() | seconds,
    seconds=seconds,
    created=seconds,
    notes=st.lists(words, max_size=2).map(tuple),
)
moments = st.none() | st.floats(0, 1e6)
paces = st.builds(Pace, moments, moments, moments, moments)
messages = st.one_of(
    st.builds(protocol.Hello, whole, whole, words),
    st.builds(protocol.Start, words, requests, paths, words, words, paces, st.booleans()),
    st.builds(protocol.Cancel, words),
    st.builds(protocol.Free),
    st.builds(protocol.Quit),
    st.builds(Heartbeat),
    st.builds(
        protocol.Progress, words, st.sampled_from(protocol.Phase), whole, whole, whole, whole, st.none() | seconds
    ),
    st.builds(protocol.Note, words, words),
    st.builds(protocol.Preview, words, whole, whole, paths),
    st.builds(protocol.ImageDone, words, whole, results),
    st.builds(protocol.Finished, words, seconds, paces),
    st.builds(protocol.Failed, words, errors),
    st.builds(protocol.Cancelled, words),
    st.builds(protocol.Freed),
    st.builds(protocol.Refused, errors),
)


def test_every_kind_of_message_is_drawn():
    # A new message without a strategy would escape the laws below.
    drawn = {strategy.wrapped_strategy.target for strategy in messages.original_strategies}
    assert drawn == set(protocol.Message.__args__)


@given(messages)
def test_any_message_round_trips(message):
    frame = encode(message)
    assert decode(frame[4:]) == message
    assert read_message(io.BytesIO(frame)) == message
    assert frame[4:].isascii()


@given(st.lists(messages, max_size=5), st.data())
def test_any_cut_of_the_stream_gives_the_same_messages(sent, data):
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader = FrameReader()
    received = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += reader.feed(stream[begin:end])
    assert received == sent
    assert reader.pending == 0


@given(st.lists(messages, min_size=1, max_size=3), st.data())
def test_a_stream_that_ends_early_is_known_to_be_cut(sent, data):
    stream = b"".join(map(encode, sent))
    last = len(stream) - len(encode(sent[-1]))
    end = data.draw(st.integers(last + 1, len(stream) - 1))
    reader = FrameReader()
    assert list(reader.feed(stream[:end])) == sent[:-1]
    assert reader.pending == end - last
    source = io.BytesIO(stream[:end])
    assert [read_message(source) for _ in sent[:-1]] == sent[:-1]
    with pytest.raises(ProtocolError):
        read_message(source)


@given(messages, st.binary(min_size=4).filter(lambda data: data[0] > 0))
def test_nonsense_is_refused_after_the_messages_before_it(message, nonsense):
    incoming = FrameReader().feed(encode(message) + nonsense)
    assert next(incoming) == message
    with pytest.raises(ProtocolError):
        next(incoming)


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | words, lambda inner: st.lists(inner) | st.dictionaries(words, inner)
    ).map(lambda value: json.dumps(value).encode())
)
def test_a_frame_that_is_no_message_is_refused(body):
    with pytest.raises(ProtocolError):
        decode(body)


@given(messages, st.data())
def test_a_message_with_a_wrong_field_is_refused(message, data):
    fields = json.loads(encode(message)[4:])
    name = data.draw(st.sampled_from(sorted(fields)))
    fields[name] = data.draw(st.sampled_from([[1], {}, True, {"message": 1}]))
    with pytest.raises(ProtocolError):
        decode(json.dumps(fields).encode())


def test_unknown_fields_are_refused():
    with pytest.raises(ProtocolError):
        decode(b'{"type":"Heartbeat","pixels":"many"}')


def test_a_frame_over_a_mebibyte_is_neither_sent_nor_awaited():
    with pytest.raises(ProtocolError):
        encode(protocol.Note("job", "x" * protocol.MAX_FRAME))
    head = struct.pack(">I", protocol.MAX_FRAME + 1)
    with pytest.raises(ProtocolError):
        list(FrameReader().feed(head))
    with pytest.raises(ProtocolError):
        read_message(io.BytesIO(head))


def test_fault_16_the_longest_prompts_fit_into_a_frame():
    longest = "\U0001f9f1" * 20_000  # twelve bytes each in JSON
    start = protocol.Start("job", TextureRequest(longest, longest), "/store")
    assert decode(encode(start)[4:]) == start


def test_a_stream_that_gives_a_byte_at_a_time_is_read_whole():
    class Slow(io.RawIOBase):
        def __init__(self, data):
            self.data = data

        def read(self, size=-1):
            piece, self.data = self.data[:1], self.data[1:]
            return piece

    stream = Slow(encode(Heartbeat()) * 2)
    assert read_message(stream) == Heartbeat()
    assert read_message(stream) == Heartbeat()
    assert read_message(stream) is None
