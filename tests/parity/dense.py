"""torchvision's detectors and segmenters there and here.

`python -m tests.parity.dense` prints the section of docs/parity.md on them.
"""

import dataclasses
import datetime
import pathlib
import tempfile
import typing
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models import anchors, boxes, named, segmenters
from mobilenet.weights import loading
from mobilenet.weights.own_file import Weights
from tests.parity import frameworks, measuring, torch_models


@dataclasses.dataclass(frozen=True)
class Case:
  """One network, with its own number of outputs and with another.

  constructor: what makes it, below torchvision.models.
  network: what has to be recognised here.
  size: px of the square images. outputs: for each pixel or anchor, there.
  """

  constructor: str
  network: str
  size: int
  outputs: int
  arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

  def __str__(self):
    more = [f', {name}={value}' for name, value in self.arguments.items()]
    return f'{self.constructor.partition(".")[2]}{"".join(more)}'

  @property
  def is_detector(self) -> bool:
    return self.constructor.startswith('detection')


_LRASPP = 'segmentation.lraspp_mobilenet_v3_large'
_DEEPLAB = 'segmentation.deeplabv3_mobilenet_v3_large'
_OURS = 'deeplab_mobilenet_v3_large_torchvision'
CASES = (
  *(
    Case(
      'detection.ssdlite320_mobilenet_v3_large',
      'ssdlite_mobilenet_v3_large_torchvision',
      *(320, outputs),
    )
    for outputs in (91, 4)
  ),
  Case(_LRASPP, 'lraspp_mobilenet_v3_large_torchvision', 128, 21),
  Case(_LRASPP, 'lraspp_mobilenet_v3_large_torchvision', 161, 5),
  Case(_DEEPLAB, _OURS, 128, 21, {'aux_loss': True}),
  Case(_DEEPLAB, f'{_OURS}_without_auxiliary', 161, 5),
)


class Prepared(typing.NamedTuple):
  """A network there, and what was loaded of its two files."""

  case: Case
  model: Any
  loaded: tuple[Weights, ...]


class Measured(typing.NamedTuple):
  """How far what the networks say is apart.

  what: is compared. difference: the largest, relative to the largest value there.
  largest: value. between_images: like `difference`, of the two images.
  """

  what: str
  difference: float
  largest: float
  between_images: float


def make(case: Case):
  models = frameworks.load('torchvision').models
  room, name = case.constructor.split('.')
  options = {'weights': None, 'weights_backbone': None, **case.arguments}
  return getattr(getattr(models, room), name)(num_classes=case.outputs, **options)


def prepare(case: Case, folder: pathlib.Path) -> Prepared:
  """Makes a network with random arrays there, saves it twice, and loads it here."""
  from safetensors.torch import save_file

  torch, model = frameworks.load('torch'), make(case)
  seed = zlib.crc32(str(case).encode())
  rng = np.random.default_rng(seed)
  torch.manual_seed(seed)  # dropout before a norm changes its statistics
  forward = (lambda images: heads(model, images)) if case.is_detector else None
  torch_models.fill(model, case.size, rng, forward)
  paths = folder / 'theirs.pth', folder / 'theirs.safetensors'
  torch.save(model.state_dict(), paths[0])
  save_file(model.state_dict(), paths[1])
  return Prepared(case, model, tuple(loading.load(path) for path in paths))


def heads(model, images) -> tuple[list, dict]:
  """The maps of a detector there, and what its heads make of them."""
  maps = list(model.backbone(images).values())
  return maps, model.head(maps)


def theirs(prepared: Prepared, images: np.ndarray) -> dict[str, np.ndarray]:
  """What a network there says of images (N, H, W, 3), in our order of axes and sides.

  Boxes are shares of the image.
  """
  torch, model = frameworks.load('torch'), prepared.model
  given = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
  with torch.no_grad():
    if not prepared.case.is_detector:
      names = {'out': 'logits', 'aux': 'auxiliary logits'}
      said = model(given)
      return {names[n]: v.numpy().transpose(0, 2, 3, 1) for n, v in said.items()}
    image_list = frameworks.load('torchvision').models.detection.image_list
    maps, found = heads(model, given)
    sizes = [tuple(given.shape[2:])] * len(given)
    grids = model.anchor_generator(image_list.ImageList(given, sizes), maps)
    codes = found['bbox_regression']
    pairs = zip(codes, grids, strict=True)
    decoded = torch.stack([model.box_coder.decode_single(*pair) for pair in pairs])
  return {
    'logits': found['cls_logits'].numpy(),
    'codes': codes.numpy()[..., [1, 0, 3, 2]],
    'boxes': decoded.numpy()[..., [1, 0, 3, 2]] / np.float32(prepared.case.size),
  }


def ours(case: Case, weights: Weights, images: np.ndarray) -> dict[str, np.ndarray]:
  """The same of the network here."""
  model = named.create(**weights.model, lowering='native')
  answer = _detected if case.is_detector else _segmented
  # Each program runs once: what LLVM would take to make it faster is not worth it.
  options = {'xla_backend_optimization_level': 0}
  run = jax.jit(lambda v, x: answer(model, v, x), compiler_options=options)
  said = run(weights.variables, jnp.asarray(images))
  return {name: np.asarray(value) for name, value in said.items()}


def _detected(model, variables, images) -> dict[str, jax.Array]:
  maps = jax.eval_shape(lambda x: model.apply(variables, x, method='maps'), images)
  grid = anchors.ANCHORS[model.ssd.anchors]([m.shape[1:3] for m in maps])
  found = model.apply(variables, images)
  decoded = boxes.decode(found.codes, grid)
  return {'logits': found.logits, 'codes': found.codes, 'boxes': decoded}


def _segmented(model, variables, images) -> dict[str, jax.Array]:
  size = images.shape[1:3]
  if not model.auxiliary:
    return {'logits': segmenters.resize(model.apply(variables, images), size)}
  answer = model.apply(variables, images, method='answer')
  logits, auxiliary = (segmenters.resize(part, size) for part in answer)
  return {'logits': logits, 'auxiliary logits': auxiliary}


def measure(prepared: Prepared, change: Callable | None = None) -> list[Measured]:
  """Compares all that the networks say of two images; `change` is of our weights."""
  case, weights = prepared.case, prepared.loaded[0]
  images = measuring.images(case.size)
  there = theirs(prepared, images)
  here = ours(case, change(weights) if change else weights, images)
  assert there.keys() == here.keys()
  measured = []
  for what, value in there.items():
    largest = float(np.abs(value).max())
    apart = float(np.abs(here[what] - value).max())
    between = float(np.abs(value[0] - value[1]).max())
    measured.append(Measured(what, apart / largest, largest, between / largest))
  return measured


def rounding(case: Case) -> tuple[float, float]:
  """How far torchvision's logits and ours are from its own in float64."""
  images = measuring.images(case.size)
  with tempfile.TemporaryDirectory() as folder:
    prepared = prepare(case, pathlib.Path(folder))
  both = theirs(prepared, images), ours(case, prepared.loaded[0], images)
  exact = prepared._replace(model=prepared.model.double())
  truth = theirs(exact, images.astype(np.float64))['logits']
  largest = np.abs(truth).max()
  return tuple(float(np.abs(b['logits'] - truth).max() / largest) for b in both)


COLUMNS = (
  *('network there', 'network here', 'outputs', 'px'),
  *('compared', 'largest value', 'difference'),
)


def rows() -> list[tuple[str, ...]]:
  """A row for each thing that is compared."""
  made = []
  for case in CASES:
    with tempfile.TemporaryDirectory() as folder:
      prepared = prepare(case, pathlib.Path(folder))
      made += [
        (
          *(str(case), case.network, f'{case.outputs}', f'{case.size}'),
          *(measured.what, f'{measured.largest:.1f}', f'{measured.difference:.1e}'),
        )
        for measured in measure(prepared)
      ]
  return made


SECTION = """## Detectors and segmenters

    python -m tests.parity.dense

prints this section. torchvision's networks have random arrays as above, are saved as
`.pth` and `.safetensors`, and get the same two images here and there, in evaluation.
Compared are the logits of all anchors, or of all pixels at the size of the image; the
codes of boxes; and the boxes that are decoded from them, as shares of the image.
**Difference** is the largest one, relative to the largest value. `pytest -m parity
tests/parity/test_dense.py` allows at most 1e-4; it also exports each network, loads it
in torchvision by the printed line, and finds all arrays as they were, to the bit.
"""


def section(versions: str) -> str:
  """The section of docs/parity.md, with the versions of the packages."""
  lines = [COLUMNS, ('---',) * len(COLUMNS), *rows()]
  worst = max(float(line[-1]) for line in lines[2:])
  table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
  case = CASES[1]
  there, here = rounding(case)
  return (
    f'{SECTION}\n{datetime.date.today():%Y-%m-%d}; {versions}; on a CPU. The largest '
    f'difference is {worst:.1e}.\n\n{table}\n\n'
    f'The differences of SSDLite are rounding: of {case.outputs} outputs, '
    f"torchvision's logits in\nfloat32 differ from its own in float64 by {there:.1e}, "
    f'and ours by {here:.1e}.\n'
  )


if __name__ == '__main__':
  from tests.parity.versions import versions

  print(section(versions()), end='')
