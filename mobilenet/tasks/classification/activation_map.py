"""Where in a photo a network sees a class: Grad-CAM (1610.02391).

heat = activation_maps(model, variables, images, classes)[0]
window = photos.seen_window(photo.shape, ops)
activation_picture(path, photo, window, heat, 'tabby, 87.3 %')
"""

import functools
import io
import os
import pathlib
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline import array_ops
from mobilenet.reports import canvas, terminal
from mobilenet.training import files

LARGEST = 4000  # px

_COLOURS = 'turbo'
_OPAQUE = 0.55


def activation_maps(
  model: nn.Module, variables, images, classes, compute: Callable | None = None
) -> np.ndarray:
  """Grad-CAM at the last feature map of a `mobilenet.models.classifier.Classifier`.

  Each channel of the map is weighted by the gradient of the class's logit, averaged
  over the map; negative values are cut off. For a head that is linear in
  the averaged map this is the Class Activation Map (1512.04150) up to a factor.

  Args:
    model: the classifier, with any head.
    variables: of the model.
    images: (N, H, W, 3), prepared for the model.
    classes: (N,) whole numbers, the class asked about in each image.
    compute: `heat_of` the model or its program; None compiles it.

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
  compute = compute or heat_of(model)
  heat = np.asarray(compute(variables, jnp.asarray(images), classes))
  largest = heat.max(axis=(1, 2), keepdims=True)
  return heat / np.where(largest > 0, largest, 1)


@functools.cache
def heat_of(model: nn.Module) -> Callable:
  """The jitted (variables, images, classes) -> heat, not brought to 1."""
  return jax.jit(functools.partial(_heat, model))


def _heat(model, variables, images, classes):
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


def on_one_device(variables):
  """Variables on one device of this process, to compute pictures with.

  Other devices and processes have no part in that.
  """
  return jax.device_put(jax.tree.map(np.asarray, variables), jax.local_devices()[0])


def heat_over(photo: np.ndarray, window, heat: np.ndarray) -> np.ndarray:
  """A photo with the heat over the part that the network saw, uint8 (H, W, 3).

  Args:
    photo: uint8 (H, W, 3).
    window: the part (y, x, height, width), in pixels of the photo.
    heat: (h, w) from 0 (blue) to 1 (red).
  """
  from matplotlib import colormaps
  from PIL import Image

  y, x, height, width = window
  rows, columns = (
    slice(max(0, round(first)), max(round(first) + 1, round(first + length)))
    for first, length in ((y, height), (x, width))
  )
  part = photo[rows, columns]
  grid = Image.fromarray(np.clip(np.asarray(heat, np.float32), 0, 1))
  grid = grid.resize(part.shape[1::-1], Image.Resampling.BICUBIC)
  # A table of 256 colours: floats of a camera's photo would take gigabytes.
  table = np.rint(255 * colormaps[_COLOURS](np.arange(256))[:, :3]).astype(np.uint16)
  colours = table[np.rint(np.clip(grid, 0, 1) * np.float32(255)).astype(np.uint8)]
  over = photo.copy()
  share = round(256 * _OPAQUE)
  over[rows, columns] = (share * colours + (256 - share) * part.astype(np.uint16)) >> 8
  return over


def write_own_size(
  path: str | os.PathLike, photo: np.ndarray, window, heat
) -> pathlib.Path:
  """Writes `heat_over` of a whole photo as JPEG, at most LARGEST pixels a side.

  Raises:
    TrainingError: the picture cannot be written.
  """
  from PIL import Image

  small = no_larger(photo, LARGEST)
  factor = small.shape[0] / photo.shape[0], small.shape[1] / photo.shape[1]
  data = io.BytesIO()
  picture = heat_over(small, np.array(window) * (*factor, *factor), heat)
  Image.fromarray(picture).save(data, format='JPEG', quality=90)
  return files.replace_file(path, data.getvalue())


def activation_picture(
  path: str | os.PathLike, photo, window, heat, title: str
) -> pathlib.Path:
  """Writes `draw_activation` as PNG.

  Raises:
    TrainingError: the picture cannot be written.
  """
  return canvas.save_png(draw_activation(photo, window, heat, title), path)


def no_larger(photo: np.ndarray, side: int) -> np.ndarray:
  """A photo, uint8 (H, W, 3), shrunk to at most `side` pixels on its longer side."""
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
  figure = canvas.new_figure(2 * each + 1.2, each * ratio + 0.55)
  drawn = no_larger(photo, 1200)  # matplotlib needs seconds for a camera's photo
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
  shown = right.imshow(
    shade,
    cmap=_COLOURS,
    vmin=0,
    vmax=1,
    alpha=_OPAQUE,
    interpolation='bicubic',
    extent=(x, x + width, y + height, y),
  )
  # The heat has moved the limits to its own part of the photo.
  right.set(xlim=(0, columns), ylim=(rows, 0))
  bar = figure.colorbar(shown, ax=right, fraction=0.045, pad=0.03, ticks=[0, 1])
  bar.ax.set_yticklabels(['low', 'high'], fontsize=8)
  bar.set_label('evidence for the class', fontsize=8, labelpad=-12)
  bar.outline.set_visible(False)
  title = terminal.shorten(title, int(12 * figure.get_figwidth()))
  figure.suptitle(title, x=0.02, ha='left', fontsize=10, parse_math=False)
  return figure
