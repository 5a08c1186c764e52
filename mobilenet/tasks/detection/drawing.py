"""Boxes drawn on pictures."""

from collections.abc import Sequence

import numpy as np

from mobilenet.reports import colours

SIDE = 640  # px of a drawn picture's longer side, at most


def draw(
  picture: np.ndarray,
  boxes: np.ndarray,
  classes: Sequence[int],
  labels: Sequence[str] = (),
) -> np.ndarray:
  """A picture with boxes of their classes' colours, uint8 (H, W, 3).

  Args:
    picture: uint8 (H, W, 3); it is not changed.
    boxes: (n, 4), shares, see `models.boxes`; later ones are drawn below earlier ones.
    classes: n class numbers, for the colours.
    labels: n lines that stand at the boxes; () for none.
  """
  from PIL import Image, ImageDraw, ImageFont

  image = Image.fromarray(np.ascontiguousarray(picture))
  pen = ImageDraw.Draw(image)
  width = max(2, round(max(image.size) / 240))
  font = ImageFont.load_default(size=max(11, round(max(image.size) / 42)))
  for n in reversed(range(len(boxes))):
    top, left, bottom, right = _corners(boxes[n], image.size)
    colour = colours.of_class(int(classes[n]))
    pen.rectangle((left, top, right, bottom), outline=colour, width=width)
    if labels:
      _write(pen, font, labels[n], (left, top), colour)
  return np.asarray(image)


def _corners(box, size) -> tuple[int, int, int, int]:
  last_x, last_y = (side - 1 for side in size)
  scale = np.array([last_y, last_x, last_y, last_x])
  return tuple(np.rint(np.clip(box, 0, 1) * scale).astype(int).tolist())


def _write(pen, font, label: str, corner: tuple[int, int], colour) -> None:
  """A label on a bar of the colour, above the corner, or below where it has no room."""
  label = label.encode('latin-1', 'replace').decode('latin-1')  # what the font has
  left, _, right, height = pen.textbbox((0, 0), label, font=font)
  x, y = corner
  y = y - height - 2 if y >= height + 2 else y
  pen.rectangle((x, y, x + right - left + 4, y + height + 2), fill=colour)
  dark = sum(colour) > 380
  pen.text((x + 2, y), label, fill=(0, 0, 0) if dark else (255, 255, 255), font=font)
