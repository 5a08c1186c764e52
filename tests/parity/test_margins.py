"""Margin losses and their gradients are those of PyTorch, by the papers' formulas."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.models.embedders import unit
from mobilenet.tasks.embeddings import margins
from tests.parity import frameworks

pytestmark = pytest.mark.parity

BATCH, SIZE, CLASSES = 32, 24, 11
SCALE = 64.0
TOLERANCE = 1e-5  # of the largest


def arcface(torch, cosines, own):
  """1801.07698, equation 3, by the angle itself; its last line is the authors' code."""
  angles = torch.acos(cosines.clamp(-1 + margins.EPSILON, 1 - margins.EPSILON))
  moved = torch.cos(angles + 0.5)
  beyond = cosines - 0.5 * math.sin(0.5)
  moved = torch.where(angles + 0.5 > math.pi, beyond, moved)
  return torch.where(own, moved, cosines)


def cosface(torch, cosines, own):
  """1801.09414, equation 4."""
  return cosines - 0.4 * own


FORMULAS = {'arcface': arcface, 'cosface': cosface}


@pytest.mark.parametrize('name', FORMULAS)
def test_loss_and_gradients(name):
  torch = pytest.importorskip('torch', reason=frameworks.LINE)
  rng = np.random.default_rng(0)
  shapes = ((BATCH, SIZE), (SIZE, CLASSES))
  embedding, kernel = (rng.standard_normal(shape) for shape in shapes)
  labels = rng.integers(0, CLASSES, BATCH)
  # Near to its class, and so far that angle and margin are more than pi.
  embedding[0] = kernel[:, labels[0]] + 0.01 * rng.standard_normal(SIZE)
  embedding[1] = -kernel[:, labels[1]] + 0.1 * rng.standard_normal(SIZE)

  def ours(embedding, kernel):
    cosines = jnp.matmul(unit(embedding), unit(kernel, axis=0), precision='highest')
    return margins.LOSSES[name](cosines, labels).mean()

  found = jax.value_and_grad(ours, argnums=(0, 1))(
    *(jnp.asarray(array, jnp.float32) for array in (embedding, kernel))
  )
  x, w = (torch.tensor(a, requires_grad=True) for a in (embedding, kernel))
  normalize = torch.nn.functional.normalize
  own = torch.nn.functional.one_hot(torch.tensor(labels), CLASSES).bool()
  moved = FORMULAS[name](torch, normalize(x) @ normalize(w, dim=0), own)
  loss = torch.nn.functional.cross_entropy(SCALE * moved, torch.tensor(labels))
  loss.backward()
  wanted = loss.detach().numpy(), (x.grad.numpy(), w.grad.numpy())
  for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
    np.testing.assert_allclose(one, other, atol=TOLERANCE * np.abs(other).max())
