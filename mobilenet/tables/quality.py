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
QUALITIES = (IMAGENET, COCO, VOC, CITYSCAPES)
