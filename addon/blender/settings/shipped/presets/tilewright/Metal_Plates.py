import bpy

settings = bpy.context.scene.tilewright

settings.prompt = "dark grey"
settings.template = "{prompt} metal plates"
settings.negative_prompt = ""
settings.tiling = "XY"
settings.steps = 0
settings.guidance_scale = 0.0
