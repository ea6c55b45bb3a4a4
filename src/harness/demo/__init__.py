"""`harness demo`: the main job with no key and no network, on the repository in `repo/`, led by `script.toml`."""
