"""Checks photos: broken files, copies, labels, shortcuts.

    python main.py --job=check_data --data_dir=photos
    python main.py --job=check_data --data_dir=photos --other_dir=photos_of_another_lab
    python main.py --job=check_data --data_dir=photos --init=mobilenet_v2.pth

Every photo is decoded once. What is found is printed, the serious things first, and
written to the folder --out: check.html with pictures, check.json with all names and
check.csv with a row for each photo. With --init, a trained network looks for wrong
labels. With --config, the page shows what the augmentation makes of some photos.

Of pictures with boxes, masks, tags or places it is the annotations that are checked,
and check.json is written alone:

   python main.py --job=check_data --data_dir=cells --data=boxes

The exit code is 0 if nothing serious was found and 3 if something was.
"""

import dataclasses
import pathlib

from ml_collections import ConfigDict

import input_pipeline
from input_pipeline import cells, folder_split
from mobilenet import config_files, experiment, trained
from mobilenet.command_line import Flag, Given
from mobilenet.data_check import (
  findings,
  listing,
  mark_kinds,
  marks,
  mislabelled,
  pages,
  scan,
  shortcuts,
  writing,
)
from mobilenet.data_check.facts import Facts
from mobilenet.models import folding, zoo
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError, require

FINETUNE = 'configs/finetune.py'  # how photos are prepared for given weights
KINDS = ('folder', *mark_kinds.KINDS)  # of folders
SERIOUS_FOUND = 3  # the exit code
SAMPLES, EPOCHS = 4, 6  # photos of which the page shows augmented ones, draws of each

FLAGS = (
  Flag('data_dir', str, None, "The folder of photos; the config's by default."),
  Flag('other_dir', str, None, 'Another folder, to be searched for copies of them.'),
  Flag(
    'data', str, None, "'folder', 'boxes', 'masks', 'tags', 'places'; the config's."
  ),
  Flag('init', str, None, 'A weight file or workdir that looks for wrong labels.'),
  Flag('resolution', int, None, "For --init: px; the weights' own by default."),
  Flag('out', str, None, 'A folder for the report; runs/check-NAME by default.'),
)


def run(given: Given) -> int:
  config, flags = given.config, given.flags
  kind = flags.data or (config.data.name if config else 'folder')
  require(
    kind in KINDS,
    f'--job=check_data checks folders of photos, and the data is {kind!r}, none of '
    f'{", ".join(KINDS)}; give a folder: --data_dir=FOLDER without --config, or '
    '--config=configs/folder.py',
  )
  folder = flags.data_dir or (config and config.data.dir)
  require(bool(folder), 'which folder of photos? --data_dir=FOLDER')
  if not flags.data and not config and (form := marks.format_of(folder)):
    raise TrainingError(
      f'{folder} has boxes beside its pictures ({form}): add --data=boxes; for its '
      'class folders, --data=folder'
    )
  name = pathlib.Path(folder).expanduser().resolve().name or 'photos'
  out = workdir.local_path(flags.out or f'runs/check-{name}')
  if kind != 'folder':
    found = marks.check(kind, _annotated(folder, config), out)
    return _exit_code(found)
  found = check(
    folder,
    out,
    config=config,
    other=flags.other_dir,
    init=flags.init or (config and config.init) or None,
    resolution=flags.resolution,
  )
  return _exit_code(found)


def _exit_code(found) -> int:
  serious = any(finding.severity == findings.SERIOUS for finding in found)
  return SERIOUS_FOUND if serious else 0


def _annotated(folder: str, config: ConfigDict | None) -> mark_kinds.Asked:
  """What a config says of a folder with annotations."""
  root = pathlib.Path(folder).expanduser()
  if config is None:
    return mark_kinds.Asked(root)
  split = folder_split.Split(
    config.seed, config.data.holdout, config.data.group, config.data.fold
  )
  partition = cells.Partition(**config.data.get('cells', {}))
  return mark_kinds.Asked(root, config.data.get('annotations', ''), split, partition)


def check(
  folder: str,
  out: pathlib.Path,
  *,
  config: ConfigDict | None = None,
  other: str | None = None,
  init: str | None = None,
  resolution: int | None = None,
) -> tuple[findings.Finding, ...]:
  """Checks a folder, prints what is found and writes the report.

  Args:
    folder: of photos, as training takes it.
    out: for the report.
    config: of the training that is to come, if it is known.
    other: another folder, whose copies of these photos are named.
    init: weights that look for wrong labels; None to leave that out.
    resolution: px at which they do; None for the weights' own.

  Raises:
    TrainingError, ModelError, DataError: a folder or the weights cannot be used.
  """
  split = config and folder_split.Split(
    config.seed, config.data.holdout, config.data.group, config.data.fold
  )
  by_class = config is not None and experiment.make_task(config).own_classes
  listed = listing.of_folder(folder, '--data_dir', split, by_class=by_class)
  other_listed = other and listing.of_folder(other, '--other_dir')
  not_done, judge = [], None
  if init:
    judge = Judge.of_weights(init, resolution)
  else:
    not_done.append(
      'Labels were not judged: --init=FILE gives a network that looks for wrong ones.'
    )
  paths = [listed.path(file.name) for file in listed.files]
  photos = scan.scan(
    paths,
    listed.files,
    prepare=judge and judge.prepare,
    take=judge and judge.features.take,
  )
  others = _scanned_others(other_listed) if other_listed else ()
  facts = Facts(
    listing=listed,
    photos=photos,
    others=others,
    doubts=judge and judge.doubts(photos),
    resolution=config.resolution if config else None,
  )
  if judge and facts.doubts is None:
    not_done.append(
      'Labels were not judged: fewer than two classes have '
      f'{mislabelled.FEWEST} photos that can be read.'
    )
  found = findings.find(facts)
  measured = shortcuts.strengths(facts)
  samples = None
  if config is not None:
    samples, why_not = _samples(config, init, folder, facts)
    not_done += why_not
  writing.write_json(
    out,
    facts,
    found,
    {name: dataclasses.asdict(strength) for name, strength in measured.items()},
    not_done,
  )
  writing.write_csv(out, facts)
  page = pages.write(out, facts, found, measured, not_done, samples)
  title = writing.summary(found, len(photos))
  if found:
    writing.print_findings(found, title)
  else:
    print(title)
  for line in not_done:
    print(f'note: {line}')
  print(f'report: {page}')
  return found


@dataclasses.dataclass(frozen=True)
class Judge:
  """A trunk that looks at photos: prepares them and collects their features."""

  prepare: scan.Prepare
  features: mislabelled.Features

  @classmethod
  def of_weights(cls, init: str, resolution: int | None) -> 'Judge':
    config = config_files.load_config(FINETUNE)
    config.init, config.resolution = init, resolution
    config, weights = trained.complete(config)
    ops = input_pipeline.parse_ops(experiment.ops(config, 'eval_ops'), 'eval')
    model, variables = folding.fold(zoo.create(**weights.model), weights.variables)
    print(f'labels are judged by {weights.origin}')
    return cls(mislabelled.preparation(ops), mislabelled.Features(model, variables))

  def doubts(self, photos) -> mislabelled.Doubts | None:
    places, features = self.features.all()
    labelled = [n for n, place in enumerate(places) if photos[place].class_name]
    labels = [photos[place].class_name for place in places[labelled]]
    return mislabelled.doubts(places[labelled], features[labelled], labels)


def _scanned_others(listed: listing.Listing):
  """Their names begin with their folder, so that they differ from the others'."""
  paths = [
    str(pathlib.Path(listed.path(file.name)).absolute()) for file in listed.files
  ]
  files = [
    dataclasses.replace(file, name=path)
    for file, path in zip(listed.files, paths, strict=True)
  ]
  return scan.scan(paths, files)


def _samples(
  config: ConfigDict, init: str | None, folder: str, facts: Facts
) -> tuple[pages.Samples | None, list[str]]:
  """What training would see of some photos, or why that cannot be shown."""
  try:
    if init and config.init:
      config, _ = trained.complete(config)
    source = experiment.open_source(config, config.data.train_split, folder)
    ops = experiment.ops(config, 'train_ops')
    readable = {photo.name for photo in facts.readable}
    places = [n for n, name in enumerate(source.names) if name in readable]
    step = max(1, len(places) // SAMPLES)
    chosen = places[::step][:SAMPLES]
    drawn = input_pipeline.augmented(
      source, chosen, ops=ops, seed=config.seed, epochs=EPOCHS
    )
  except (TrainingError, input_pipeline.DataError) as error:
    return None, [f'Samples of the augmentation are left out: {error}']
  names = [source.names[place] for place in chosen]
  return pages.Samples(ops, tuple(zip(names, drawn, strict=True))), []
