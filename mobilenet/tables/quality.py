"""What tables say how good a network is by, and which finished runs that is of."""

from typing import NamedTuple


class Quality(NamedTuple):
  """A metric on a split of a data set.

  metric: its name in `result.json`, in percent. short, long: as tables and figures have
  it. data, split, examples: a run counts that was evaluated on all of these.
  """

  metric: str
  short: str
  long: str
  data: str
  split: str
  examples: int


IMAGENET = Quality(
  *('top1', 'top-1', 'top-1 accuracy (%)'), *('imagenet2012', 'validation', 50_000)
)
COCO = Quality('mAP', 'mAP', 'mAP (%)', 'coco/2017', 'validation', 5_000)
VOC = Quality('mIoU', 'mIoU', 'mean IoU (%)', 'voc/2012', 'validation', 1_449)
CITYSCAPES = Quality(
  *('mIoU', 'mIoU', 'mean IoU (%)'),
  *('cityscapes/semantic_segmentation', 'validation', 500),
)
DOGS = Quality('top1', 'top-1', 'top-1 accuracy (%)', 'stanford_dogs', 'test', 8_580)
# Of runs on these a table can name the results.
QUALITIES = (IMAGENET, COCO, VOC, CITYSCAPES, DOGS)
# Their photos are not public: no run has been measured on them.
PLACES = Quality('within_2500_km', '2,500 km', 'within 2,500 km (%)', '', '', 0)
ATTRIBUTES = Quality('mAP', 'mean AP', 'mean average precision (%)', '', '', 0)
FACES = Quality(
  *('accuracy', 'accuracy', 'accuracy at a false accept rate of 1e-4 (%)'), *('', '', 0)
)
