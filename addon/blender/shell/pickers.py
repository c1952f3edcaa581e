# SPDX-License-Identifier: GPL-3.0-or-later
"""Menus that offer what is in the library for a field: LoRAs, ControlNets, VAEs and the like. Imports bpy and core."""

from pathlib import Path
from typing import Any

import bpy
from bpy.props import IntProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.model_files.kinds import Role
from ..common import package, reporting, state
from ..common.languages import iface_
from ..install import models as setup_models
from ..settings import extras, library
from ..settings.library import Pick
from ..settings.properties import TILEWRIGHT_PG_control, TILEWRIGHT_PG_settings, settings_of

_MOST = 60  # entries of a menu, which are searched by typing; more would leave the screen
_NONE_YET = {
    Role.LORA: "No LoRA or embedding is here yet",
    Role.CONTROLNET: "No ControlNet is here yet",
    Role.VAE: "No VAE is here yet",
    Role.IP_ADAPTER: "No IP-Adapter is here yet",
    Role.IMAGE_ENCODER: "No image encoder is here yet",
}


class TILEWRIGHT_OT_pick_file(reporting.Operator):
    """Take this file from the library of models"""

    bl_idname = "tilewright.pick_file"
    bl_label = "Pick from Library"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    file: StringProperty(description="Its path", options={"SKIP_SAVE", "HIDDEN"})
    role: StringProperty(description="What it is: lora, embedding, vae ...", options={"SKIP_SAVE", "HIDDEN"})
    index: IntProperty(description="Of a ControlNet: for which control, from 0", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE

    def act(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        if self.role in (Role.LORA, Role.EMBEDDING):
            extras.add(settings, Path(self.file))
        elif self.role == Role.CONTROLNET:
            if not 0 <= self.index < len(settings.controls):
                raise UserError(ErrorKind.REQUEST, "There is no such control.")
            settings.controls[self.index].model = self.file
        elif self.role == Role.VAE:
            settings.vae = self.file
        elif self.role == Role.IP_ADAPTER:
            settings.style_file = self.file
        else:
            settings.style_encoder = self.file


def draw_button(layout: Any, menu: str) -> None:
    """The button beside a field that opens its menu."""
    layout.menu(menu, text="", icon="ASSET_MANAGER")


def draw_control_button(layout: Any, control: TILEWRIGHT_PG_control) -> None:
    """The same of a control, which the menu is told of by the layout."""
    row = layout.row(align=True)
    row.context_pointer_set("tilewright_control", control)
    draw_button(row, "TILEWRIGHT_MT_controlnets")


def _draw(layout: Any, context: bpy.types.Context, *roles: Role) -> None:
    setup_models.want_list()
    settings = settings_of(context.scene)
    found = library.picks(roles, settings.model)
    taken = {item.file for item in (*settings.loras, *settings.embeddings)}
    for pick in found[:_MOST]:
        _draw_pick(layout, context, settings, pick, iface_("added") if str(pick.path) in taken else pick.reason)
    if len(found) > _MOST:
        words = iface_("{count} more: choose the file itself").format(count=len(found) - _MOST)
        layout.label(text=words, icon="BLANK1", translate=False)
    if not found:
        looking = not state.current.models.listed or library.is_unseen()
        layout.label(text="Looking for models" if looking else _NONE_YET[roles[0]], icon="INFO")
    layout.separator()


def _draw_pick(
    layout: Any, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings, pick: Pick, reason: str
) -> None:
    row = layout.row()
    row.enabled = not reason
    icon = "WORDWRAP_ON" if pick.role is Role.EMBEDDING else "NONE"
    text = f"{pick.title} ({reason})" if reason else pick.title
    button = row.operator("tilewright.pick_file", text=text, icon=icon, translate=False)
    button.file, button.role = str(pick.path), pick.role.value
    control = getattr(context, "tilewright_control", None)
    controls = list(settings.controls)
    button.index = controls.index(control) if control in controls else -1


class _OfLibrary:
    """What the menus share. roles: of what they offer."""

    bl_options: Any = {"SEARCH_ON_KEY_PRESS"}  # by typing, as Blender's own Add menus are
    layout: Any
    roles: tuple[Role, ...] = ()

    def draw(self, context: bpy.types.Context) -> None:
        _draw(self.layout, context, *self.roles)
        if Role.LORA in self.roles:  # a list, without a field that could open the browser
            self.layout.operator_context = "INVOKE_DEFAULT"
            self.layout.operator("tilewright.add_lora", text="A File...", icon="FILE_FOLDER")
        button: Any = self.layout.operator("preferences.addon_show", text="Get More Models...", icon="IMPORT")
        button.module = package.NAME


class TILEWRIGHT_MT_loras(_OfLibrary, bpy.types.Menu):
    """LoRAs and embeddings in the library of models"""

    bl_label = "LoRAs and Embeddings"
    roles = (Role.LORA, Role.EMBEDDING)


class TILEWRIGHT_MT_controlnets(_OfLibrary, bpy.types.Menu):
    """ControlNets in the library of models"""

    bl_label = "ControlNets"
    roles = (Role.CONTROLNET,)


class TILEWRIGHT_MT_vaes(_OfLibrary, bpy.types.Menu):
    """VAEs in the library of models"""

    bl_label = "VAEs"
    roles = (Role.VAE,)


class TILEWRIGHT_MT_ip_adapters(_OfLibrary, bpy.types.Menu):
    """IP-Adapters in the library of models"""

    bl_label = "IP-Adapters"
    roles = (Role.IP_ADAPTER,)


class TILEWRIGHT_MT_image_encoders(_OfLibrary, bpy.types.Menu):
    """Image encoders in the library of models"""

    bl_label = "Image Encoders"
    roles = (Role.IMAGE_ENCODER,)


CLASSES = (
    TILEWRIGHT_OT_pick_file,
    TILEWRIGHT_MT_loras,
    TILEWRIGHT_MT_controlnets,
    TILEWRIGHT_MT_vaes,
    TILEWRIGHT_MT_ip_adapters,
    TILEWRIGHT_MT_image_encoders,
)
