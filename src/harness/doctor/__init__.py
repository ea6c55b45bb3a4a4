"""`harness doctor`: whether the main job would run here, and for every problem what mends it."""
