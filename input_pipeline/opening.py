"""Opens a split of a data set by name: a folder, digits, made, or any TFDS name."""

import importlib
from collections.abc import Mapping, Sequence

from input_pipeline.errors import DataError
from input_pipeline.source import Source

WANTS = ('label', 'identities', 'boxes', 'masks', 'tags', 'answers')

# Folders of photos and what somebody said of each -> (module, what opens it).
_ANNOTATED = {
  'boxes': ('input_pipeline.annotated.box_folder', 'open_boxes'),
  'masks': ('input_pipeline.annotated.mask_folder', 'open_masks'),
  'tags': ('input_pipeline.annotated.tag_folder', 'open_tags'),
  'places': ('input_pipeline.annotated.place_folder', 'open_places'),
}


def open_source(
  name: str,
  split: str,
  *,
  data_dir: str = '',
  seed: int = 0,
  holdout: float = 0.2,
  group: str = '',
  fold: str = '',
  annotations: str = '',
  wants: str = 'label',
  made_examples: int = 1024,
  made_size: int = 256,
  made_classes: int = 10,
  whole: bool = False,
  only: Sequence[str] | None = None,
  partition: Mapping[str, int] | None = None,
  known: Sequence[str] = (),
  dir_flag: str = '--config.data.dir',
  split_flag: str = '--config.data.eval_split',
) -> Source:
  """Opens one split.

  Args:
    name: 'folder' (images in class folders under `data_dir`), 'boxes' or 'masks'
      (images there with boxes, or with a mask each), 'tags' or 'places' (images there
      with a CSV of tags, or with where they were taken), 'digits' (5,000 MNIST digits,
      built on first use, nothing is downloaded), 'made', 'made_boxes', 'made_masks',
      'made_tags' or 'made_places' (random images that can be learned, no files), or a
      TFDS name such as 'imagenet2012', 'cifar10' or 'oxford_flowers102:2.*.*', prepared
      before.
    split: 'train', 'validation' or 'test'; a folder knows 'val' too, 'all' and sums
      ('train+val'), and TFDS all that its own API takes ('train[:90%]+test', 'all').
    data_dir: the folder, or TFDS' directory; '' is TFDS' default.
    seed: of a folder's own split, and of the made images.
    holdout: share of a folder without train/ that becomes validation.
    group: of such a folder, which images stay on one side; see `photo_groups.group_of`.
    fold: of such a folder, '2/5' makes the second of five parts validation instead.
    annotations: of 'boxes', 'masks', 'tags' and 'places', the file or folder that holds
      them; '' looks for what is there.
    wants: what is to be learned of a TFDS set: one of WANTS; 'answers' are for
      measuring, where several classes are right. 'identities' are labels, and whole
      classes of a folder are set aside.
    made_examples: size of the made training split; the other splits have a quarter.
    made_size: height and width of made images.
    made_classes: classes of the made set; the other sets know theirs.
    whole: of a folder without train/, all of it, whatever the split.
    only: of a folder, names of images to take, whatever the split of class folders.
    partition: of 'places' and 'made_places', how they become classes, see
      `cells.Partition`.
    known: of these two, the classes of a run that has begun.
    dir_flag, split_flag: by which a person gives the folder and the split; errors say
      what to type.

  Returns:
    A `Source`.

  Raises:
    DataError: the set, the split or a file is not there, or cannot be used.
  """
  if wants not in WANTS:
    raise DataError(f'wants={wants!r} must be one of {", ".join(WANTS)}')
  hide_accelerators()
  # Imported here so that a folder does not wait for TFDS.
  if name == 'folder':
    from input_pipeline import folder, identities

    opens = {'identities': identities.open_identities}
    return opens.get(wants, folder.open_folder)(
      split,
      data_dir,
      seed=seed,
      holdout=holdout,
      group=group,
      fold=fold,
      whole=whole,
      only=only,
      dir_flag=dir_flag,
      split_flag=split_flag,
    )
  if name in _ANNOTATED:
    from input_pipeline import folder_split

    module, function = _ANNOTATED[name]
    return getattr(importlib.import_module(module), function)(
      split,
      data_dir,
      annotations_at=annotations,
      split_by=folder_split.Split(seed, holdout, group, fold),
      whole=whole,
      only=only,
      dir_flag=dir_flag,
      split_flag=split_flag,
      **({'partition': partition, 'known': known} if name == 'places' else {}),
    )
  if name == 'made_places':
    from input_pipeline.made_places import open_made_places

    return open_made_places(
      split,
      seed=seed,
      examples=made_examples,
      size=made_size,
      partition=partition,
      known=known,
    )
  if name in ('made_boxes', 'made_masks', 'made_tags'):
    from input_pipeline.made_shapes import open_shapes

    return open_shapes(name, split, seed=seed, examples=made_examples, size=made_size)
  if name == 'made':
    from input_pipeline.made import open_made

    return open_made(
      split, seed=seed, examples=made_examples, size=made_size, num_classes=made_classes
    )
  if name == 'digits':
    from input_pipeline.digits import open_digits

    return open_digits(split, data_dir, dir_flag)
  from input_pipeline.tfds_source import open_tfds

  wants = 'label' if wants == 'identities' else wants
  return open_tfds(name, split, data_dir, dir_flag, wants)


def hide_accelerators() -> None:
  """Keeps TensorFlow on the host: it would otherwise take all the memory of a GPU.

  Must run before TensorFlow's first op; opening a source does it.
  """
  import tensorflow as tf

  for kind in ('GPU', 'TPU'):
    if tf.config.get_visible_devices(kind):
      tf.config.set_visible_devices([], kind)
