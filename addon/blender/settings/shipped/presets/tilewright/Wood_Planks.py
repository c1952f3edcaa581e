import bpy

settings = bpy.context.scene.tilewright

settings.prompt = "old brown"
settings.template = "{prompt} wooden planks"
settings.negative_prompt = ""
settings.tiling = "XY"
settings.steps = 0
settings.guidance_scale = 0.0
