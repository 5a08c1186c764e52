"""One contender of the input benchmark, in a process of its own.

    python -m mobilenet.bench.input_worker NAME '{"folder": ..., ...}'

Loads nothing but that contender. Prints a line of JSON when it is ready, then answers
each number of batches on standard input with the seconds that they took.
"""

import contextlib
import importlib
import json
import sys
import time

SIZE = 224
# Batches that are not timed at the beginning of a round: those that were read ahead,
# two for each of PyTorch's workers.
READ_AHEAD = 4

PACKAGES = ('tensorflow', 'jax', 'torch', 'torchvision', 'timm', 'PIL')

# Augmentation -> our op string; {size} is put in.
OPS = {
  'crop': 'inception_crop({size})|flip|value_range(-1, 1)',
  'v3': 'inception_crop({size})|flip|color|value_range(-1, 1)',
  'randaug': 'inception_crop({size})|flip|randaug(2, 9)|erase(0.25)|value_range(-1, 1)',
}
_BRIGHTNESS, _SATURATION = 32 / 255, 0.5  # of V3's colours, as `color` has them


def ours(folder, augmentation, size, batch_size, threads):
  """The whole path of a training run: from the folder to arrays on the device."""
  import jax

  import input_pipeline
  from mobilenet.training import sharding
  from mobilenet.training.allocator import keep_freed_memory

  keep_freed_memory()
  mesh = sharding.make_mesh()
  source = input_pipeline.open_source('folder', 'train', data_dir=folder)
  batches = input_pipeline.train_batches(
    source,
    ops=OPS[augmentation].replace('{size}', str(size)),
    batch_size=batch_size,
    seed=0,
    threads=threads,
  )
  for batch in batches:
    yield jax.block_until_ready(sharding.put(mesh, batch))


def plain(folder, augmentation, size, batch_size, threads):
  """tf.data, decode then crop; NumPy batches."""
  from input_pipeline.opening import hide_accelerators
  from input_pipeline.plain import plain_batches

  hide_accelerators()
  return plain_batches(f'{folder}/train', augmentation, size, batch_size, threads)


def torchvision(folder, augmentation, size, batch_size, threads):
  """ImageFolder of PIL images, as many worker processes as threads; channels last."""
  load('torchvision')
  import torch
  from torchvision import transforms

  after, erasing = [], []
  if augmentation == 'v3':
    after = [transforms.ColorJitter(brightness=_BRIGHTNESS, saturation=_SATURATION)]
  elif augmentation == 'randaug':
    after = [transforms.RandAugment(2, 9)]
    erasing = [transforms.RandomErasing(0.25)]
  transform = transforms.Compose(
    [
      transforms.RandomResizedCrop(size),
      transforms.RandomHorizontalFlip(),
      *after,
      transforms.ToTensor(),
      transforms.Normalize((0.5,) * 3, (0.5,) * 3),
      *erasing,
    ]
  )
  loader = torch.utils.data.DataLoader(
    _repeated(folder, transform),
    batch_size,
    shuffle=True,
    num_workers=threads,
    drop_last=True,
  )
  return _channels_last(loader)


def timm(folder, augmentation, size, batch_size, threads):
  """`timm.data.create_loader` without its prefetcher, which is for GPUs."""
  load('timm')
  import torch
  from timm.data import create_loader

  loader = create_loader(
    _repeated(folder, None),
    input_size=(3, size, size),
    batch_size=batch_size,
    is_training=True,
    use_prefetcher=False,
    re_prob=0.25 if augmentation == 'randaug' else 0.0,
    scale=(0.08, 1.0),
    color_jitter=(_BRIGHTNESS, 0.0, _SATURATION) if augmentation == 'v3' else None,
    auto_augment='rand-m9-n2' if augmentation == 'randaug' else None,
    interpolation='bilinear',
    mean=(0.5,) * 3,
    std=(0.5,) * 3,
    num_workers=threads,
    device=torch.device('cpu'),
    persistent_workers=False,
  )
  return _channels_last(loader)


def _repeated(folder, transform):
  """An ImageFolder, repeated so often that no epoch ends while it is timed.

  A loader's workers pause between two epochs; with the few photos of a benchmark that
  would count far too much.
  """
  from torchvision.datasets import ImageFolder

  class Repeated(ImageFolder):
    def __len__(self):
      return 1000 * len(self.samples)

    def __getitem__(self, index):
      return super().__getitem__(index % len(self.samples))

  return Repeated(f'{folder}/train', transform)


def _channels_last(loader):
  import torch

  for image, label in loader:
    yield image.contiguous(memory_format=torch.channels_last), label


def load(name: str):
  """Imports a package, even if torchvision's operators don't fit PyTorch.

  Those operators (boxes, image files) then don't exist, and describing them to PyTorch
  would end the import. No transform uses them.
  """
  library = importlib.import_module('torch.library')
  register = library.register_fake

  def tolerant(operator, *args, **kwargs):
    described = register(operator, *args, **kwargs)

    def describe(function):
      with contextlib.suppress(RuntimeError):
        return described(function)
      return function

    return describe

  library.register_fake = tolerant
  try:
    return importlib.import_module(name)
  finally:
    library.register_fake = register


CONTENDERS = {'ours': ours, 'plain': plain, 'torchvision': torchvision, 'timm': timm}


def answer(batches, requests, out) -> None:
  """Serves rounds: a line with a number of batches -> a line with seconds."""
  next(batches)
  loaded = {name: sys.modules.get(name) for name in PACKAGES}
  versions = {
    name: module.__version__ for name, module in loaded.items() if module is not None
  }
  print(json.dumps({'versions': versions}), file=out, flush=True)
  for request in requests:
    for _ in range(READ_AHEAD):
      next(batches)
    began = time.perf_counter()
    for _ in range(int(request)):
      next(batches)
    seconds = time.perf_counter() - began
    print(json.dumps({'seconds': seconds}), file=out, flush=True)


def main(name: str, arguments: str) -> None:
  out = sys.stdout
  sys.stdout = sys.stderr  # libraries may print; the answers are the parent's alone
  try:
    batches = iter(CONTENDERS[name](**json.loads(arguments)))
    answer(batches, sys.stdin, out)
  except ImportError as error:
    print(json.dumps({'error': f'not installed: {error}'}), file=out, flush=True)


if __name__ == '__main__':
  main(*sys.argv[1:])
