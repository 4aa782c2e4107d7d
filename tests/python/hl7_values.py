"""What is in the OBX of a recorded message, read with the package `hl7` and not with the driver.

Prints for each OBX, between tabs: OBX-3.1, OBX-5 without what is empty at its ends, OBX-6.1, OBX-7, OBX-8, OBX-11, OBX-14 and
OBX-19. Components stay as they are, escapes are undone.
"""

import sys

import hl7


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    message = hl7.parse(text.replace("\r\n", "\r").replace("\n", "\r").strip("\r") + "\r")
    for segment in message:
        if str(segment[0]) != "OBX":
            continue

        def field(number):
            return str(segment[number]) if len(segment) > number else ""

        def plain(part):
            return message.unescape(part)

        def first(number):
            return plain(field(number).split("~")[0].split("^")[0])

        value = plain(field(5).strip("^"))
        print("\t".join([first(3), value, first(6), plain(field(7)), field(8), field(11), first(14), first(19)]))


main()
