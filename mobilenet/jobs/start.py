"""Looks at photos, and prints what to type to train.

    python main.py --job=start
    python main.py --job=start --data_dir=photos --init=mobilenet_v2.pth
    python main.py --job=start --data_dir=photos --init=none

What is not given is asked for. Nothing is trained and nothing is written. A few photos
are decoded, for their size and colours.
"""

import pathlib
import statistics

import jax

from input_pipeline import DataError, photo_reader
from mobilenet import trained
from mobilenet.command_line import Flag, Given
from mobilenet.data_check import listing, photo_facts
from mobilenet.data_check.photo_facts import Photo
from mobilenet.reports import data_counts
from mobilenet.runs import answering, first_command
from mobilenet.training.errors import TrainingError, require

NONE = 'none'  # the answer of who has no weights
SAMPLE = 48  # photos that are decoded, from all over the folder
LITTLE = 0.9  # from this share of grey photos on they are called grey

FLAGS = (
  Flag('data_dir', str, None, 'The folder of photos.'),
  Flag('init', str, None, "Weights to start from: a file or a workdir; or 'none'."),
)


def run(given: Given) -> int:
  folder = given.flags.data_dir
  if folder is None:
    folder = ask('Folder of photos', '--data_dir=FOLDER')
  listed = listing.of_folder(folder, '--data_dir')
  photos = sample(listed)
  tell(listed, photos)
  if listed.refusals:
    raise TrainingError(
      f'training cannot begin with {listed.root}: {listed.refusals[0]}'
    )
  init = given.flags.init
  if init is None:
    init = ask(
      f'Weights to start from (a file, or {NONE})', '--init=FILE or --init=none'
    )
  sides = [min(photo.width, photo.height) for photo in photos if photo.is_read]
  advice = first_command.choose(
    folder,
    first_command.Seen(
      train=sum(count.train for count in counts(listed).values()),
      classes=len(listed.classes),
      short_side=int(statistics.median(sides)) if sides else None,
    ),
    weights(init),
    slow=jax.default_backend() == 'cpu',
  )
  print(f'\nFirst look for faults in the photos:\n\n    {advice.check}')
  print(f'\nThen train:\n\n    {advice.train}\n')
  for reason in advice.reasons:
    print(f'- {reason}')
  return 0


def ask(question: str, flag: str) -> str:
  """What a person types.

  Raises:
    TrainingError: nobody answers, or nothing; the line names the flag instead.
  """
  try:
    answer = input(f'{question}: ').strip()
  except EOFError:
    print()
    answer = ''
  require(bool(answer), f'no answer; give it on the command line: {flag}')
  return answer


def weights(init: str) -> first_command.Given | None:
  """The weights to start from, read so that a wrong file is noticed now.

  Raises:
    TrainingError, ModelError: they cannot be read.
  """
  if init.lower() in (NONE, ''):
    return None
  found = trained.load_weights(init)
  print(f'weights: {found.origin}')
  return first_command.Given(init, answering.own_resolution(init, found))


def counts(listed: listing.Listing) -> dict[str, data_counts.Counts]:
  """Class -> its photos for training and for evaluation."""
  return {
    name: data_counts.Counts(parts[listing.TRAIN], parts[listing.VAL])
    for name, parts in listed.counts.items()
  }


def sample(listed: listing.Listing) -> list[Photo]:
  """The facts of some photos, from all over the folder."""
  files = [file for file in listed.files if file.class_name]
  chosen = files[:: max(1, len(files) // SAMPLE)][:SAMPLE]
  return [_looked_at(listed, file) for file in chosen]


def _looked_at(listed, file) -> Photo:
  known = {'name': file.name, 'part': file.part, 'class_name': file.class_name}
  try:
    data = photo_facts.read_file(listed.path(file.name))
    pixels = photo_reader.pixels(data, side=photo_facts.SIGHT)
  except DataError as error:
    return Photo(**known, problem=str(error))
  return Photo(**known, **photo_facts.of_file(data), **photo_facts.of_pixels(pixels))


def tell(listed: listing.Listing, photos: list[Photo]) -> None:
  """Prints what lies in the folder."""
  of_classes, classes = counts(listed), len(listed.classes)
  split = (
    'a part is set aside for evaluation'
    if listed.by_seed
    else (f'in {", ".join(f"{part}/" for part in listed.parts)}')
  )
  print(
    f'{pathlib.Path(listed.root)}: {len(listed.files):,} photos, {classes:,} '
    f'class{"es" * (classes != 1)}, {split}'
  )
  if of_classes:
    data_counts.show(of_classes)
  if of_classes and (line := data_counts.imbalance(of_classes)):
    print(f'note: {line}')
  if listed.loose:
    count = len(listed.loose)
    lie = 'photo lies' if count == 1 else 'photos lie'
    print(f'note: {count:,} {lie} in no class folder')
  readable = [photo for photo in photos if photo.is_read]
  for photo in photos:
    if not photo.is_read:
      print(f'note: {listed.path(photo.name)} cannot be read: {photo.problem}')
  if readable:
    width, height = (
      int(statistics.median(sides))
      for sides in zip(*((p.width, p.height) for p in readable), strict=True)
    )
    grey = sum(photo.is_grey for photo in readable) / len(readable)
    colours = 'grey' if grey >= LITTLE else 'in colour'
    if 0 < grey < LITTLE:
      colours += f', {grey:.0%} of them grey'
    formats = ', '.join(sorted({photo.format or '?' for photo in readable}))
    print(
      f'{len(readable)} photos looked at: {width} x {height} px (median), {colours}, '
      f'{formats}'
    )
