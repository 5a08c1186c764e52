"""An optional accelerator for CPUs: XLA custom calls compiled from `source/`.

Nothing here is needed: without it the same numbers come from XLA alone, more slowly.
It is built on request, `python -m mobilenet.models.accelerator`, and then used by the
lowering `compiled`, which `auto` stands for on a CPU where it is built.
"""
