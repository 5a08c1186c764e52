"""Which of the metrics are in percent, for whoever shows them beside others."""

import re

_OF_CLASSES = r'top\d+|\w*accuracy|nearest_class'
_OF_MARKS = r'mAP|AP\d*|AP_(small|medium|large)|AR_\w+|mIoU'
_OF_EMBEDDINGS = r'recall_at_\d+|map_at_r|tar_at_far_\S+|verification_deviation'
_OF_PLACES = r'within_\d+_km'
# A prefix says whose weights a metric is of: 'ema_top1'.
_PERCENT = re.compile(
  rf'(^|_)({"|".join((_OF_CLASSES, _OF_MARKS, _OF_EMBEDDINGS, _OF_PLACES))})$'
)


def in_percent(name: str) -> bool:
  """Whether a metric of this name is in percent: 'ema_mAP' is, 'loss' is not."""
  return _PERCENT.search(name) is not None
