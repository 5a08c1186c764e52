"""A folder of class folders whose classes are split, and not the images of each.

A network that embeds is asked for people or things that it never saw. So the classes
of training and of evaluation are different ones, and each side numbers its own.
"""

import collections
from collections.abc import Sequence

from input_pipeline import folder, folder_layout, folder_split
from input_pipeline.errors import DataError, some
from input_pipeline.folder_layout import ALL
from input_pipeline.source import Source

LEAST = 2  # classes on each side: with one there is nothing to tell apart


def open_identities(
  split: str,
  data_dir: str,
  *,
  seed: int = 0,
  holdout: float = 0.2,
  group: str = '',
  fold: str = '',
  whole: bool = False,
  only: Sequence[str] | None = None,
  dir_flag: str = '--config.data.dir',
  split_flag: str = '--config.data.eval_split',
) -> Source:
  """Opens `data_dir`: `folder.open_folder` with other classes on each side.

  Of class folders alone the share `holdout` of the classes is set aside, or a fold of
  them. Where there are `train/` and `val/`, their class folders are different ones: see
  `check_apart`.

  Arguments are those of `open_folder`; group: '', since a class is on one side anyway.

  Raises:
    DataError: something is missing or empty, or there are too few classes; the message
      says what to do.
  """
  if group:
    raise DataError(
      f"--config.data.group={group}: here whole classes are set aside, and a class's "
      'photos are never on both sides; leave it out'
    )
  parts = folder_layout.asked_parts(split)
  try:
    root = folder_layout.find_root(data_dir, dir_flag)
    found = folder_layout.find_parts(root)
    if found:
      of_class = _of_parts(root, parts, found, dir_flag, split_flag)
    else:
      classes = folder_layout.class_folders(root, dir_flag, is_root=True)
      images = folder.images_of(root, classes)
      of_class = {classes[label]: names for label, names in images}
  except OSError as error:
    raise folder_layout.reading_error(error) from error
  by_seed = False
  if not found:
    parts = folder_layout.parts_of_classes(parts, root, whole, split_flag)
    by_seed = parts != (ALL,)
  if by_seed and only is None:
    split_by = folder_split.Split(seed, holdout, '', fold)
    kept = chosen(tuple(of_class), parts == ('train',), root, split_by)
    of_class = {name: of_class[name] for name in kept}
  if only is not None:
    of_class = _named(of_class, only, root, dir_flag)
  classes = tuple(sorted(of_class))
  labelled = [(n, label) for label, name in enumerate(classes) for n in of_class[name]]
  notes = () if parts == ('train',) else _notes(of_class)
  return folder.source_of(root, parts, classes, labelled, by_seed, notes)


def chosen(
  classes: Sequence[str], train: bool, root, split_by: folder_split.Split
) -> tuple[str, ...]:
  """The classes of the training or of the evaluation part, sorted.

  They depend on the seed and on their names: more classes move few others.

  Args:
    classes: all.
    train: which of the two parts.
    root: their folder, for messages.
    split_by: `holdout` is the share of the classes.

  Raises:
    DataError: a wrong share or fold, or fewer than two classes on a side.
  """
  if not 0 < split_by.holdout < 1:
    raise DataError(
      f'--config.data.holdout={split_by.holdout!r} must lie between 0 and 1'
    )
  place, folds = folder_split.fold_of(split_by.fold)
  count = len(classes)
  if count < LEAST * max(folds, 2):
    fewer = f'use at most {count // LEAST} folds' if count >= 2 * LEAST else 'add some'
    raise DataError(
      f'{root} has {count} classes ({some(sorted(classes))}): two are needed to train '
      f'on, and two others in {"each fold" if folds else "evaluation"}; {fewer}'
    )
  drawn = sorted(classes, key=lambda name: folder_split.draw(split_by.seed, name))
  if folds:
    first, stop = (count * n // folds for n in (place, place + 1))
  else:
    first, stop = 0, min(max(round(split_by.holdout * count), LEAST), count - LEAST)
  aside = set(drawn[first:stop])
  return tuple(sorted(name for name in classes if (name in aside) != train))


def check_apart(source: Source, eval_source: Source) -> None:
  """Checks that no class folder is for both training and evaluation.

  Sets with a split of their own, as TFDS has them, are taken as they are.

  Raises:
    DataError: one is; the message names it.
  """
  if source.names is None or eval_source.names is None:
    return
  both = sorted(set(source.class_names) & set(eval_source.class_names))
  if both:
    raise DataError(
      f'{len(both):,} class{"es are" if len(both) > 1 else " is"} in both '
      f'{source.split} and {eval_source.split} of {source.origin} ({some(both)}): a '
      'network that has seen them is not measured on new ones; give each class to one '
      'of the two, or put all class folders into one folder, which is split by class'
    )


def _of_parts(root, parts, found, dir_flag, split_flag) -> dict[str, list[str]]:
  """Class -> its images, of all asked parts."""
  wanted = [part for part in folder_layout.PARTS if part in found]
  of_class = collections.defaultdict(list)
  for part in wanted if parts == (ALL,) else parts:
    if part not in found:
      raise folder_layout.missing_part(root, part, found, dir_flag, split_flag)
    inside = root / found[part]
    classes = folder_layout.class_folders(inside, dir_flag, is_root=False)
    for label, names in folder.images_of(root, classes, f'{found[part]}/'):
      of_class[classes[label]] += names
  return dict(of_class)


def _named(of_class, only, root, dir_flag) -> dict[str, list[str]]:
  """The images that are named and there, and the classes that they are of."""
  labelled = [(image, name) for name, images in of_class.items() for image in images]
  kept = collections.defaultdict(list)
  for image, name in folder.named(labelled, only, root, dir_flag):
    kept[name].append(image)
  return dict(kept)


def _notes(of_class) -> tuple[str, ...]:
  """On classes that nothing can be asked of."""
  alone = sorted(name for name, images in of_class.items() if len(images) == 1)
  if not alone:
    return ()
  are = 'class has' if len(alone) == 1 else 'classes have'
  return (
    f'{len(alone):,} {are} one image ({some(alone)}): no other of it can be found, it '
    'only stands in the way of others',
  )
