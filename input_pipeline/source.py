"""What a data set must tell the pipeline, whatever it is stored in."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class FileSlice:
  """Consecutive records of one TFRecord file; `start` is the index of the first."""

  filename: str
  skip: int
  take: int
  start: int


@dataclasses.dataclass(frozen=True)
class Source:
  """One split of a data set, opened.

  An example's index is its place in the split, 0..num_examples-1, and stays the same
  whatever the process count or the shuffling.

  Attributes:
    name: the data set, as it was asked for.
    split: the split, as it was asked for.
    num_examples: examples in the split, over all processes.
    num_classes: classes of the data set, not only of this split.
    class_names: their names, in the order of the labels.
    describe: index -> file name, or 'cifar10/test[17]': what a person can look up.
    read: what `slices` yields, or an index, -> {'encoded': string} or {'image': uint8
      (height, width, channels)}, and the fields of the example by name ('label': int32
      for a class, 'answers': uint8 (num_classes,), 1 for each class that is right),
      each of one shape, which batches carry as they are. 'boxes',
      'classes' and 'crowd', or 'segmentation', uint8 (height, width), go through the
      ops with the image; see `marks`.
    image_size: (height, width), None where it differs between images.
    slices: (process_index, process_count) -> that process's `FileSlice`s; None for a
      source with random access, whose `read` takes an index.
    origin: where the data comes from, whatever it is called: a folder's absolute path,
      TFDS' full name with the version.
    names: of a folder, the examples' paths relative to `origin`, with / between.
    labels: of a folder, the class of every example; None where reading tells.
    by_seed: whether a seed made the split, and not whoever made the data.
    unlabelled: those of the parts of a split whose first example has no label (-1).
    notes: on the data, a line each, that a person should see before a run.
    class_counts: of data with boxes, how many each class has in this split; None where
      only reading tells.
    marks: what reading gives besides a label: 'boxes', 'segmentation' or 'tags'.
    fields: of listed photos, what batches carry of each besides its image, (N, ...) by
      name; None where only reading tells.
    category_ids: of COCO files, their number of each class.
    image_ids: of COCO files, their number (or name) of each example.
  """

  name: str
  split: str
  num_examples: int
  num_classes: int
  class_names: tuple[str, ...]
  describe: Callable[[int], str]
  read: Callable[[Any], dict[str, Any]]
  image_size: tuple[int | None, int | None] = (None, None)
  slices: Callable[[int, int], tuple[FileSlice, ...]] | None = None
  origin: str = ''
  names: tuple[str, ...] | None = None
  labels: tuple[int, ...] | None = None
  by_seed: bool = False
  unlabelled: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()
  class_counts: tuple[int, ...] | None = None
  category_ids: tuple[int, ...] | None = None
  image_ids: tuple[int | str, ...] | None = None
  marks: tuple[str, ...] = ()
  fields: Mapping[str, Any] | None = dataclasses.field(default=None, compare=False)
