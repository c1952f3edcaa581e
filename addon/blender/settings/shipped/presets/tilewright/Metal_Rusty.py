import bpy

settings = bpy.context.scene.tilewright

settings.prompt = "grey"
settings.template = "rusty {prompt} metal"
settings.negative_prompt = ""
settings.tiling = "XY"
settings.steps = 0
settings.guidance_scale = 0.0
