"""Directives for the parts of the reference that come from the program: `verbs` and `recipe-fields`."""

from collections.abc import Iterator
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from docutils import nodes
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from tenfold import recipes
from tenfold.cli import app as command_line
from tenfold.recipes import Recipe

PROGRAM = get_command(command_line)  # read now: autodoc puts other objects in the place of defaults
SIGNS = {Ge: "≥ {.ge:,}", Gt: "> {.gt:,}", Le: "≤ {.le:,}", Lt: "< {.lt:,}"}


class Verbs(SphinxDirective):
    """One section per verb: its purpose, an example, its arguments and options, from the texts of `--help`."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        return self.parse_text_to_nodes("\n".join(_verbs()), allow_section_headings=True)


class RecipeFields(SphinxDirective):
    """A table of a recipe's fields: the allowed values, and the values of the named recipes."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes("\n".join(_fields()))


def _verbs() -> Iterator[str]:
    for name, command in PROGRAM.commands.items():
        context = command.make_context(f"tenfold {name}", [], resilient_parsing=True)
        what, _, example = (command.help or "").partition("Example: ")
        usage = command.get_usage(context).removeprefix("Usage: ")
        yield f"## {name}\n\n{what.strip()}\n"
        yield f"```text\n{' '.join(usage.split())}\n```\n"
        yield f"For example:\n\n```sh\n{example.strip()}\n```\n"
        yield f"```{{program}} tenfold {name}\n```\n"
        for parameter in command.get_params(context):
            if (record := parameter.get_help_record(context)) and parameter.name != "help":
                left, right = record
                yield f"````{{option}} {left}\n{_escaped(right)}\n````\n"


def _fields() -> Iterator[str]:
    named = {name: make().model_dump() for name, make in recipes.RECIPES.items()}
    yield f"| field | meaning | values | {' | '.join(f'`{name}`' for name in named)} |"
    yield "|---|---|---|" + "---|" * len(named)
    for name, field in Recipe.model_fields.items():
        values = " | ".join(_value(recipe[name]) for recipe in named.values())
        yield f"| `{name}` | {_escaped(field.description or '')} | {_takes(field)} | {values} |"


def _takes(field: FieldInfo) -> str:
    """Return the type and the bounds of a field, as it declares them."""
    kind = getattr(field.annotation, "__name__", "") if isinstance(field.annotation, type) else str(field.annotation)
    choices = getattr(field.annotation, "__args__", ()) if kind.startswith("typing.Literal") else ()
    if choices:
        return " or ".join(f"`{choice}`" for choice in choices)
    bounds = [sign.format(one) for one in field.metadata for bound, sign in SIGNS.items() if isinstance(one, bound)]
    return ", ".join([f"`{kind}`".replace("|", "or"), *bounds])


def _value(value: Any) -> str:
    return "none" if value is None else f"`{value}`" if value != {} else "none"


def _escaped(text: str) -> str:
    return text.replace("|", r"\|").replace("<", r"\<").replace("*", r"\*")


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_directive("verbs", Verbs)
    app.add_directive("recipe-fields", RecipeFields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
