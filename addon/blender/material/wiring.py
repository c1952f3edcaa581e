# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic written down as shader nodes. Imports bpy."""

from collections.abc import Sequence
from typing import Any

import bpy

# Blender's types know the attributes of each kind of node by its own class, and here every kind comes along.
Socket = Any
Value = Socket | float | Sequence[float]  # an output to link, or a constant

_COLUMN, _ROW = 180.0, 170.0


class Wiring:
    """Adds nodes to a tree, from left to right: each method adds one, and returns its output."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree: Any = tree
        self._rows: dict[int, int] = {}  # how many nodes a column holds
        self._columns: dict[str, int] = {}  # by node

    def node(self, kind: str, *values: Value, **settings: Any) -> Any:
        """A node of a kind (`ShaderNode...` without that), with what its first inputs are given."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in settings.items():
            setattr(node, name, value)
        for socket, value in zip((entry for entry in node.inputs if entry.enabled), values, strict=False):
            self.give(value, socket)
        self._place(node)
        return node

    def give(self, value: Value, socket: Socket) -> None:
        """Link an output to an input, or set the input to a constant."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def math(self, operation: str, *values: Value) -> Socket:
        """Of numbers: one of Blender's Math node."""
        return self.node("Math", *values, operation=operation).outputs[0]

    def vector(self, operation: str, *values: Value) -> Socket:
        """Of vectors, or colors: one of Blender's Vector Math node."""
        node = self.node("VectorMath", operation=operation)
        for socket, value in zip((entry for entry in node.inputs if entry.enabled), values, strict=True):
            self.give(value, socket)
        return next(entry for entry in node.outputs if entry.enabled)

    def combine(self, x: Value, y: Value, z: Value = 0.0) -> Socket:
        """A vector of numbers."""
        return self.node("CombineXYZ", x, y, z).outputs[0]

    def separate(self, vector: Value) -> tuple[Socket, Socket, Socket]:
        """The numbers of a vector."""
        x, y, z = self.node("SeparateXYZ", vector).outputs
        return x, y, z

    def inputs(self, **sockets: tuple[str, Any]) -> tuple[Socket, ...]:
        """The group's inputs: a type (`NodeSocket...` without that) and a default by name, `_` for a space."""
        for name, (kind, default) in sockets.items():
            entry = self.tree.interface.new_socket(
                name.replace("_", " "), in_out="INPUT", socket_type=f"NodeSocket{kind}"
            )
            if default is not None:
                entry.default_value = default
        node = self.tree.nodes.new("NodeGroupInput")
        self._place(node)
        return tuple(node.outputs[name.replace("_", " ")] for name in sockets)

    def outputs(self, **sockets: tuple[str, Socket]) -> None:
        """The group's outputs: a type and what it gives, by name. Called again, only the last counts in renders."""
        known = {item.name for item in self.tree.interface.items_tree if item.in_out == "OUTPUT"}
        for name, (kind, _value) in sockets.items():
            if name.replace("_", " ") in known:
                continue
            self.tree.interface.new_socket(name.replace("_", " "), in_out="OUTPUT", socket_type=f"NodeSocket{kind}")
        node = self.tree.nodes.new("NodeGroupOutput")
        node.is_active_output = True
        for name, (_kind, value) in sockets.items():
            self.give(value, node.inputs[name.replace("_", " ")])
        self._place(node)

    def _place(self, node: Any) -> None:
        """One column to the right of all that feeds it."""
        linked = [entry for entry in node.inputs if entry.is_linked]  # Blender looks for links among all of the tree's
        before = [self._columns[link.from_node.name] for entry in linked for link in entry.links]
        column = max(before, default=-1) + 1
        self._columns[node.name] = column
        row = self._rows[column] = self._rows.get(column, -1) + 1
        node.location = (column * _COLUMN, -row * _ROW)
        node.select = False
