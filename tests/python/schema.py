"""What a JSON schema says of TOML files, by Python's tomllib and PyPI's jsonschema: none of Orugate's code.

    schema.py SCHEMA FILE...

Prints one line for each thing that is wrong, `FILE: KEY: what`, in the order of the keys, and last "N valid, M invalid".
KEY is as `orugate check` writes it: instrument[0].wire.baud. Exits 1 when a file is invalid, 2 when the schema is none.
"""

import json
import sys
import tomllib

import jsonschema


def key(path):
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(the file)"


def main(schema, files):
    with open(schema, encoding="utf-8") as file:
        schema = json.load(file)
    validator = jsonschema.validators.validator_for(schema, default=None)
    if validator is None:
        print("the schema does not say of which draft it is")
        return 2
    try:
        validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        print(f"not a schema: {error.message}")
        return 2
    invalid = 0
    for name in files:
        with open(name, "rb") as file:
            tree = tomllib.load(file)
        errors = sorted(validator(schema).iter_errors(tree), key=lambda error: key(error.absolute_path))
        for error in errors:
            # The innermost complaint: "is not valid under any of the given schemas" helps nobody.
            best = jsonschema.exceptions.best_match([error])
            print(f"{name}: {key(best.absolute_path)}: {best.message}")
        invalid += bool(errors)
    print(f"{len(files) - invalid} valid, {invalid} invalid")
    return 1 if invalid else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
