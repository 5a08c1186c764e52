"""How metrics are shown: which of them are in percent, and the digits of others."""

import re

_OF_CLASSES = r'top\d+|\w*accuracy|nearest_class'
_OF_MARKS = r'mAP|AP\d*|AP_(small|medium|large)|AR_\w+|mIoU'
_OF_EMBEDDINGS = r'recall_at_\d+|map_at_r|tar_at_far_\S+|verification_deviation'
_OF_TAGS = r'mean_AUC|mean_F1'
_OF_PLACES = r'within_\d+_km'
# A prefix says whose weights a metric is of: 'ema_top1'.
_PERCENT = re.compile(
  rf'(^|_)({"|".join((_OF_CLASSES, _OF_MARKS, _OF_EMBEDDINGS, _OF_TAGS, _OF_PLACES))})$'
)
_LARGEST = 1e9  # that is written without a power of ten


def in_percent(name: str) -> bool:
  """Whether a metric of this name is in percent: 'ema_mAP' is, 'loss' is not."""
  return _PERCENT.search(name) is not None


def decimal(value: float, digits: int) -> str:
  """12.3456 -> '12.3', of `digits` = 3; 15950.2 -> '15,950', not '1.6e+04'."""
  if 10 ** (digits - 1) <= abs(value) < _LARGEST:
    return f'{value:,.0f}'
  return f'{value:.{digits}g}'
