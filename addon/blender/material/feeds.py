# SPDX-License-Identifier: GPL-3.0-or-later
"""The image that feeds a socket, and what the nodes between do to its numbers. Imports bpy.

A node may stand between an image and its place if it keeps the order of the numbers: dark stays darker than bright, and
a normal's green stays green. So it is asked: the numbers are sent through, with Blender's own arithmetic. What turns
them round (an Invert, a falling curve, a Map Range from 1 to 0) makes a gloss map of a roughness map; no list of nodes
says that. What is not known here counts as something else.
"""

import colorsys
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy

from ...core.results import BASE_COLOR

# Blender's types know the attributes of each kind of node by its own class, and here every kind comes along.
Node = Any
Socket = Any
Images = dict[str, Node]  # by the nodes' names
Numbers = tuple[float, float, float]  # a color, a vector, or three times the same value

IMAGE = "ShaderNodeTexImage"
LAID = "tilewright_laid_image"  # on a group that lays an image without a visible repeat, see `without_repeat`
BLEND = "tilewright_blend"  # on the group that blends a second material in, see `blend`
_ALMOST = 1e-3
_LEAST = 0.01  # of what black and white differ by; less is nothing to be seen
_ENOUGH = 4096  # nodes on the way; a tree with more has a loop of groups or was made to be slow
_OCCLUSION = re.compile(r"(?<![a-z])(ao|ambient|occlusion|cavity|curvature)(?![a-z])")
_MASKS = {"Factor", "Fac"}
_PRODUCTS = {"ShaderNodeMix", "ShaderNodeMixRGB"}


class Unknown(Exception):
    """Something whose effect is not known here."""


@dataclass(frozen=True)
class Feed:
    """image: the one image node that feeds a socket, None where there is none that could be given another image.

    turned: there is one, but what stands between turns its numbers round, or shows nothing of it.
    """

    image: Node | None = None
    turned: bool = False


def color(socket: Socket) -> Feed:
    """What feeds a color. Of a product, the factor with the colors: no occlusion, vertex colors or noise."""
    return _find(socket, _Search(colors=True), _keeps_order)


def value(socket: Socket) -> Feed:
    """What feeds a value, such as a roughness. None where a channel is taken out: a picture of several maps is none."""
    return _find(socket, _Search(colors=False), _keeps_order)


def normal(socket: Socket) -> Feed:
    """What feeds a Normal Map's Color, if its red and green are left the way they are."""
    return _find(socket, _Search(colors=False), _keeps_directions)


def live_link(socket: Socket) -> bpy.types.NodeLink | None:
    """The link that an input takes its numbers from, None where there is none or it is muted."""
    return next((link for link in socket.links if not link.is_muted), None)


def passed_by_mute(link: bpy.types.NodeLink) -> Socket | None:
    """The input that a muted node hands on to the output that this link comes from."""
    pairs = link.from_node.internal_links
    return next((pair.from_socket for pair in pairs if pair.to_socket == link.from_socket), None)


def is_laid(node: Node) -> bool:
    """Whether a node is a group of ours that lays the image at its Color without a visible repeat."""
    return node.bl_idname == "ShaderNodeGroup" and node.node_tree is not None and bool(node.node_tree.get(LAID))


def laid_image(group: Node) -> Node | None:
    """The image node that a group lays, None where something else is linked to it now."""
    link = live_link(group.inputs["Color"])
    return link.from_node if link is not None and link.from_node.bl_idname == IMAGE else None


def is_blend(node: Node) -> bool:
    """Whether a node is a group of ours that blends a second material into what feeds its first inputs."""
    return node.bl_idname == "ShaderNodeGroup" and node.node_tree is not None and bool(node.node_tree.get(BLEND))


def blends(socket: Socket) -> list[Node]:
    """The blends that stand before an input, the nearest first."""
    found: list[Node] = []
    link = live_link(socket)
    while link is not None and is_blend(link.from_node) and link.from_node not in found:
        found.append(link.from_node)
        link = live_link(_passed(link))
    return found


def entry(socket: Socket) -> Socket:
    """An input, or, where blends stand before it, the one of theirs that takes what the material itself shows."""
    found = blends(socket)
    if not found:
        return socket
    link = live_link(socket)
    for _blend in found[1:]:
        link = live_link(_passed(link))
    return _passed(link)


def _passed(link: bpy.types.NodeLink) -> Socket:
    """The input of a group of ours whose numbers go on through this link, more or less as they are."""
    node = link.from_node
    return node.inputs[f"{link.from_socket.name} A" if is_blend(node) else "Color"]


def _find(
    socket: Socket,
    search: "_Search",
    keeps: Callable[[Callable[[Numbers], Numbers]], bool],
) -> Feed:
    try:
        images = search.behind(socket)
        if len(images) != 1:
            return Feed()
        (image,) = images.values()
        ways = keeps(lambda numbers: _Way({image.name: numbers}).through(socket))
    except (Unknown, ArithmeticError, ValueError, RecursionError):
        return Feed()
    return Feed(image) if ways else Feed(turned=True)


def _keeps_order(way: Callable[[Numbers], Numbers]) -> bool:
    dark, middle, bright = (way((number,) * 3) for number in (0.0, 0.5, 1.0))
    rises = all(a <= b + _ALMOST and b <= c + _ALMOST for a, b, c in zip(dark, middle, bright, strict=True))
    return rises and _grey(bright) - _grey(dark) > _LEAST


def _keeps_directions(way: Callable[[Numbers], Numbers]) -> bool:
    for channel in (0, 1):
        low, high = [0.5, 0.5, 1.0], [0.5, 0.5, 1.0]
        low[channel], high[channel] = 0.25, 0.75
        before, after = way((low[0], low[1], low[2])), way((high[0], high[1], high[2]))
        if after[channel] - before[channel] < _LEAST or abs(after[1 - channel] - before[1 - channel]) > _LEAST:
            return False
    return True


# --- which image ---------------------------------------------------------------------------------------------------


def _carriers(node: Node) -> list[Socket]:
    """The linked inputs that a node's numbers come from. Masks are not among them."""
    linked = [socket for socket in node.inputs if socket.enabled and live_link(socket)]
    return linked if node.bl_idname == "ShaderNodeValToRGB" else [entry for entry in linked if entry.name not in _MASKS]


def _upwards(socket: Socket) -> tuple[Node | None, list[Socket]]:
    """The node that feeds a socket, and the inputs to go on from. The node is an image node where the way ends there.

    Raises `Unknown` where it ends elsewhere.
    """
    link = live_link(socket)
    if link is None:
        return None, []
    node = link.from_node
    if node.mute:
        inner = passed_by_mute(link)
        return node, [inner] if inner is not None else []
    if node.bl_idname == IMAGE and link.from_socket.name == "Color":
        return node, []
    if node.bl_idname == "NodeReroute":
        return node, list(node.inputs)
    if is_laid(node) or is_blend(node):
        return node, [_passed(link)]
    if node.bl_idname in _ARITHMETIC:
        return node, _carriers(node)
    raise Unknown(node.bl_idname)


@dataclass
class _Search:
    """All images that have a part in a socket's numbers, by name.

    colors: leave out what a product is only darkened by. known: by node, what was found behind it; None while it is
    looked for, and where its effect is not known.
    """

    colors: bool
    known: dict[str, Images | None] = field(default_factory=dict)

    def behind(self, socket: Socket) -> Images:
        node, inputs = _upwards(socket)
        if node is None:
            return {}
        if node.bl_idname == IMAGE and not node.mute:
            return {node.name: node}
        if self.colors and node.bl_idname == "ShaderNodeValToRGB":  # there an image is a mask
            raise Unknown
        if node.name not in self.known:
            self.known[node.name] = None
            self.known[node.name] = self.product(inputs) if self.colors and _multiplies(node) else self.all(inputs)
        found = self.known[node.name]
        if found is None:
            raise Unknown
        return found

    def all(self, inputs: list[Socket]) -> Images:
        found: Images = {}
        for socket in inputs:
            found |= self.behind(socket)
        return found

    def product(self, factors: list[Socket]) -> Images:
        """Of the factors that may be colors; of several of them, those that hold a base color of ours, if one does."""
        colored: list[Images] = []
        for factor in factors:
            try:
                images = self.behind(factor)
            except Unknown:
                continue
            if not all(_is_occlusion(image) for image in images.values()):
                colored.append(images)
        ours = [images for images in colored if any(_is_ours(image) for image in images.values())]
        return {name: node for images in ours or colored for name, node in images.items()}


def _multiplies(node: Node) -> bool:
    return node.bl_idname in _PRODUCTS and node.blend_type == "MULTIPLY" and not node.mute


def _is_occlusion(node: Node) -> bool:
    """Whether an image is no color, but darkens one."""
    image = node.image
    if image is None:
        return False
    return image.colorspace_settings.is_data or bool(_OCCLUSION.search(image.name.lower()))


def _is_ours(node: Node) -> bool:
    facts = node.image.tilewright if node.image is not None else None
    return facts is not None and bool(facts.result) and facts.kind == BASE_COLOR


# --- what becomes of its numbers -----------------------------------------------------------------------------------


@dataclass
class _Way:
    """Sends numbers from image nodes, given by name, to a socket. What is multiplied in besides counts as white."""

    given: Mapping[str, Numbers]
    steps: int = 0

    def through(self, socket: Socket) -> Numbers:
        self.steps += 1
        if self.steps > _ENOUGH:
            raise Unknown
        link = live_link(socket)
        if link is None:
            return _constant(socket)
        node = link.from_node
        if node.mute:
            inner = passed_by_mute(link)
            if inner is None:
                raise Unknown
            return self.through(inner)
        if node.bl_idname == IMAGE:
            return self.given.get(node.name, (1.0,) * 3)
        if node.bl_idname == "NodeReroute":
            return self.through(node.inputs[0])
        if is_laid(node) or is_blend(node):
            return self.through(_passed(link))
        if node.bl_idname not in _ARITHMETIC:
            return (1.0,) * 3  # a factor: `_Search` has looked at it
        return _ARITHMETIC[node.bl_idname](node, self)

    def input(self, node: Node, name: str) -> Numbers:
        """The numbers of an input; some nodes have several of a name, of which one is enabled."""
        sockets = [socket for socket in node.inputs if socket.enabled and name in (socket.name, socket.identifier)]
        if not sockets:
            raise Unknown
        return self.through(sockets[0])

    def number(self, node: Node, name: str) -> float:
        return _grey(self.input(node, name))

    def mask(self, node: Node) -> float:
        """A factor; one that comes from elsewhere is half of the way."""
        socket = next((entry for entry in node.inputs if entry.enabled and entry.name in _MASKS), None)
        if socket is None:
            raise Unknown
        return 0.5 if live_link(socket) else _grey(_constant(socket))


def _constant(socket: Socket) -> Numbers:
    held = getattr(socket, "default_value", None)
    if isinstance(held, float | int):
        return (float(held),) * 3
    if held is None or len(held) < 3:
        raise Unknown
    return float(held[0]), float(held[1]), float(held[2])


def _grey(numbers: Numbers) -> float:
    """As Blender makes a value of a color; exact where all three are the same."""
    red, green, blue = numbers
    return blue + 0.2126 * (red - blue) + 0.7152 * (green - blue)


def _each(function: Callable[..., float], *numbers: Numbers) -> Numbers:
    red, green, blue = (function(*channel) for channel in zip(*numbers, strict=True))
    return red, green, blue


def _blend(factor: float, one: Numbers, other: Numbers) -> Numbers:
    return _each(lambda a, b: a + factor * (b - a), one, other)


def _invert(node: Node, way: _Way) -> Numbers:
    numbers = way.input(node, "Color")
    return _blend(way.mask(node), numbers, _each(lambda a: 1.0 - a, numbers))


def _gamma(node: Node, way: _Way) -> Numbers:
    gamma = way.number(node, "Gamma")
    return _each(lambda a: a**gamma if a > 0 else a, way.input(node, "Color"))


def _bright_contrast(node: Node, way: _Way) -> Numbers:
    bright, contrast = way.number(node, "Bright"), way.number(node, "Contrast")
    return _each(lambda a: max((1 + contrast) * a + bright - contrast / 2, 0.0), way.input(node, "Color"))


def _hue_saturation(node: Node, way: _Way) -> Numbers:
    numbers = way.input(node, "Color")
    hue, saturation, brightness = colorsys.rgb_to_hsv(*numbers)
    hue = (hue + way.number(node, "Hue") + 0.5) % 1.0
    saturation = min(max(saturation * way.number(node, "Saturation"), 0.0), 1.0)
    changed = colorsys.hsv_to_rgb(hue, saturation, brightness * way.number(node, "Value"))
    return _blend(way.mask(node), numbers, _each(lambda a: max(a, 0.0), changed))


def _curves(node: Node, way: _Way) -> Numbers:
    numbers = way.input(node, "Color")
    mapping = node.mapping
    mapping.initialize()
    red, green, blue, all_ = mapping.curves
    changed = tuple(
        mapping.evaluate(curve, mapping.evaluate(all_, number))
        for curve, number in zip((red, green, blue), numbers, strict=True)
    )
    return _blend(way.mask(node), numbers, (changed[0], changed[1], changed[2]))


def _float_curve(node: Node, way: _Way) -> Numbers:
    number = way.number(node, "Value")
    node.mapping.initialize()
    changed = node.mapping.evaluate(node.mapping.curves[0], number)
    return _blend(way.mask(node), (number,) * 3, (changed,) * 3)


def _ramp(node: Node, way: _Way) -> Numbers:
    red, green, blue, _alpha = node.color_ramp.evaluate(_grey(way.through(node.inputs[0])))
    return red, green, blue


def _map_range(node: Node, way: _Way) -> Numbers:
    if node.data_type != "FLOAT":
        raise Unknown
    low, high = way.number(node, "From Min"), way.number(node, "From Max")
    to_low, to_high = way.number(node, "To Min"), way.number(node, "To Max")
    part = (way.number(node, "Value") - low) / (high - low) if high != low else 0.0
    if node.interpolation_type == "STEPPED":
        steps = way.number(node, "Steps")
        part = math.floor(part * (steps + 1)) / steps if steps > 0 else 0.0
    elif node.interpolation_type != "LINEAR":  # both smooth ones rise between the same ends
        part = min(max(part, 0.0), 1.0)
        part = part * part * (3 - 2 * part)
    mapped = to_low + part * (to_high - to_low)
    if node.clamp:
        mapped = min(max(mapped, min(to_low, to_high)), max(to_low, to_high))
    return (mapped,) * 3


def _clamp(node: Node, way: _Way) -> Numbers:
    low, high = way.number(node, "Min"), way.number(node, "Max")
    if node.clamp_type == "RANGE":
        low, high = min(low, high), max(low, high)
    return (min(max(way.number(node, "Value"), low), high),) * 3


_MATH: dict[str, Callable[[float, float, float], float]] = {
    "ADD": lambda a, b, c: a + b,
    "SUBTRACT": lambda a, b, c: a - b,
    "MULTIPLY": lambda a, b, c: a * b,
    "DIVIDE": lambda a, b, c: a / b if b else 0.0,
    "MULTIPLY_ADD": lambda a, b, c: a * b + c,
    "POWER": lambda a, b, c: a**b if a > 0 or b == int(b) else 0.0,
    "SQRT": lambda a, b, c: math.sqrt(max(a, 0.0)),
    "MINIMUM": lambda a, b, c: min(a, b),
    "MAXIMUM": lambda a, b, c: max(a, b),
    "LESS_THAN": lambda a, b, c: float(a < b),
    "GREATER_THAN": lambda a, b, c: float(a > b),
    "ABSOLUTE": lambda a, b, c: abs(a),
    "ROUND": lambda a, b, c: math.floor(a + 0.5),
    "SNAP": lambda a, b, c: math.floor(a / b) * b if b else 0.0,
    "EXPONENT": lambda a, b, c: math.exp(a),
}


def _math(node: Node, way: _Way) -> Numbers:
    function = _MATH.get(node.operation)
    if function is None:
        raise Unknown
    numbers = [_grey(way.through(socket)) for socket in node.inputs if socket.enabled]
    result = function(*[*numbers, 0.0, 0.0][:3])
    return (min(max(result, 0.0), 1.0) if node.use_clamp else result,) * 3


_BLENDS: dict[str, Callable[[float, float], float]] = {
    "MIX": lambda a, b: b,
    "MULTIPLY": lambda a, b: a * b,
    "ADD": lambda a, b: a + b,
    "SUBTRACT": lambda a, b: a - b,
    "DIVIDE": lambda a, b: a / b if b else a,
    "DIFFERENCE": lambda a, b: abs(a - b),
    "EXCLUSION": lambda a, b: max(a + b - 2 * a * b, 0.0),
    "DARKEN": min,
    "LIGHTEN": max,
    "SCREEN": lambda a, b: 1 - (1 - a) * (1 - b),
    "OVERLAY": lambda a, b: 2 * a * b if a < 0.5 else 1 - 2 * (1 - a) * (1 - b),
    "SOFT_LIGHT": lambda a, b: (1 - a) * b * a + a * (1 - (1 - a) * (1 - b)),
    "LINEAR_LIGHT": lambda a, b: a + 2 * b - 1,
}


def _mix(node: Node, way: _Way) -> Numbers:
    old = node.bl_idname == "ShaderNodeMixRGB"
    names = ("Color1", "Color2") if old else ("A", "B")
    one, other = (way.input(node, name) for name in names)
    factor = way.mask(node)
    if old or node.clamp_factor:
        factor = min(max(factor, 0.0), 1.0)
    if not old and node.data_type != "RGBA":
        return _blend(factor, one, other)
    function = _BLENDS.get(node.blend_type)
    if function is None:
        raise Unknown
    mixed = _blend(factor, one, _each(function, one, other))
    clamps = node.use_clamp if old else node.clamp_result
    return _each(lambda a: min(max(a, 0.0), 1.0), mixed) if clamps else mixed


def _held(node: Node, way: _Way) -> Numbers:
    return _constant(node.outputs[0])


_ARITHMETIC: dict[str, Callable[[Node, _Way], Numbers]] = {
    "ShaderNodeInvert": _invert,
    "ShaderNodeGamma": _gamma,
    "ShaderNodeBrightContrast": _bright_contrast,
    "ShaderNodeHueSaturation": _hue_saturation,
    "ShaderNodeRGBCurve": _curves,
    "ShaderNodeFloatCurve": _float_curve,
    "ShaderNodeValToRGB": _ramp,
    "ShaderNodeMapRange": _map_range,
    "ShaderNodeClamp": _clamp,
    "ShaderNodeMath": _math,
    "ShaderNodeMix": _mix,
    "ShaderNodeMixRGB": _mix,
    "ShaderNodeRGB": _held,
    "ShaderNodeValue": _held,
}
