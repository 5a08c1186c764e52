"""What came of a search in a space: search.md, ranks.csv and figures."""


def write(folder, request, chosen, items, seeds):
  pass
