"""The classes of a picture's pixels: made of a network's logits, written and drawn."""

import io
from collections.abc import Sequence

import numpy as np

from input_pipeline import array_ops
from mobilenet.reports import colours

_BACKGROUND = ('background', '_background_', 'bg', '0')
NOWHERE = 255  # of a pixel that the network did not see, or that does not count


def on_picture(
  logits: np.ndarray,
  window: tuple[float, float, float, float],
  shape: tuple[int, ...],
) -> np.ndarray:
  """The class of each pixel of a picture, uint8 (H, W), or NOWHERE.

  Args:
    logits: (h, w, K), of what the network saw.
    window: (y, x, height, width) in pixels of the picture, the part that it saw; it may
      reach beyond (see `photos.seen_window`).
    shape: (H, W, ...) of the picture.
  """
  y, x, height, width = (round(side) for side in window)
  enlarged = array_ops.resize_to(np.asarray(logits, np.float32), (height, width))
  labels = enlarged.argmax(axis=-1).astype(np.uint8)
  whole = np.full(shape[:2], NOWHERE, np.uint8)
  top, left = max(y, 0), max(x, 0)
  bottom, right = min(y + height, shape[0]), min(x + width, shape[1])
  whole[top:bottom, left:right] = labels[top - y : bottom - y, left - x : right - x]
  return whole


def over(
  picture: np.ndarray,
  labels: np.ndarray,
  strength: float = 0.55,
  plain: int | None = None,
) -> np.ndarray:
  """A picture in the colours of its classes, uint8 (H, W, 3).

  Args:
    picture: uint8 (H, W, 3).
    labels: (H, W) class numbers; where it is NOWHERE the picture is grey.
    strength: of the colours, 0 to 1.
    plain: a class that keeps the picture's own colours, the background; None for none.
  """
  known = labels != NOWHERE
  palette = colours.of_classes(int(labels[known].max(initial=0)) + 1)
  tinted = palette[np.where(known, labels, 0)].astype(np.float32)
  grey = np.repeat(picture.mean(axis=-1, keepdims=True), 3, axis=-1)
  tinted = np.where(known[..., None], tinted, 128.0)
  drawn = np.rint((1 - strength) * grey + strength * tinted).astype(np.uint8)
  return (
    drawn if plain is None else np.where((labels == plain)[..., None], picture, drawn)
  )


def background(names: Sequence[str]) -> int | None:
  """The class that pictures are drawn without; None where none is called so."""
  known = [n for n, name in enumerate(names) if str(name).lower() in _BACKGROUND]
  return known[0] if known else None


def coloured(labels: np.ndarray) -> bytes:
  """A label map as PNG bytes: grey values are classes, seen through a palette.

  Annotation tools and `--config.data.name=masks` read the class numbers.
  """
  from PIL import Image

  image = Image.fromarray(np.asarray(labels, np.uint8), 'P')
  palette = colours.of_classes(256)
  palette[NOWHERE] = 224
  image.putpalette(palette.tobytes())
  data = io.BytesIO()
  image.save(data, format='PNG', optimize=True)
  return data.getvalue()
