"""All that the checks look at, and what one of them finds."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping

from mobilenet.data_check import duplicates
from mobilenet.data_check.duplicates import Group
from mobilenet.data_check.listing import Listing
from mobilenet.data_check.mislabelled import Doubts
from mobilenet.data_check.photo_facts import Photo


@dataclasses.dataclass(frozen=True)
class Facts:
  """A folder of photos, scanned.

  listing: of the folder.
  photos: a fact sheet for each of its files, in the order of `listing.files`.
  others: those of --other_dir; their names begin with that folder.
  doubts: None where no network looked at the photos.
  resolution: px, of the network that is to be trained; None if unknown.
  """

  listing: Listing
  photos: tuple[Photo, ...]
  others: tuple[Photo, ...] = ()
  doubts: Doubts | None = None
  resolution: int | None = None

  @functools.cached_property
  def readable(self) -> tuple[Photo, ...]:
    return tuple(photo for photo in self.photos if photo.is_read)

  @functools.cached_property
  def labelled(self) -> tuple[Photo, ...]:
    """Those that can be read and lie in a class folder."""
    return tuple(photo for photo in self.readable if photo.class_name)

  @functools.cached_property
  def copies(self) -> tuple[Group, ...]:
    """Copies among the photos and those of the other folder."""
    return duplicates.groups((*self.photos, *self.others))

  @functools.cached_property
  def other_names(self) -> frozenset[str]:
    return frozenset(photo.name for photo in self.others)


@dataclasses.dataclass(frozen=True)
class Found:
  """What a check found.

  line: for people, with the number.
  photos: names, all of them.
  groups: names that belong together, such as the copies of one photo.
  remarks: name -> a word about it.
  """

  line: str
  photos: tuple[str, ...] = ()
  groups: tuple[tuple[str, ...], ...] = ()
  remarks: Mapping[str, str] = dataclasses.field(default_factory=dict)


def of_photos(line: str, photos: Iterable[Photo], remark=None) -> list[Found]:
  """A finding about photos, or nothing if there are none.

  Args:
    line: with {photos} for their number: '2 photos'.
    photos: in any order.
    remark: photo -> a word about it.
  """
  photos = tuple(photos)
  if not photos:
    return []
  remarks = {photo.name: remark(photo) for photo in photos} if remark else {}
  names = tuple(photo.name for photo in photos)
  return [Found(line.format(photos=counted(len(names), 'photo')), names, (), remarks)]


def counted(number: int, noun: str, plural: str = '') -> str:
  """'1 photo', '2,000 photos', '3 classes'."""
  return f'{number:,} {noun if number == 1 else plural or noun + "s"}'


def printable(name: str) -> str:
  """A name with escapes for bytes that are not UTF-8."""
  return name.encode('utf-8', 'backslashreplace').decode()


def some(names: Iterable[str], most: int = 3) -> str:
  """The first names, and '...' for more."""
  names = list(names)
  return ', '.join(names[:most]) + ', ...' * (len(names) > most)
