"""What is wrong with an OpenAPI document, and with answers that it describes.

Takes JSON from standard input, {"document": …, "answers": [{"name": …, "schema": …, "body": …}]}, and prints a list of
problems as JSON. References in schemas are looked up in the document.

A member that the document does not tell of is a problem here, though clients are to take it: otherwise nobody would
notice that the document lags behind.
"""

import copy
import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012


def problems_of(document):
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        where = "/".join(str(part) for part in error.absolute_path)
        yield f"document: {where}: {error.message}"
    for schema in schemas_in(document):
        for error in META.iter_errors(schema):
            yield f"document: {json.dumps(schema)[:80]}: {error.json_path}: {error.message}"


def schemas_in(part):
    """The schemas of a document: its own validator takes them as they are."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "schema":
                yield value
            elif name == "schemas":
                yield from value.values()
            else:
                yield from schemas_in(value)
    elif isinstance(part, list):
        for value in part:
            yield from schemas_in(value)


# What a schema can be; OpenAPI 3.1 has the schemas of JSON Schema.
META = Draft202012Validator(Draft202012Validator.META_SCHEMA)

# The address that the document has here, so that a schema that is taken out of it can refer to it.
DOCUMENT = "urn:document"


def close(schema):
    """Forbids what the schema does not tell of, in all that it is made of; its references are to the document."""
    if isinstance(schema, list):
        return [close(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: close(part) for name, part in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    if str(closed.get("$ref", "")).startswith("#"):
        closed["$ref"] = DOCUMENT + closed["$ref"]
    return closed


def problems_with(answer, registry):
    schema = close(answer["schema"])
    validator = Draft202012Validator(
        schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for error in validator.iter_errors(answer["body"]):
        yield f"{answer['name']}: {error.json_path}: {error.message}"


def main():
    asked = json.load(sys.stdin)
    document = asked["document"]
    problems = list(problems_of(copy.deepcopy(document)))
    registry = Registry().with_resource(DOCUMENT, DRAFT202012.create_resource(close(document)))
    for answer in asked["answers"]:
        problems.extend(problems_with(answer, registry))
    json.dump(problems, sys.stdout)


main()
