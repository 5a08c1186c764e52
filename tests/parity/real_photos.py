r"""Real weights on real photos: what this project and torchvision itself make of them.

    python -m tests.parity.real_photos
    python -m tests.parity.real_photos --photos FOLDER \
      --weights mobilenet_v2-b0353104.pth

Photos are named NAME_LABEL.jpg, LABEL the number of an ImageNet class. Without
arguments both are fetched, see `real_files`.
"""

import argparse
import json
import pathlib
import tempfile

import numpy as np

from mobilenet import config_files, jobs
from mobilenet.weights import class_names, loading
from tests.parity import frameworks, real_files

FINETUNE = str(pathlib.Path(__file__).parents[2] / 'configs' / 'finetune.py')


def import_run(weights: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
  """What `main.py --job=import --init=WEIGHTS --workdir=FOLDER` does."""
  config = config_files.load_config(FINETUNE)
  config.init = str(weights)
  jobs.load('import_weights').import_weights(config, folder)
  return folder


def predict(run: pathlib.Path, photos, out: pathlib.Path) -> list[list[str]]:
  """Class names, the best five of each photo, by `main.py --job=predict`."""
  jobs.load('predict').predict(run, [str(photo) for photo in photos], out=out)
  found = json.loads((out / 'predictions.json').read_text())
  assert [entry['photo'] for entry in found] == [str(photo) for photo in photos]
  return [[p['class'] for p in entry['predictions']] for entry in found]


def torchvision_predict(weights: pathlib.Path, photos) -> list[list[str]]:
  """The same by torchvision: its network, its transforms, the same file."""
  from PIL import Image

  torch, torchvision = (frameworks.load(name) for name in ('torch', 'torchvision'))
  model = torchvision.models.mobilenet_v2(weights=None)
  model.load_state_dict(torch.load(weights, weights_only=True))
  model.eval()
  prepare = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.transforms()
  with torch.no_grad():
    images = torch.stack([prepare(Image.open(p).convert('RGB')) for p in photos])
    logits = model(images).numpy()
  names = [wnid for wnid, _ in class_names.imagenet()]
  best = np.argsort(-logits, axis=1, kind='stable')[:, :5]
  return [[names[label] for label in row] for row in best]


def score(predictions: list[list[str]], photos) -> tuple[int, int]:
  """(right in the top 1, right in the top 5) of the photos."""
  names = [class_names.imagenet()[real_files.label_of(photo)][0] for photo in photos]
  pairs = list(zip(names, predictions, strict=True))
  return (
    sum(name == found[0] for name, found in pairs),
    sum(name in found for name, found in pairs),
  )


def table(predictions: list[list[str]], photos) -> str:
  lines = []
  for photo, found in zip(photos, predictions, strict=True):
    wnid = class_names.imagenet()[real_files.label_of(photo)][0]
    rank = found.index(wnid) + 1 if wnid in found else '-'
    label, *best = map(class_names.display_name, [wnid, *found])
    lines.append(f'{photo.name:22} {label:20} rank {rank}: {", ".join(best)}')
  return '\n'.join(lines)


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--weights', type=pathlib.Path)
  parser.add_argument('--photos', type=pathlib.Path, help='a folder')
  arguments = parser.parse_args()
  weights = arguments.weights or real_files.fetch(*real_files.TORCHVISION_V2)[0]
  photos = (
    sorted(arguments.photos.glob('*.jpg'))
    if arguments.photos
    else real_files.fetch(*real_files.PHOTOS)
  )
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    run = import_run(weights, folder / 'run')
    ours = predict(run, photos, folder / 'predictions')
  theirs = None
  if frameworks.missing('torchvision') is None and is_torchvision_v2(weights):
    theirs = torchvision_predict(weights, photos)
  print(table(ours, photos))
  for name, found in (('here', ours), ('torchvision', theirs)):
    if found:
      first, best = score(found, photos)
      print(f'{name}: {first} of {len(photos)} in the top 1, {best} in the top 5')


def is_torchvision_v2(weights: pathlib.Path) -> bool:
  source = loading.load(weights)
  return source.origin.startswith("torchvision's mobilenet_v2 x1 ")


if __name__ == '__main__':
  main()
