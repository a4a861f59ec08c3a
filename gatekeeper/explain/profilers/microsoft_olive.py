"""What Olive makes of an ONNX model runs in ONNX Runtime, and is profiled by it."""

from __future__ import annotations

from gatekeeper.explain.profilers.onnx_runtime import profile

__all__ = ["DESCRIPTION", "profile"]

DESCRIPTION = "ONNX Runtime's profiler, as it runs what Olive makes."
