"""What each op of a graph computes, in JAX: images are NHWC, kernels HWIO and (I, O).

An op's function takes its attributes, the lowering of convolutions, and its inputs; the
first axis of those that are no constants is the batch, of any size.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mobilenet.models import convolution, embedders, segmenters
from mobilenet.models.activations import ACTIVATIONS, hard_sigmoid

# What a convolution, a dense layer or a sum can have inside: integer kernels clip, and
# do nothing else, to what they write. All other activations are nodes of their own.
FUSED = ('linear', 'relu', 'relu6')
# Ops of one input that give each value another, whatever stands beside it.
POINTWISE = {
  **{act: ACTIVATIONS[act] for act in ('relu', 'relu6', 'hard_swish', 'gelu')},
  'hard_sigmoid': hard_sigmoid,
  'sigmoid': jax.nn.sigmoid,
  'exp': jnp.exp,
}


def _conv(how, lowering, x, kernel, bias=None):
  return convolution.conv(
    x,
    kernel,
    stride=how['stride'],
    padding=how['padding'],
    dilation=how['dilation'],
    groups=how['groups'],
    bias=bias,
    act=how['act'],
    lowering=lowering,
  )


def _dense(how, lowering, x, kernel, bias=None):
  y = x @ kernel
  return ACTIVATIONS[how['act']](y if bias is None else y + bias)


def _add(how, lowering, a, b):
  return ACTIVATIONS[how['act']](a + b)


def _mean(how, lowering, x):
  return jnp.mean(x, axis=(1, 2), keepdims=how['keep'])


def _window(how: dict[str, Any]) -> tuple:
  return (
    (1, *how['kernel'], 1),
    (1, *how['stride'], 1),
    ((0, 0), *how['padding'], (0, 0)),
  )


def _max_pool(how, lowering, x):
  return lax.reduce_window(x, -jnp.inf, lax.max, *_window(how))


def _average_pool(how, lowering, x):
  total = lax.reduce_window(x, 0.0, lax.add, *_window(how))
  return total / window_counts(how, x.shape[1:3])


def window_counts(how: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
  """How many pixels of a map (H, W) each window of a pool covers: (1, H', W', 1)."""
  axes = []
  for n, kernel, stride, pad in zip(
    size, how['kernel'], how['stride'], how['padding'], strict=True
  ):
    begin = np.arange(-pad[0], n + pad[1] - kernel + 1, stride)
    axes.append(np.minimum(begin + kernel, n) - np.maximum(begin, 0))
  return np.outer(*axes)[None, :, :, None].astype(np.float32)


def _local_norm(how, lowering, x):
  half, channels = how['size'] // 2, x.shape[-1]
  border = [(0, 0)] * (x.ndim - 1) + [(half, how['size'] - 1 - half)]
  squares = jnp.pad(jnp.square(x), border)
  total = sum(squares[..., n : n + channels] for n in range(how['size']))
  return x * (how['k'] + how['alpha'] * total) ** -how['beta']


def _resize(how, lowering, x):
  def function(x, **_):
    return segmenters.resize(x, how['size'])

  if lowering != 'native':
    return function(x)
  # Marked so that the TFLite converter makes its own operator of it.
  marked = lax.composite(function, 'odml.upsample_bilinear2d')
  size = np.array(how['size'], np.int64)
  return marked(x, size=size, align_corners=False, is_nchw_op=False)


def _argmax(how, lowering, x):
  return jnp.argmax(x, axis=-1).astype(jnp.int32)


def _limit(how, lowering, x):
  return jnp.minimum(x, how['highest'])


def _slice(how, lowering, x):
  return lax.slice_in_dim(x, how['start'], how['stop'], axis=how['axis'])


def _reshape(how, lowering, x):
  return x.reshape(x.shape[0], *how['shape'][1:])


def _shuffle(how, lowering, x):
  groups, channels = how['groups'], x.shape[-1]
  parts = x.reshape(*x.shape[:-1], groups, channels // groups)
  return jnp.swapaxes(parts, -1, -2).reshape(x.shape)


def _prelu(how, lowering, x, slope):
  return jnp.maximum(x, 0) + slope * jnp.minimum(x, 0)


def _matmul(how, lowering, a, b):
  return jnp.matmul(a, jnp.swapaxes(b, -1, -2) if how['transposed'] else b)


OPS: dict[str, Callable[..., jax.Array]] = {
  # (x, kernel HWIO, bias or none); stride, padding ((top, bottom), (left, right)),
  # dilation, groups, act (of FUSED)
  'conv': _conv,
  # (x (N, I), kernel (I, O), bias or none); act
  'dense': _dense,
  'add': _add,  # act
  'mul': lambda how, lowering, a, b: a * b,
  **{name: lambda how, lowering, x, act=act: act(x) for name, act in POINTWISE.items()},
  'mean': _mean,  # over height and width; keep: whether as sizes of 1
  'max_pool': _max_pool,  # kernel, stride (of two sizes), padding
  'average_pool': _average_pool,  # the same; padded pixels do not count
  'resize': _resize,  # size (H, W): bilinear, half-pixel centres, not antialiased
  'argmax': _argmax,  # of channels, int32
  'limit': _limit,  # highest: what is above becomes that
  'local_norm': _local_norm,  # size, alpha, beta, k: see alexnet.LocalNorm
  'concat': lambda how, lowering, *xs: jnp.concatenate(xs, axis=how['axis']),
  'slice': _slice,  # axis, start, stop
  'reshape': _reshape,  # shape, of one image
  'transpose': lambda how, lowering, x: jnp.transpose(x, how['axes']),
  'shuffle': _shuffle,  # groups: channel (g, i) of groups x C/g moves to (i, g)
  'prelu': _prelu,  # (x, slope (C,))
  'unit': lambda how, lowering, x: embedders.unit(x),
  'softmax': lambda how, lowering, x: jax.nn.softmax(x, axis=-1),
  'matmul': _matmul,  # transposed: whether the last two axes of the second are
  'einsum': lambda how, lowering, *xs: jnp.einsum(how['formula'], *xs),  # formula
}
