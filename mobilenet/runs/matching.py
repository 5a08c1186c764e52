"""The classes of other data, matched by their names with what a run's network answers.

    source, notes = in_order_of_run(folder, source)
    task = restricted(task, source)

Labels may be of some of the run's classes, in any order. A class of ImageNet may be
called by its WordNet id or by its readable name, here and there.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import input_pipeline
from input_pipeline import renumbering
from input_pipeline.errors import some
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError, require
from mobilenet.weights import class_names


def in_order_of_run(
  folder: pathlib.Path,
  source: 'input_pipeline.Source',
  alias: Callable[[str], str] = class_names.wordnet_id,
) -> tuple['input_pipeline.Source', list[str]]:
  """A source, numbered as the run in a folder numbers its classes.

  Masks, and boxes of other classes than the run's, come back as they are. Tags may be
  others: those that the run has alone are unknown, those that it lacks are left out.

  Args:
    folder: the run's.
    source: of labels, answers, boxes, masks or tags.
    alias: names are the same class if these of them are equal.

  Returns:
    The source, which has the lines among its notes, and the lines for a person.

  Raises:
    TrainingError: a labelled class that the run does not know, or does not tell from
      another; it is named.
  """
  known, own = workdir.read_classes(folder), source.class_names
  if known is None or known == own or 'segmentation' in source.marks:
    return source, []
  if 'tags' in source.marks:
    return _tags(source, known)
  if source.marks and (len(set(own)) < len(own) or sorted(own) != sorted(known)):
    return source, []
  places = _places(own, known, alias)
  unknown = [name for name, place in zip(own, places, strict=True) if place is None]
  require(
    not unknown,
    f'{_counted(unknown, "class")} of {source.origin} that {folder} does not answer '
    f'with: {some(unknown)}; its {_counted(known, "class")} are {some(known)}: rename '
    'or take away what it does not know',
  )
  lines = _lines(source, known, places)
  found = renumbering.renumbered(source, known, places)
  return dataclasses.replace(found, notes=(*source.notes, *lines)), lines


def _tags(source, known):
  own = source.class_names
  lacking = [name for name in known if name not in own]
  more = [name for name in own if name not in known]
  if len(lacking) == len(known):
    return source, []  # of something else: whoever compares the names says so
  lines = [
    f'the tags of {source.origin} are matched with those of the run by their names'
  ]
  if lacking:
    lines.append(f'{source.origin} says nothing of {some(lacking)}: not measured')
  if more:
    lines.append(f'the run does not know {some(more)}: left out')
  return renumbering.renumbered_tags(source, known), lines


def _places(own, known, alias) -> list[int | None]:
  by_name = {name: place for place, name in enumerate(known)}
  by_alias: dict[str, list[int]] = {}
  for name, place in by_name.items():
    by_alias.setdefault(alias(name), []).append(place)
  places = []
  for name in own:
    found = [by_name[name]] if name in by_name else by_alias.get(alias(name), [])
    if len(found) > 1:
      both = ' and '.join(known[place] for place in found)
      raise TrainingError(
        f'{name} may be {both}, which the run has as two classes: give it one of these '
        'names'
      )
    places.append(found[0] if found else None)
  return places


def _lines(source, known, places) -> list[str]:
  there = set(places)
  if len(there) < len(known):
    return [
      f"{len(there):,} of the network's {len(known):,} classes are in {source.origin}; "
      'they are matched by their names'
    ]
  return [
    f'{source.origin} has the classes in another order or by other names than the run; '
    'they are matched by their names'
  ]


def restricted(task, source: 'input_pipeline.Source'):
  """(the task, which answers with the classes alone that a source has; how many).

  Args:
    task: classification.
    source: of labels, in the order of the run.

  Raises:
    DataError: its labels cannot be read.
  """
  from input_pipeline import class_reading  # TensorFlow, which the source has loaded

  there = class_reading.classes_there(source)
  among = () if len(there) == source.num_classes else there
  return dataclasses.replace(task, among=among), len(there)


def _counted(names: Sequence[str], noun: str) -> str:
  return f'{len(names):,} {noun}{"" if len(names) == 1 else "es"}'
