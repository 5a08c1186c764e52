"""Which versions of the compared packages are installed."""

import contextlib
import importlib.metadata

NAMES = (
  *('jax', 'flax', 'torch', 'torchvision', 'timm', 'keras', 'tensorflow-cpu'),
  *('onnx', 'onnxscript', 'tf2onnx'),
)


def versions() -> str:
  """'jax 0.10.2, flax 0.12.8, ...'."""
  known = []
  for name in NAMES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      known.append(f'{name} {importlib.metadata.version(name)}')
  return ', '.join(known)
