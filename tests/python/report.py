"""Reads a verification's report with parsers that are not Orugate's.

    report.py HTML CSV

The CSV is read by Python's csv: every line has as many fields as the first, and results have what a reader looks for. The HTML is read
by html5lib, which says every error of syntax; without it by html.parser, which sees less. Neither has a script, a link to elsewhere or an attribute that runs.
"""

import csv
import sys
from html.parser import HTMLParser

VOID = {"meta", "br"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tbody", "tr", "th", "td", "ul", "li",
    "pre", "code", "br",
}
ATTRIBUTES = {"lang", "charset", "class", "scope"}


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text, self.wrong = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ALLOWED:
            self.wrong.append(f"<{tag}>")
        self.wrong += [f"{name}={value}" for name, value in attributes if name not in ATTRIBUTES]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data):
        self.text.append(data)


def main(html_file, csv_file):
    html = open(html_file, encoding="utf-8").read()
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert not tags.wrong and not tags.open, (tags.wrong, tags.open)
    try:
        import html5lib
    except ImportError:
        print("html5lib is not here: syntax was not looked at")
    else:
        parser = html5lib.HTMLParser(strict=True)
        parser.parse(html)
    with open(csv_file, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, strict=True))
    assert lines and all(None not in line and None not in line.values() for line in lines)
    results = [line for line in lines if line["what"] == "result"]
    assert results
    text = "".join(tags.text)
    for line in results:
        assert line["answer"] == "same" and line["acknowledged"] == "AA" and line["at"].endswith("Z"), line
        assert line["read_value"] == line["sent_value"], line
        assert line["input"].startswith("R|") and line["read_value"] in line["input"], line
        for part in (line["sample"], line["code"], line["sent_value"], line["msh_10"], line["input"]):
            assert part and part in text, (part, line)
    print(f"{len(results)} results")


if __name__ == "__main__":
    main(*sys.argv[1:])
