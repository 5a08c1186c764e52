"""A folder of class folders of images, with a split of its own or made by a seed."""

from collections.abc import Sequence

import numpy as np

from input_pipeline import folder_layout, folder_split, listed, photo_files
from input_pipeline.errors import DataError, some
from input_pipeline.folder_layout import ALL
from input_pipeline.folder_walk import files_below, visible_files, visible_folders
from input_pipeline.source import Source


def open_folder(
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
  """Opens `data_dir`.

  Either `train/<class>/` with `val/` and perhaps `test/` beside it (`training`,
  `valid`, `validation`, `testing`, in any capitalisation), or class folders directly,
  from which every class gives the share `holdout` to validation. Which images those are
  depends on the seed and on their names only, so that adding images moves few others.

  Images are found in class folders and in the folders below them. Hidden files are
  passed over, and so are files of kinds that cannot be read, which a line counts. Class
  names are sorted as plain text, and so are their images. Nowhere are they shown in
  another order, so that the third row of a table is label 2.

  Args:
    split: 'train', 'val', 'test' by any name of theirs, several with + between, 'all'.
    data_dir: the folder.
    seed: of the split of class folders.
    holdout: share of each class that becomes 'val' of class folders.
    group, fold: of that split, see `folder_split.Split`.
    whole: take all of class folders, whatever the split.
    only: take these images alone (`Source.names`), as far as they are there, whatever
      part the seed would put them in; None for those of the split.
    dir_flag, split_flag: by which folder and split are given, for messages.

  Raises:
    DataError: something is missing or empty; the message says what to do.
  """
  parts = folder_layout.asked_parts(split)
  try:
    root = folder_layout.find_root(data_dir, dir_flag)
    found = folder_layout.find_parts(root)
    if found:
      classes, images = _of_parts(root, parts, found, dir_flag, split_flag)
    else:
      classes = folder_layout.class_folders(root, dir_flag, is_root=True)
      images = images_of(root, classes)
  except OSError as error:
    raise folder_layout.reading_error(error) from error

  by_seed, notes = False, ()
  if not found:
    parts = folder_layout.parts_of_classes(parts, root, whole, split_flag)
    by_seed = parts != (ALL,)
  if by_seed:
    notes = _notes(images, classes)
    if only is None:
      split_by = folder_split.Split(seed, holdout, group, fold)
      images = folder_split.held_out(images, parts == ('train',), root, split_by)
  labelled = [(name, label) for label, names in images for name in names]
  if only is not None:
    labelled = named(labelled, only, root, dir_flag)
  return source_of(root, parts, classes, labelled, by_seed, notes)


def _of_parts(root, parts, found, dir_flag, split_flag):
  """(classes, images) of the asked parts, one part after another."""
  wanted = [part for part in folder_layout.PARTS if part in found]
  first = root / found[wanted[0]]
  if parts != (ALL,):
    wanted = parts
  classes, images = None, []
  for part in wanted:
    if part not in found:
      raise folder_layout.missing_part(root, part, found, dir_flag, split_flag)
    classes = classes or folder_layout.class_folders(first, dir_flag, is_root=False)
    _check_same_classes(first, classes, root / found[part])
    images += images_of(root, classes, f'{found[part]}/')
  return classes, images


def _check_same_classes(first, classes, part):
  found = set(visible_folders(part))
  missing = sorted(set(classes) - found)
  extra = sorted(found - set(classes))
  if missing or extra:
    differences = [f'{part} lacks {", ".join(missing)}'] if missing else []
    differences += [f'{first} lacks {", ".join(extra)}'] if extra else []
    raise DataError(
      f'the class folders differ: {"; ".join(differences)}; put photos of these '
      'classes there too, or move the classes out of the folder'
    )


def images_of(root, classes, prefix=''):
  """[(label, its images)], in the order of the classes; names are relative to root."""
  images, empty, filled, others = [], [], [], []
  for label, name in enumerate(classes):
    folder = root / (prefix + name)
    files = files_below(folder)
    own, passed = photo_files.sort_out(files)
    others += passed
    images.append((label, [f'{prefix}{name}/{file}' for file in own]))
    if not own:
      empty.append(str(folder))
      filled += files[:1]
  if empty:
    remedy = (
      f'move it out of {root}' if filled else f'remove it: rmdir {" ".join(empty[:5])}'
    )
    there = f', only files such as {filled[0]}' if filled else ''
    raise DataError(
      f'no images ({" ".join(photo_files.endings())}) in class folder '
      f'{some(empty)}{there}; add some, or {remedy}'
    )
  if others:
    photo_files.tell_once(f'{photo_files.passed_over(others)} in {root / prefix}')
  loose, _ = photo_files.sort_out(visible_files(root / prefix))
  if loose:
    photo_files.tell_once(
      'passed over, since outside of the class folders in '
      f'{root / prefix}: {some(loose)}'
    )
  return images


def _notes(images, classes):
  """On classes that are too small to be split."""
  alone = [classes[label] for label, names in images if len(names) == 1]
  if not alone:
    return ()
  what = (
    'class {} has one image: it is'
    if len(alone) == 1
    else ('classes {} have one image each: they are')
  )
  return (f'{what.format(some(alone))} trained on and cannot be evaluated',)


def named(labelled, only, root, dir_flag):
  """The images that are named and there, in the order in which they are named."""
  label_of = dict(labelled)
  chosen = [(name, label_of[name]) for name in only if name in label_of]
  if not chosen:
    raise DataError(
      f'none of the {len(only):,} images that the run began with is in {root}; give '
      f'their folder, {dir_flag}=FOLDER, or choose another --workdir'
    )
  return chosen


def source_of(root, parts, classes, labelled, by_seed, notes):
  names = tuple(name for name, _ in labelled)
  labels = tuple(label for _, label in labelled)
  return listed.source_of(
    'folder',
    root,
    parts,
    names,
    {'label': np.array(labels, np.int32)},
    classes,
    labels=labels,
    by_seed=by_seed,
    notes=notes,
  )
