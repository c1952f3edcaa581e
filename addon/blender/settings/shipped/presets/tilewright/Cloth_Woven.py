import bpy

settings = bpy.context.scene.tilewright

settings.prompt = "beige"
settings.template = "{prompt} woven fabric"
settings.negative_prompt = ""
settings.tiling = "XY"
settings.steps = 0
settings.guidance_scale = 0.0
