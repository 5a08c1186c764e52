"""VGG-16 and VGG-19 (https://arxiv.org/abs/1409.1556), Table 1, columns D and E.

The multiply-adds that are published elsewhere, 15,300 M in the MobileNet and ShuffleNet
papers and 19.6 G in ResNet's, are those of the convolutions; the three dense layers of
the head, 124 M, are counted here too (15,470 M and 19,632 M).
"""

from mobilenet.models.rows import Conv, FlatHead, Network, Pool, Style

# Channels and number of convolutions of each stage: a 2x2 pool follows each.
D = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
E = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


def vgg(stages) -> Network:
  """A column of the table; the last map is 7 x 7 at 224 px."""
  rows = []
  for channels, convolutions in stages:
    rows += [Conv(3, channels)] * convolutions
    rows.append(Pool(2, 2, padding='valid'))
  return Network(
    rows=tuple(rows),
    head=FlatHead(7),
    # Without norms, weights of the wrong size do not begin to learn: the paper grew its
    # networks out of shallower ones that were trained first (section 3.1).
    style=Style(padding='torch', norm=False, init='fan_in'),
  )


NETWORKS = {'vgg16': vgg(D), 'vgg19': vgg(E)}
