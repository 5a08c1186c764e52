"""Which values the fields of rows and styles can have, beside what their types say."""

from mobilenet.models.initializers import SCHEMES
from mobilenet.models.lowering import LOWERINGS, RULES
from mobilenet.models.rows import Universal

# Fields of a `Style`.
OF_STYLE = {
  'padding': ('tf', 'torch', 'keras_v1'),
  'squeeze': ('v3', 'mnasnet'),
  'init': tuple(SCHEMES),
  'dtype': ('float32', 'bfloat16', 'float16'),
  'lowering': LOWERINGS,
}
# Fields of rows that are texts.
OF_ROWS = {
  'padding': RULES,
  'kind': ('max', 'average'),  # of a pool
  'bypass': ('', 'identity', 'conv'),  # of SqueezeNet's
}
# Numbers that may be 0, which says that there is none; all others are above it.
MAY_BE_ZERO = (
  *('start', 'middle', 'hidden', 'padding', 'se', 'norm_group', 'norm_momentum'),
  *('alpha', 'beta', 'k'),  # of AlexNet's norm
)
SHARES = ('se', 'norm_momentum')  # at most 1
# More channels or pixels are a slip of the pen: no machine has room for their kernel.
MOST = 1 << 20
# Rows whose stride is at most so much; what computes them knows no other.
MOST_STRIDE = {
  **dict.fromkeys(('Attention', 'Fire', 'LocalNorm', 'Inception'), 1),
  **dict.fromkeys(('Unit', 'UnitV2'), 2),
}


def carries_stride(row) -> bool:
  """Whether something in a row has its stride: else the map would stay as it is."""
  stride = getattr(row, 'stride', 1)
  if isinstance(row, Universal) and not (row.start or row.middle):
    return stride == 1
  return stride <= MOST_STRIDE.get(type(row).__name__, stride)
