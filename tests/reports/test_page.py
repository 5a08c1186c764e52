"""A page is one file that needs no other, whatever is put into it."""

import html.parser

import numpy as np
import pytest

from mobilenet.reports import canvas, page


class Seen(html.parser.HTMLParser):
  """Tags that are open, links, ids, sources and the visible text of a page."""

  def __init__(self, text):
    super().__init__()
    self.open, self.links, self.ids, self.sources, self.words = [], [], [], [], []
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    attributes = dict(attributes)
    if tag not in ('meta', 'img', 'br'):
      self.open.append(tag)
    self.links += [attributes['href']] if 'href' in attributes else []
    self.ids += [attributes['id']] if 'id' in attributes else []
    self.sources += [attributes['src']] if 'src' in attributes else []

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    self.words.append(data)


def whole_page():
  drawn = canvas.new_figure(2, 1)
  drawn.subplots().plot([0, 1])
  photo = np.zeros((400, 600, 3), np.uint8)
  made = page.Page('cats & <dogs>', '20 photos')
  made.section('Numbers', page.headline([('91 %', 'right')]), page.text('one', 'two'))
  made.section('Empty')
  made.section(
    'Parts',
    page.notice('warning', 'few photos'),
    page.items(['a', '<b>']),
    page.table(('class', 'recall'), [('rose', 0.5), ('<script>', '12.5 %')]),
    page.figure(drawn, 'A line "up"'),
    page.heading('pictures <of> it'),
    page.details(
      'more', page.gallery([page.picture(photo, 'x.jpg')] * 2, size='small')
    ),
  )
  return made


def test_it_closes_what_it_opens_and_links_to_what_is_there():
  seen = Seen(whole_page().html())
  assert seen.open == []
  assert [link.removeprefix('#') for link in seen.links] == seen.ids
  assert len(seen.ids) == 2  # the empty section is left out


def test_nothing_is_fetched_and_nothing_runs():
  seen = Seen(whole_page().html())
  assert len(seen.sources) == 3
  assert all(source.startswith('data:image/') for source in seen.sources)
  assert '<script' not in whole_page().html()


def test_text_of_people_is_text():
  seen = Seen(whole_page().html())
  words = ''.join(seen.words)
  for given in ('cats & <dogs>', '<script>', '<b>', 'pictures <of> it'):
    assert given in words


def test_numbers_are_right_aligned():
  shown = page.table(
    ('a', 'b'), [('rose', 0.5), ('3 photos of a long description', '–')]
  )
  assert shown.count('class="number"') == 2


def test_pictures_are_shrunk():
  import io

  from PIL import Image

  small = Image.open(io.BytesIO(page.thumbnail(np.zeros((400, 600, 3)), 320)))
  assert small.size == (320, 213)


def test_an_unknown_kind_of_notice_is_refused():
  with pytest.raises(ValueError, match='note, good, warning'):
    page.notice('bad', 'x')


def test_names_that_are_no_text_can_be_written(tmp_path):
  made = page.Page('photos')
  made.section('Names', page.text('caf\udce9.jpg'))
  path = made.write(tmp_path / 'page.html')
  assert 'caf\\udce9.jpg' in path.read_text(encoding='utf-8')


def test_facts_are_text_and_never_right_aligned():
  shown = page.facts([('Learning rate', '0.0005, cosine'), ('Step', '<92>')])
  assert 'class="number"' not in shown
  assert '&lt;92&gt;' in shown


def test_a_figure_is_shown_at_its_own_size():
  assert 'width="384"' in page.figure(canvas.new_figure(4, 1), 'A line')
