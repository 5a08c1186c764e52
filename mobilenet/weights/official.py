"""Weight files that their makers publish: where, and how to know that it is they.

Only files whose maker publishes a SHA-256 are here, as its first digits at the end of
the file's name (PyTorch's convention). Keras and TensorFlow publish none.
"""

import dataclasses
import hashlib
import os
import pathlib
import tempfile
import urllib.error
import urllib.request

from mobilenet.models import user_cache
from mobilenet.weights.weight_file import WeightsError

_PYTORCH = 'https://download.pytorch.org/models/'
_TIMM = (
  'https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/'
)
TIMEOUT = 30  # seconds without an answer


@dataclasses.dataclass(frozen=True)
class Official:
  """One published file.

  top1: percent on ImageNet's validation set, as its maker publishes it.
  resize: px of the short side before the crop of 224, where not 256; of a detector or
    a segmenter, which crops nothing, px that it is evaluated at.
  """

  url: str
  framework: str
  top1: float | None = None
  resize: int = 256

  @property
  def name(self) -> str:
    return self.url.rpartition('/')[2]

  @property
  def sha256(self) -> str:
    """The first digits, as the name has them."""
    return self.name.rpartition('.')[0].rpartition('-')[2]


def _torchvision(name, top1, resize=256):
  return Official(_PYTORCH + name, 'torchvision', top1, resize)


def _timm(name, framework='timm'):
  return Official(_TIMM + name, framework)


OFFICIAL = (
  _torchvision('mobilenet_v2-b0353104.pth', 71.878),
  _torchvision('mobilenet_v2-7ebf99e0.pth', 72.154, 232),
  _torchvision('mobilenet_v3_large-8738ca79.pth', 74.042),
  _torchvision('mobilenet_v3_large-5c1a4163.pth', 75.274, 232),
  _torchvision('mobilenet_v3_small-047dcff4.pth', 67.668),
  _torchvision('squeezenet1_0-b66bff10.pth', 58.092),
  _torchvision('squeezenet1_1-b8a52dc0.pth', 58.178),
  _torchvision('shufflenetv2_x0.5-f707e7126e.pth', 60.552),
  _torchvision('shufflenetv2_x1-5666bf0f80.pth', 69.362),
  _torchvision('shufflenetv2_x1_5-3c479a10.pth', 72.996, 232),
  _torchvision('shufflenetv2_x2_0-8be3c8ee.pth', 76.230, 232),
  _torchvision('mnasnet0.5_top1_67.823-3ffadce67e.pth', 67.734),
  _torchvision('mnasnet0_75-7090bc5f.pth', 71.180, 232),
  _torchvision('mnasnet1.0_top1_73.512-f206786ef8.pth', 73.456),
  _torchvision('mnasnet1_3-a4c69d6f.pth', 76.506, 232),
  _torchvision('alexnet-owt-7be5be79.pth', 56.522),
  _torchvision('googlenet-1378be20.pth', 69.778),
  _torchvision('resnet50-0676ba61.pth', 76.130),
  _torchvision('resnet50-11ad3fa6.pth', 80.858, 232),
  _torchvision('vgg16-397923af.pth', 71.592),
  _torchvision('vgg19-dcbb9e9d.pth', 72.376),
  _torchvision('ssdlite320_mobilenet_v3_large_coco-a79551df.pth', None, 320),
  _torchvision('lraspp_mobilenet_v3_large-d234d4ea.pth', None, 520),
  _torchvision('deeplabv3_mobilenet_v3_large-fc3c493d.pth', None, 520),
  _timm('mobilenetv2_050-3d30d450.pth'),
  _timm('mobilenetv2_100_ra-b33bc2c4.pth'),
  _timm('mobilenetv2_140_ra-21a4e913.pth'),
  _timm('mobilenetv3_large_100_ra-f55367f5.pth'),
  _timm('mobilenetv3_small_050_lambc-4b7bbe87.pth'),
  _timm('mobilenetv3_small_075_lambc-384766db.pth'),
  _timm('mobilenetv3_small_100_lamb-266a294c.pth'),
  _timm('mnasnet_b1-74cb7081.pth'),
  _timm('mnasnet_small_lamb-aff75073.pth'),
  _timm('semnasnet_075-18710866.pth'),
  _timm('mnasnet_a1-d9418771.pth'),
  _timm('tf_mobilenetv3_large_075-150ee8b0.pth', 'timm (tf_)'),
  _timm('tf_mobilenetv3_large_100-427764d5.pth', 'timm (tf_)'),
  _timm('tf_mobilenetv3_large_minimal_100-8596ae28.pth', 'timm (tf_)'),
  _timm('tf_mobilenetv3_small_075-da427f52.pth', 'timm (tf_)'),
  _timm('tf_mobilenetv3_small_100-37f49e2b.pth', 'timm (tf_)'),
  _timm('tf_mobilenetv3_small_minimal_100-922a7843.pth', 'timm (tf_)'),
)


def is_url(path: str | os.PathLike) -> bool:
  return '://' in os.fspath(path)


def cache_folder() -> pathlib.Path:
  """Where fetched files are kept; XDG_CACHE_HOME moves it."""
  return user_cache.folder('weights')


def fetch(url: str) -> pathlib.Path:
  """The local copy of an official file, fetched once and checked every time.

  Raises:
    WeightsError: the URL is not one of `OFFICIAL`, cannot be reached, or gives a file
      with another SHA-256.
  """
  known = next((file for file in OFFICIAL if file.url == url), None)
  if known is None:
    raise WeightsError(
      f'{url} is not in the table of official files (mobilenet/weights/official.py), '
      'so its content cannot be checked; fetch it by hand and give its path'
    )
  path = cache_folder() / known.name
  if not path.is_file():
    _download(url, path)
  if not sha256(path).startswith(known.sha256):
    raise WeightsError(
      f'{path} is not what {url} should be: its SHA-256 is {sha256(path)[:16]}..., '
      f'published is {known.sha256}...; delete it and run the command again'
    )
  return path


def find(path: pathlib.Path) -> Official | None:
  """The official file that a local one is, by its SHA-256, whatever it is called.

  Raises:
    WeightsError: it has the name of an official one and is not that.
  """
  digest = sha256(path)
  named = next((file for file in OFFICIAL if file.name == path.name), None)
  if named and not digest.startswith(named.sha256):
    raise WeightsError(
      f'{path} is damaged, or is another file: its SHA-256 is {digest[:16]}..., and '
      f'the published file of this name has {named.sha256}...; fetch it again from '
      f'{named.url}, or rename it if it is meant to be other weights'
    )
  return next((file for file in OFFICIAL if digest.startswith(file.sha256)), None)


def sha256(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def _download(url: str, path: pathlib.Path) -> None:
  """Puts it at `path` when it is whole."""
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
      part = pathlib.Path(folder) / path.name
      with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, part.open('wb') as f:
        while block := answer.read(1 << 20):
          f.write(block)
      part.replace(path)
  except OSError as error:  # URLError and timeouts are OSErrors too
    reason = getattr(error, 'reason', None) or error.strerror or error
    raise WeightsError(
      f'{url} cannot be fetched ({reason}); fetch it by hand, and give its path or put '
      f'it at {path}'
    ) from error
