"""Where in a photo a network sees a class: Grad-CAM (1610.02391).

heat = activation_maps(model, variables, images, classes)[0]
window = photos.seen_window(photo.shape, ops)
activation_picture(path, photo, window, heat, 'tabby, 87.3 %')
"""

import functools
import os
import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline import array_ops
from mobilenet.reports import canvas, terminal


def activation_maps(model: nn.Module, variables, images, classes) -> np.ndarray:
  """Grad-CAM at the last feature map of a `mobilenet.models.classifier.Classifier`.

  Each channel of the map is weighted by the gradient of the class's logit, averaged
  over the map; negative values are cut off. For a head that is linear in
  the averaged map this is the Class Activation Map (1512.04150) up to a factor.

  Args:
    model: the classifier, with any head.
    variables: of the model.
    images: (N, H, W, 3), prepared for the model.
    classes: (N,) whole numbers, the class asked about in each image.

  Returns:
    float32 (N, h, w) of the size of the last feature map; the largest value of each
    image is 1, or all are 0 if nothing speaks for the class.

  Raises:
    ValueError: not one class per image, or a class that the model does not have.
  """
  classes = np.asarray(classes, np.int32)
  if classes.shape != (len(images),):
    raise ValueError(f'one class for each of {len(images)} images, not {classes.shape}')
  for label in classes[(classes < 0) | (classes >= model.num_classes)]:
    raise ValueError(f'class {label} is not one of {model.num_classes}')
  heat = np.asarray(_maps(model, variables, jnp.asarray(images), classes))
  largest = heat.max(axis=(1, 2), keepdims=True)
  return heat / np.where(largest > 0, largest, 1)


@functools.partial(jax.jit, static_argnums=0)
def _maps(model, variables, images, classes):
  features, _ = model.apply(variables, images, method='features')
  features = features.astype(jnp.float32)

  def scores(features):
    logits = model.apply(
      variables,
      features.astype(model.network.style.dtype),
      method=lambda module, x: module.head(x, train=False),
    )
    # Images are independent: the gradient of the sum holds that of each.
    return jnp.take_along_axis(logits, classes[:, None], axis=1).sum()

  weights = jax.grad(scores)(features).mean(axis=(1, 2))
  return nn.relu(jnp.einsum('nhwc,nc->nhw', features, weights))


def activation_picture(
  path: str | os.PathLike, photo, window, heat, title: str
) -> pathlib.Path:
  """Writes `draw_activation` as PNG.

  Raises:
    TrainingError: the picture cannot be written.
  """
  return canvas.save_png(draw_activation(photo, window, heat, title), path)


def _no_larger(photo: np.ndarray, side: int) -> np.ndarray:
  """Shrunk to at most `side` pixels: matplotlib needs seconds for a camera's photo."""
  if max(photo.shape[:2]) <= side:
    return photo
  factor = side / max(photo.shape[:2])
  shape = tuple(max(1, round(factor * length)) for length in photo.shape[:2])
  return np.rint(array_ops.resize_to(photo, shape, 'area')).astype(np.uint8)


def draw_activation(photo, window, heat, title: str):
  """A Figure of a photo, once with a frame around what the network saw, once with heat.

  Args:
    photo: uint8 (H, W, 3), whole, as it was read.
    window: the part (y, x, height, width) that the network saw, in pixels of the photo;
      see `input_pipeline.photos.seen_window`.
    heat: (h, w) from 0 to 1.
    title: the class and its probability.
  """
  from matplotlib.patches import Rectangle

  photo = np.asarray(photo)
  rows, columns = photo.shape[:2]
  y, x, height, width = window
  ratio = min(max(rows / columns, 0.4), 2.5)
  each = 3.6 if ratio <= 1 else 3.6 / ratio
  figure = canvas.new_figure(2 * each + 0.5, each * ratio + 0.55)
  drawn = _no_larger(photo, 1200)
  for axes in (axes_pair := figure.subplots(1, 2)):
    # Edges, not centres, of pixels are at whole numbers.
    axes.imshow(drawn, extent=(0, columns, rows, 0))
    axes.set_axis_off()
  left, right = axes_pair
  if (y, x, height, width) != (0, 0, rows, columns):
    # White on black is visible on any photo.
    for colour, line in (('black', 2.4), ('white', 1.2)):
      left.add_patch(
        Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=line)
      )
  shade = np.clip(np.asarray(heat, np.float32), 0, 1)
  right.imshow(
    shade,
    cmap='turbo',
    vmin=0,
    vmax=1,
    alpha=0.55,
    interpolation='bicubic',
    extent=(x, x + width, y + height, y),
  )
  # The heat has moved the limits to its own part of the photo.
  right.set(xlim=(0, columns), ylim=(rows, 0))
  title = terminal.shorten(title, int(12 * figure.get_figwidth()))
  figure.suptitle(title, x=0.02, ha='left', fontsize=10, parse_math=False)
  return figure
