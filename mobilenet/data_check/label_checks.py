"""Photos whose label is doubted, as a finding."""

from mobilenet.data_check.facts import Facts, Found, counted


def mislabelled(facts: Facts) -> list[Found]:
  doubts = facts.doubts
  if doubts is None or not doubts.suspects:
    return []
  photos = [facts.photos[index] for index in doubts.indexes[: doubts.suspects]]
  remarks = {
    photo.name: f'{likely}? its own label has {confidence:.1%}'
    for photo, likely, confidence in zip(
      photos, doubts.likely, doubts.confidence, strict=False
    )
  }
  line = f'{counted(len(photos), "photo")} that may have a wrong label'
  if doubts.left_out:
    line += (
      f' (not judged: {counted(len(doubts.left_out), "small class", "small classes")})'
    )
  return [Found(line, tuple(p.name for p in photos), remarks=remarks)]
