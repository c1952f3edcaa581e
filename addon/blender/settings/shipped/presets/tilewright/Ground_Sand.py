import bpy

settings = bpy.context.scene.tilewright

settings.prompt = "yellow"
settings.template = "{prompt} sand dunes"
settings.negative_prompt = ""
settings.tiling = "XY"
settings.steps = 0
settings.guidance_scale = 0.0
