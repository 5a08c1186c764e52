"""The table of checks, and what they find in a folder of photos."""

import dataclasses
from collections.abc import Callable

from mobilenet.data_check import class_checks, file_checks, label_checks, shortcuts
from mobilenet.data_check.facts import Facts, Found

# Training fails or its numbers are wrong; a person should decide; good to know.
SERIOUS, LOOK, NOTE = SEVERITIES = ('serious', 'look', 'note')


@dataclasses.dataclass(frozen=True)
class Check:
  """name: of the check, in check.json. find: Facts -> Founds. advice: what to do."""

  name: str
  severity: str
  find: Callable[[Facts], list[Found]]
  advice: str


CHECKS = (
  Check(
    'refused',
    SERIOUS,
    class_checks.refused,
    'Training will not start until this is fixed.',
  ),
  Check(
    'unreadable',
    SERIOUS,
    file_checks.unreadable,
    'Copy them again from where they came, or delete them. Training leaves them out, '
    'up to --config.data.corrupt_limit of them.',
  ),
  Check(
    'across_folders',
    SERIOUS,
    class_checks.across_folders,
    'They make a measurement on one folder of what was trained on the other look too '
    'good. Remove them from one of the two.',
  ),
  Check(
    'across_parts',
    SERIOUS,
    class_checks.across_parts,
    'The evaluation measures what was learned by heart. Keep all copies of a photo in '
    'one part: delete the others.',
  ),
  Check(
    'in_two_classes',
    SERIOUS,
    class_checks.in_two_classes,
    'One of the labels is wrong, or the classes overlap. Keep each photo in one class.',
  ),
  Check(
    'single',
    SERIOUS,
    class_checks.single,
    'One photo cannot be both learned from and measured on. Add photos, or leave the '
    'class out.',
  ),
  Check(
    'unevaluated',
    SERIOUS,
    class_checks.unevaluated,
    'Nothing is measured of these classes. Move some of their photos over.',
  ),
  Check(
    'shortcut',
    SERIOUS,
    shortcuts.serious,
    'A network may learn this instead of what is shown, and fail on other photos. Take '
    'photos of each class in the same ways, or convert all files alike.',
  ),
  Check(
    'mislabelled',
    LOOK,
    label_checks.mislabelled,
    'Look at them, the first ones first, and move those that are wrong.',
  ),
  Check(
    'possible_shortcut',
    LOOK,
    shortcuts.look,
    'See whether that is chance. If not, take or convert the photos of all classes '
    'alike.',
  ),
  Check(
    'pixel_shortcut',
    LOOK,
    shortcuts.of_pixels,
    'It may belong to what is shown. If it is the light or the camera instead, vary it '
    'within each class; colour ops in the training help.',
  ),
  Check(
    'few',
    LOOK,
    class_checks.few,
    'Their numbers mean little. Add photos, or join classes.',
  ),
  Check(
    'unbalanced',
    LOOK,
    class_checks.unbalanced,
    'Read the balanced accuracy and the recall of each class, not top-1 alone.',
  ),
  Check(
    'repeated',
    LOOK,
    class_checks.repeated,
    'They count several times. Delete all but one, unless you mean it.',
  ),
  Check(
    'tiny',
    LOOK,
    file_checks.tiny,
    'They show next to nothing. They are often thumbnails or failed downloads: delete '
    'them.',
  ),
  Check(
    'blank',
    LOOK,
    file_checks.blank,
    'They show nothing. Delete them, unless an empty picture is a class.',
  ),
  Check(
    'huge',
    LOOK,
    file_checks.huge,
    'Each epoch decodes them whole. Make them smaller once.',
  ),
  Check(
    'long',
    LOOK,
    file_checks.long,
    'Most of them is cut off or squeezed on the way into the network. Crop them.',
  ),
  Check(
    'unusual_size',
    LOOK,
    file_checks.unusual_size,
    'They may come from elsewhere. Look at some.',
  ),
  Check(
    'deep',
    LOOK,
    file_checks.deep,
    'Only the upper 8 bits are kept. If your values fill a part of the range only, '
    'stretch them and save 8 bits.',
  ),
  Check(
    'animated',
    LOOK,
    file_checks.animated,
    'Only the first frame is seen. Save the frames that you want as photos.',
  ),
  Check(
    'cmyk',
    LOOK,
    file_checks.cmyk,
    'Their colours are converted without a colour profile. Convert them to RGB '
    'yourself if colours matter.',
  ),
  Check(
    'grey_and_colour',
    LOOK,
    file_checks.grey_and_colour,
    'If it differs between classes, it is a shortcut. Adding the op grey to train_ops '
    'and eval_ops makes all of them grey.',
  ),
  Check(
    'loose',
    LOOK,
    file_checks.loose,
    'Training does not see them. Move them into the folder of their class.',
  ),
  Check(
    'unreadable_others',
    LOOK,
    file_checks.unreadable_others,
    'They were not compared. Copy them again, or delete them.',
  ),
  Check(
    'passed_over',
    NOTE,
    file_checks.passed_over,
    'Training does not see them. Convert what is a photo.',
  ),
  Check(
    'below_resolution',
    NOTE,
    file_checks.below_resolution,
    'They are enlarged, which costs time and shows nothing more. A smaller resolution '
    'may do as well.',
  ),
  Check(
    'turned',
    NOTE,
    file_checks.turned,
    'All our readers turn them upright. Other programs may not.',
  ),
  Check(
    'palette',
    NOTE,
    file_checks.palette,
    'They are read as RGB. Palettes have few colours: go back to the originals if you '
    'can.',
  ),
  Check(
    'transparent',
    NOTE,
    file_checks.transparent,
    'Transparency is dropped: what is stored below it shows.',
  ),
  Check(
    'misnamed',
    NOTE,
    file_checks.misnamed,
    'The content decides, so they are read. Other programs may go by the name.',
  ),
)


@dataclasses.dataclass(frozen=True)
class Finding:
  """A `Found` with the name, the severity and the advice of its check."""

  check: str
  severity: str
  advice: str
  found: Found


def find(facts: Facts) -> tuple[Finding, ...]:
  """What all checks find, the serious ones first."""
  findings = [
    Finding(check.name, check.severity, check.advice, found)
    for check in CHECKS
    for found in check.find(facts)
  ]
  return tuple(sorted(findings, key=lambda f: SEVERITIES.index(f.severity)))
