"""The photos of which a tag is told most wrongly."""

from collections.abc import Mapping, Sequence

import numpy as np

from mobilenet.tasks.tags import scoring
from mobilenet.tasks.tags.scoring import Score

MOST_TAGS = 20  # that are shown: those of the lowest average precision
EACH = 3  # photos that lack a tag and are said to have it, and the other way round


def find(
  kept: Mapping[str, np.ndarray], scores: Sequence[Score]
) -> dict[int, list[tuple[int, float]]]:
  """Tag -> (place of a photo, its probability of the tag), the worst tags first.

  Of each tag first photos that have it and are below its threshold, then photos that
  have it not and are above. A tag without mistakes is left out.

  Args:
    kept: 'logits' and 'tags', (N, K). scores: of the K tags.
  """

  def own(tag: int) -> float:
    value = scores[tag].average_precision
    return 2.0 if value is None else value

  found = {}
  for tag in sorted(range(len(scores)), key=own):
    shares = scoring.probabilities(kept['logits'][:, tag])
    tags = kept['tags'][:, tag]
    above = shares >= scores[tag].threshold
    missed, wrong = (
      np.flatnonzero(n) for n in ((tags > 0) & ~above, (tags == 0) & above)
    )
    places = [
      *missed[np.argsort(shares[missed], kind='stable')][:EACH],
      *wrong[np.argsort(-shares[wrong], kind='stable')][:EACH],
    ]
    if places:
      found[tag] = [(int(place), float(shares[place])) for place in places]
    if len(found) == MOST_TAGS:
      break
  return found
