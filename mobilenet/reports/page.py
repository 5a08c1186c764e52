"""A report as one HTML file that a browser or a printer shows without any other.

    page = Page('flowers', 'MobileNetV2 x1.0 on 734 photos')
    page.section('How good', text('91.5 % of the photos are named rightly.'))
    page.section('Where it fails', table(('class', 'recall'), rows))
    page.write(folder / 'report.html')

Parts are made by the functions here. Text that is passed in is escaped; pictures are
embedded, so that nothing is fetched when the page opens. It has no script.
"""

import base64
import html
import io
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape

from mobilenet.reports import canvas
from mobilenet.training import files

KINDS = ('note', 'good', 'warning')


class Page:
  """Sections in order, with a list of links to them at the top.

  Args:
    title: of the page and its heading.
    subtitle: the line below it.
  """

  def __init__(self, title: str, subtitle: str = ''):
    self._title, self._subtitle = title, subtitle
    self._sections: list[tuple[str, str, Markup]] = []

  def section(self, title: str, *parts: Markup) -> None:
    """Adds a section; one without parts is left out."""
    if parts:
      name = f'section-{len(self._sections) + 1}'
      self._sections.append((name, title, Markup('\n').join(parts)))

  def html(self) -> str:
    """The whole file."""
    links = _join('<a href="#{}">{}</a>', [(n, t) for n, t, _ in self._sections])
    sections = _join('<section id="{}">\n<h2>{}</h2>\n{}\n</section>\n', self._sections)
    return _FILE.format(
      title=self._title,
      style=Markup(_STYLE),
      subtitle=self._subtitle,
      links=links,
      sections=sections,
    )

  def write(self, path: str | os.PathLike) -> pathlib.Path:
    """Writes the file, whole or not at all.

    Raises:
      TrainingError: it cannot be written.
    """
    return files.replace_file(path, self.html().encode('utf-8', 'backslashreplace'))


def text(*paragraphs: str) -> Markup:
  """Paragraphs of plain text."""
  return _join('<p>{}</p>', [(paragraph,) for paragraph in paragraphs])


def items(lines: Iterable[str]) -> Markup:
  """A list of plain lines."""
  return Markup('<ul>{}</ul>').format(_join('<li>{}</li>', [(n,) for n in lines]))


def notice(kind: str, line: str) -> Markup:
  """A line in a coloured box; kind is one of KINDS."""
  if kind not in KINDS:
    raise ValueError(f'kind {kind!r} is not one of {", ".join(KINDS)}')
  return Markup('<p class="notice {}">{}</p>').format(kind, line)


def headline(facts: Sequence[tuple[str, str]]) -> Markup:
  """A few (value, what it is) in large letters beside each other."""
  pairs = _join('<div><b>{}</b><span>{}</span></div>', facts)
  return Markup('<div class="headline">{}</div>').format(pairs)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
  """A table; cells that are numbers, or look like them, are right-aligned."""
  head = _join('<th>{}</th>', [(column,) for column in columns])
  body = _join('<tr>{}</tr>\n', [(_cells(row),) for row in rows])
  return Markup(
    '<div class="wide"><table><thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table>'
    '</div>'
  ).format(head, body)


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
  """A table of (what, value) without a heading; nothing is right-aligned."""
  rows = _join('<tr><th scope="row">{}</th><td>{}</td></tr>\n', pairs)
  return Markup(
    '<div class="wide"><table class="facts"><tbody>\n{}</tbody></table></div>'
  ).format(rows)


def figure(drawn, caption: str, *, dpi: int = 160) -> Markup:
  """A matplotlib Figure (see `canvas`) with a caption, which describes it as well.

  It is shown at its own size where there is room, an inch as 96 pixels: one of at most
  4.6 inches is readable on a phone.
  """
  width = round(96 * drawn.get_figwidth())
  return _figure(canvas.png(drawn, dpi=dpi), 'image/png', caption, width)


def picture(pixels: np.ndarray, caption: str, *, side: int = 320) -> Markup:
  """A photo, uint8 (H, W, 3), shrunk to at most `side` pixels, with a caption."""
  return jpeg(thumbnail(pixels, side), caption)


def jpeg(data: bytes, caption: str) -> Markup:
  """A photo that is a JPEG already, see `thumbnail`, with a caption."""
  return _figure(data, 'image/jpeg', caption)


def gallery(pictures: Iterable[Markup], *, size: str = '') -> Markup:
  """Pictures beside each other, as many in a row as there is room for.

  `size` is '' for about 180 px each, 'small' for half of that, 'large' for twice.
  """
  kind = ' '.join(filter(None, ('gallery', size)))
  return Markup('<div class="{}">{}</div>').format(kind, Markup('').join(pictures))


def heading(line: str) -> Markup:
  """A heading within a section."""
  return Markup('<h3>{}</h3>').format(line)


def beside(*parts: Markup) -> Markup:
  """Figures beside each other where there is room, else below each other."""
  return Markup('<div class="beside">{}</div>').format(Markup('').join(parts))


def details(summary: str, *parts: Markup) -> Markup:
  """Parts that are folded away until a person opens them; printed unfolded."""
  return Markup('<details><summary>{}</summary>{}</details>').format(
    summary, Markup('').join(parts)
  )


def thumbnail(pixels: np.ndarray, side: int) -> bytes:
  """uint8 (H, W, 3) as a JPEG of at most `side` pixels on its longer side."""
  from PIL import Image

  image = Image.fromarray(np.asarray(pixels, np.uint8))
  image.thumbnail((side, side))
  data = io.BytesIO()
  image.save(data, format='JPEG', quality=80)
  return data.getvalue()


def _figure(data: bytes, kind: str, caption: str, width: int | None = None) -> Markup:
  size = Markup(' width="{}"').format(width) if width else ''
  return Markup(
    '<figure><img src="data:{};base64,{}"{} alt="{}"><figcaption>{}</figcaption>'
    '</figure>'
  ).format(kind, base64.b64encode(data).decode(), size, caption, caption)


def _cells(row: Sequence[object]) -> Markup:
  return Markup('').join(
    Markup('<td class="number">{}</td>' if _is_number(cell) else '<td>{}</td>').format(
      cell
    )
    for cell in row
  )


def _is_number(cell: object) -> bool:
  shown = html.unescape(str(escape(cell))).strip()
  return shown in ('', '–') or (shown[:1] in '+-−0123456789' and len(shown) < 24)


def _join(pattern: str, rows: Iterable[Sequence[object]]) -> Markup:
  return Markup('').join(Markup(pattern).format(*row) for row in rows)


_STYLE = """
:root { --ink: #1c2733; --soft: #5b6b7b; --line: #d8dfe6; --paper: #fff;
  --link: #0b5cad }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1.2rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.7rem; overflow-wrap: anywhere }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.25rem; border-bottom: 1px solid var(--line) }
h3 { margin: 1.6rem 0 .4rem; font-size: 1.05rem; overflow-wrap: anywhere }
.subtitle { margin: .2rem 0 1rem; color: var(--soft) }
nav a { display: inline-block; margin: 0 1rem .3rem 0; color: var(--link) }
p, li { max-width: 46rem; overflow-wrap: anywhere }
.headline { display: flex; flex-wrap: wrap; gap: 1rem 2.4rem; margin: 1rem 0 }
.headline b { display: block; font-size: 1.7rem; line-height: 1.2 }
.headline span { color: var(--soft) }
.notice { padding: .6rem .9rem; border-left: 4px solid; border-radius: 3px }
.notice.note { border-color: #6b7f93; background: #eef2f6 }
.notice.good { border-color: #2b8a4b; background: #eaf6ee }
.notice.warning { border-color: #c4661f; background: #fdf1e6 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0 }
th, td { padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 600 }
.facts td, .facts th { white-space: normal; overflow-wrap: anywhere }
.facts th { min-width: 8rem }
td.number { text-align: right; white-space: nowrap }
figure { margin: 1rem 0 }
figure img { max-width: 100%; height: auto }
figcaption { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere }
.gallery { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)) }
.gallery.small { gap: .6rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)) }
.gallery.small figcaption { font-size: .75rem; line-height: 1.3 }
.gallery.large { grid-template-columns:
  repeat(auto-fill, minmax(min(20rem, 100%), 1fr)) }
.gallery figure { margin: 0; min-width: 0 }
.beside { display: flex; flex-wrap: wrap; gap: 0 1.5rem }
.beside figure { max-width: 100%; flex: 0 1 auto }
.gallery img { width: 100%; border-radius: 3px }
summary { cursor: pointer; color: var(--link) }
@media print {
  body { max-width: none; padding: 0; font-size: 11pt }
  nav { display: none }
  h2, summary { break-after: avoid }
  figure, tr, .notice { break-inside: avoid }
  details::details-content { content-visibility: visible; block-size: auto }
}
"""

_FILE = Markup(
  """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="subtitle">{subtitle}</p>
<nav>{links}</nav>
</header>
<main>
{sections}</main>
</body>
</html>
"""
)
