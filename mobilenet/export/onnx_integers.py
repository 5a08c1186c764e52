"""Integers in an ONNX graph: QuantizeLinear and DequantizeLinear around each value.

Runtimes fuse the pairs into operators of integers; elsewhere they round as the network
was told to. Bytes are signed for kernels and values alike, as in TFLite.
"""

import numpy as np

from mobilenet.export import fake_quantisation
from mobilenet.export.fake_quantisation import Scale
from mobilenet.export.onnx_layouts import Writing
from mobilenet.export.quantised import LAYERS, Quantised

BYTES, ROUNDED = '/bytes', '/rounded'  # behind the name of a value


def round_value(value: str, scale: Scale, to: Writing) -> None:
  """Lets all that follows take a value rounded."""
  ((where, name),) = to.lying[value].items()
  given = [
    to.array(f'{value}/scale', np.float32(scale.scale)),
    to.array(f'{value}/zero_point', np.int8(scale.zero_point)),
  ]
  stored = to.node('QuantizeLinear', [name, *given], name + BYTES)
  to.lying[value] = {
    where: to.node('DequantizeLinear', [stored, *given], name + ROUNDED)
  }


def constants(
  quantised: Quantised, arrays: dict[str, np.ndarray]
) -> tuple[list, dict[str, np.ndarray]]:
  """Constants as integers: the nodes that make floats of them, and what is stored.

  Args:
    quantised: whose constants these are.
    arrays: in ONNX's layout; others than its constants stay as they are.
  """
  nodes, stored = [], dict(arrays)

  def store(name: str, scale: np.ndarray, steps: np.ndarray, zero_point, axis):
    del stored[name]
    given = [name + BYTES, f'{name}/scale', f'{name}/zero_point']
    stored.update(zip(given, (steps, np.float32(scale), zero_point), strict=True))
    how = {} if axis is None else {'axis': axis}
    nodes.append(('DequantizeLinear', given, [name], how))

  kernels = quantised.constant_scales()
  for name, scale in kernels.items():
    array = arrays[name]
    # Output channels are last here; of a convolution they are first there.
    axis = None if scale.axis is None else (0 if array.ndim == 4 else array.ndim - 1)
    shape = () if axis is None else [-1 if n == axis else 1 for n in range(array.ndim)]
    zero_point = scale.zero_point.astype(np.int8)
    steps = np.round(array / scale.scale.reshape(shape)) + zero_point.reshape(shape)
    lowest = fake_quantisation.LOWEST + scale.narrow
    steps = np.clip(steps, lowest, fake_quantisation.HIGHEST).astype(np.int8)
    store(name, scale.scale, steps, zero_point, axis)
  for name, scale in _biases(quantised, kernels).items():
    limits = np.iinfo(np.int32)
    steps = np.clip(np.round(arrays[name] / scale), limits.min, limits.max)
    zero_point = np.zeros(scale.shape, np.int32)
    store(name, scale, steps.astype(np.int32), zero_point, 0 if scale.ndim else None)
  return nodes, stored


def _biases(quantised: Quantised, kernels: dict[str, Scale]) -> dict[str, np.ndarray]:
  """The scale of each bias: that of its layer's products, which it is added to."""
  found, scales = {}, quantised.scales()
  for node in quantised.graph.nodes:
    if node.op in LAYERS and len(node.inputs) == 3 and node.name in scales:
      given, kernel, bias = node.inputs
      if given in scales and kernel in kernels:
        found[bias] = scales[given].scale * kernels[kernel].scale
  return found
