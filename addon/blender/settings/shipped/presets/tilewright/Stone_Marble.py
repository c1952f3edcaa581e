import bpy

settings = bpy.context.scene.tilewright

settings.prompt = "white"
settings.template = "{prompt} marble"
settings.negative_prompt = ""
settings.tiling = "XY"
settings.steps = 0
settings.guidance_scale = 0.0
