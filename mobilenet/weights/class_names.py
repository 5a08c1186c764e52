"""Readable names of classes: ImageNet's WordNet ids in their usual order.

The order is that of the sorted ids, which torchvision, timm, Keras and TFDS share. A
name is the first word of the id's synset; where two classes have the same, what tells
them apart stands behind it: 'crane (bird)', 'crane (machine)'.
"""

import functools
import pathlib

_FILE = pathlib.Path(__file__).with_name('imagenet_classes.txt')


@functools.cache
def imagenet() -> tuple[tuple[str, str], ...]:
  """The 1,000 classes of ImageNet 2012 as (WordNet id, name), in order; no name twice.

  Class 0 is ('n01440764', 'tench').
  """
  lines = _FILE.read_text(encoding='utf-8').splitlines()
  return tuple((line[:9], line[10:]) for line in lines)


@functools.cache
def _names() -> dict[str, str]:
  return dict(imagenet())


@functools.cache
def _ids() -> dict[str, str]:
  return {name: wnid for wnid, name in imagenet()}


def wordnet_id(class_name: str) -> str:
  """'tabby' -> 'n02123045'; an id, or any other class name, as it is."""
  return _ids().get(class_name, class_name)


def display_name(class_name: str) -> str:
  """'n02123045' -> 'tabby'; any class name that is no id of ImageNet as it is."""
  return _names().get(class_name, class_name)
