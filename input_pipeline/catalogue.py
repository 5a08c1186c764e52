"""Every op of the op strings: its arguments, their defaults and their ranges.

A function here is called with the arguments of the op string, checks them and returns
them all by name; what the op does to an image is in `image_ops` (and, for batch ops,
in `mixing`). This module imports no TensorFlow: a mistake in a config is found before
anything slow starts.

Images are (height, width, 3) and stay on the scale 0..255 until `value_range` or
`normalize`, which come last.
"""

from input_pipeline.errors import DataError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# What comes from outside of an image on a larger canvas: its mean, 0..255.
MEAN_PIXEL = tuple(round(255 * share) for share in IMAGENET_MEAN)
UNCOUNTED = 255  # the value of a mask where nothing counts

RESIZE_METHODS = ('bilinear', 'bicubic', 'nearest', 'area')
ERASE_FILLS = ('noise', 'black', 'grey', 'mean')
# The names of the RandAugment paper (https://arxiv.org/abs/1909.13719).
TRANSFORMS = (
  'AutoContrast',
  'Equalize',
  'Invert',
  'Rotate',
  'Posterize',
  'Solarize',
  'Color',
  'Contrast',
  'Brightness',
  'Sharpness',
  'ShearX',
  'ShearY',
  'TranslateX',
  'TranslateY',
  'Cutout',
  'SolarizeAdd',
)


def _number(name, value, low=None, high=None):
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    raise DataError(f'{name}={value!r} must be a number')
  if (low is not None and value < low) or (high is not None and value > high):
    limits = f'at least {low}' if high is None else f'from {low} to {high}'
    raise DataError(f'{name}={value!r} must be {limits}')


def _whole(name, value, low):
  if isinstance(value, bool) or not isinstance(value, int) or value < low:
    raise DataError(f'{name}={value!r} must be a whole number, at least {low}')


def _pair(name, value, low, high=None):
  if not isinstance(value, (tuple, list)) or len(value) != 2:
    raise DataError(f'{name}={value!r} must be a pair (lowest, highest)')
  for part in value:
    _number(name, part, low, high)
  if value[0] > value[1]:
    raise DataError(f'{name}={value!r} must be (lowest, highest), in this order')


def _choice(name, value, choices):
  if value not in choices:
    raise DataError(f'{name}={value!r} must be one of {", ".join(map(repr, choices))}')


def _channels(name, value):
  if not isinstance(value, (tuple, list)) or len(value) != 3:
    raise DataError(f'{name}={value!r} must have three numbers, one per channel')
  for part in value:
    _number(name, part)


def inception_crop(size, area=(0.08, 1.0), aspect=(0.75, 4 / 3), antialias=False):
  """Random part of the image (share of the area, width / height), to size x size.

  https://arxiv.org/abs/1409.4842, section 6. As the first op of a string it is fused
  with JPEG decoding: only the part is decoded.
  """
  _whole('size', size, 1)
  _pair('area', area, 0.0001, 1)
  _pair('aspect', aspect, 0.01)
  return {'size': size, 'area': area, 'aspect': aspect, 'antialias': bool(antialias)}


def random_crop(size, pad=0):
  """A random size x size part after `pad` black pixels were added on every side."""
  _whole('size', size, 1)
  _whole('pad', pad, 0)
  return {'size': size, 'pad': pad}


def central_crop(size):
  """The central size x size pixels; the image must be at least that large.

  Where it would begin at half a pixel, it begins at the even one of the two, as in
  torchvision and timm.
  """
  _whole('size', size, 1)
  return {'size': size}


def central_fraction(fraction):
  """The central part, `fraction` of height and width (0.875 in slim's evaluation)."""
  _number('fraction', fraction, 0.01, 1)
  return {'fraction': fraction}


def central_square(fraction=1.0):
  """The central square, as wide as `fraction` of the short side (Keras's smart_resize).

  TensorFlow's Model Garden evaluates with 0.875.
  """
  return central_fraction(fraction)


def resize(size, method='bilinear', antialias=False, half_pixel_centers=True):
  """To size x size whatever the aspect ratio was.

  `antialias` widens the filter when the image shrinks, as PIL does; without it every
  output pixel is interpolated from its nearest neighbours, as TF's models were trained.
  Pixels are sampled at their centres; TensorFlow 1 sampled at their upper left corners:
  that is `half_pixel_centers=False`, of 'bilinear' without `antialias` only.
  """
  _whole('size', size, 1)
  _choice('method', method, RESIZE_METHODS)
  if not half_pixel_centers and (method != 'bilinear' or antialias):
    raise DataError(
      "half_pixel_centers=False is how TensorFlow 1 resized: 'bilinear', no antialias"
    )
  return {
    'size': size,
    'method': method,
    'antialias': bool(antialias),
    'half_pixel_centers': bool(half_pixel_centers),
  }


def resize_small(size, method='bilinear', antialias=False):
  """The short side to `size`, the aspect ratio kept; arguments as `resize`.

  The long side is rounded down, as torchvision and timm round it.
  """
  _whole('size', size, 1)
  _choice('method', method, RESIZE_METHODS)
  return {'size': size, 'method': method, 'antialias': bool(antialias)}


def flip(prob=0.5):
  """Mirror left and right with this probability."""
  _number('prob', prob, 0, 1)
  return {'prob': prob}


def turn():
  """One of the eight ways to turn and mirror a square, each as likely.

  For pictures without an up or down, such as those of a microscope or from the air.
  """
  return {}


def color(brightness=32 / 255, saturation=(0.5, 1.5), contrast=(1.0, 1.0), hue=0.0):
  """Inception's colour distortion; the defaults are slim's fast mode.

  Brightness is added (share of the full scale), saturation and contrast are factors,
  hue is a share of the colour circle. The order is drawn: as named, or reversed.
  """
  _number('brightness', brightness, 0, 1)
  _pair('saturation', saturation, 0)
  _pair('contrast', contrast, 0)
  _number('hue', hue, 0, 0.5)
  return {
    'brightness': brightness,
    'saturation': saturation,
    'contrast': contrast,
    'hue': hue,
  }


def randaug(layers, magnitude, prob=1.0, std=0.0, exclude=('Cutout',)):
  """RandAugment: `layers` transforms in turn, drawn anew for every image.

  `magnitude` is on the scale 0..10, with normal noise of `std`; up to 20 the ranges go
  on, as MobileNetV4's 15 wants. Each layer is applied with probability `prob`.
  https://arxiv.org/abs/1909.13719
  """
  _whole('layers', layers, 1)
  if layers > 16:
    raise DataError(f'layers={layers} must be at most 16')
  _number('magnitude', magnitude, 0, 20)
  _number('prob', prob, 0, 1)
  _number('std', std, 0)
  exclude = (exclude,) if isinstance(exclude, str) else tuple(exclude)
  for name in exclude:
    _choice('exclude', name, TRANSFORMS)
  if len(set(exclude)) == len(TRANSFORMS):
    raise DataError('exclude leaves no transform')
  return {
    'layers': layers,
    'magnitude': magnitude,
    'prob': prob,
    'std': std,
    'exclude': exclude,
  }


def autoaug(policy='v0'):
  """AutoAugment with the ImageNet policy of the EfficientNet recipes ('v0')."""
  _choice('policy', policy, ('v0',))
  return {'policy': policy}


def trivialaug():
  """TrivialAugment, wide: one transform for every image, drawn with its strength.

  Of 14 transforms, of which one changes nothing, each is as likely, and so is each of
  31 strengths and, where it has one, the sign. What comes from outside is black.
  https://arxiv.org/abs/2103.10158, with the ranges of torchvision's TrivialAugmentWide.
  """
  return {}


def erase(prob, area=(0.02, 1 / 3), aspect=(0.3, 10 / 3), fill='noise'):
  """Random erasing of a rectangle (share of the area, width / height).

  'noise' is uniform in every pixel, the paper's best; 'mean' is ImageNet's mean colour,
  which torchvision erases with: 0 after its normalisation. https://arxiv.org/abs/1708.04896
  """
  _number('prob', prob, 0, 1)
  _pair('area', area, 0, 1)
  _pair('aspect', aspect, 0.01)
  _choice('fill', fill, ERASE_FILLS)
  return {'prob': prob, 'area': area, 'aspect': aspect, 'fill': fill}


def rotate(degrees, fill=0):
  """Turn about the centre by an angle drawn from -degrees..degrees (bilinear)."""
  _number('degrees', degrees, 0, 180)
  _number('fill', fill, 0, 255)
  return {'degrees': degrees, 'fill': fill}


def shift(pixels, fill=0):
  """Move by whole pixels drawn from -pixels..pixels, down and right."""
  _whole('pixels', pixels, 0)
  _number('fill', fill, 0, 255)
  return {'pixels': pixels, 'fill': fill}


def ssd_crop(
  covered=(0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
  area=(0.1, 1.0),
  aspect=(0.5, 2.0),
  whole=0.15,
):
  """A part that holds at least a share of some object, the share drawn from `covered`.

  Of the parts of these areas and aspects (width / height) the first of 100 that does;
  with probability `whole`, or where none does, all of the image. Boxes stay of which
  that share is inside. https://arxiv.org/abs/1512.02325, section 2.2, with the numbers
  of ssd_random_crop in TensorFlow's Object Detection API. `resize` comes after it.
  """
  if not isinstance(covered, (tuple, list)) or not covered:
    raise DataError(f'covered={covered!r} must be a tuple of shares')
  for share in covered:
    _number('covered', share, 0, 1)
  _pair('area', area, 0.0001, 1)
  _pair('aspect', aspect, 0.01)
  _number('whole', whole, 0, 1)
  return {'covered': tuple(covered), 'area': area, 'aspect': aspect, 'whole': whole}


def expand(largest=4.0, prob=0.5):
  """The image somewhere on a canvas of up to `largest` times its sides: small objects.

  The canvas has the mean colour. https://arxiv.org/abs/1512.02325, section 3.6.
  """
  _number('largest', largest, 1, 16)
  _number('prob', prob, 0, 1)
  return {'largest': largest, 'prob': prob}


def scale_crop(size, low=0.5, high=2.0):
  """Scaled by a factor of low..high, then a random part of `size`; for segmentation.

  A smaller image gets the mean colour below and to the right, its mask "do not count".
  `size` is a side in pixels or (height, width). As DeepLab trains, but for its factors,
  which go in steps: https://arxiv.org/abs/1606.00915.
  """
  _number('low', low, 0.01)
  _number('high', high, low)
  return {**pad(size), 'low': low, 'high': high}


def pad(size):
  """`size` pixels, or (height, width), by the mean colour below and to the right.

  The mask does not count there. The image must not be larger.
  """
  for side in sides_of(size):
    _whole('size', side, 1)
  return {'size': size}


def sides_of(size) -> tuple[int, int]:
  """(height, width) of a size that is one number or both."""
  if not isinstance(size, (tuple, list)):
    return size, size
  if len(size) != 2:
    raise DataError(f'size={size!r} must be a side or (height, width)')
  return tuple(size)


def grey():
  """Luma (ITU-R BT.601) in three equal channels."""
  return {}


def bgr():
  """Channels in reverse order: blue, green, red, as weights from Caffe expect them."""
  return {}


def value_range(low, high):
  """0..255 to low..high, linearly."""
  _number('low', low)
  _number('high', high)
  return {'low': low, 'high': high}


def normalize(mean=IMAGENET_MEAN, std=IMAGENET_STD):
  """(image / 255 - mean) / std per channel; the defaults are PyTorch's ImageNet."""
  _channels('mean', mean)
  _channels('std', std)
  if min(std) <= 0:
    raise DataError(f'std={std!r} must be positive')
  return {'mean': mean, 'std': std}


def mixup(alpha, prob=1.0):
  """Blend each image and label with its neighbour's, weight from Beta(alpha, alpha).

  https://arxiv.org/abs/1710.09412
  """
  _number('alpha', alpha, 0.001)
  _number('prob', prob, 0, 1)
  return {'alpha': alpha, 'prob': prob}


def cutmix(alpha, prob=1.0):
  """Paste a rectangle of the neighbour's image, its area from Beta(alpha, alpha).

  https://arxiv.org/abs/1905.04899
  """
  return mixup(alpha, prob)


IMAGE_OPS = {
  'autoaug': autoaug,
  'bgr': bgr,
  'central_crop': central_crop,
  'central_fraction': central_fraction,
  'central_square': central_square,
  'color': color,
  'erase': erase,
  'expand': expand,
  'flip': flip,
  'grey': grey,
  'inception_crop': inception_crop,
  'normalize': normalize,
  'pad': pad,
  'randaug': randaug,
  'random_crop': random_crop,
  'resize': resize,
  'resize_small': resize_small,
  'rotate': rotate,
  'scale_crop': scale_crop,
  'shift': shift,
  'ssd_crop': ssd_crop,
  'trivialaug': trivialaug,
  'turn': turn,
  'value_range': value_range,
}
BATCH_OPS = {'cutmix': cutmix, 'mixup': mixup}

# Same image, same result: what evaluation may use.
FIXED_OPS = (
  'bgr',
  'central_crop',
  'central_fraction',
  'central_square',
  'grey',
  'normalize',
  'pad',
  'resize',
  'resize_small',
  'value_range',
)
# They leave the scale 0..255, which every other op expects.
LAST_OPS = ('normalize', 'value_range')
