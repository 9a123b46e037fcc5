"""How the documentation is built: `make docs`. Nothing is fetched, neither here nor in a reader's browser."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
NOTEBOOKS = DOCS / "notebooks"  # copies: Sphinx reads nothing from outside its folder
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent / "src")]

NOTEBOOKS.mkdir(exist_ok=True)
committed = {path.name: path for path in (DOCS.parent / "notebooks").glob("*.ipynb")}
for copy in NOTEBOOKS.iterdir():
    if copy.name not in committed:
        copy.unlink()
for name, path in committed.items():
    content = path.read_text()
    for there, here in (("](../docs/", "](../"), ("](../EXPERIMENTS.md", "](../experiments.md")):
        content = content.replace(there, here)
    if not (NOTEBOOKS / name).is_file() or (NOTEBOOKS / name).read_text() != content:
        (NOTEBOOKS / name).write_text(content)

project = "Tenfold"
author = "the Tenfold maintainers"
copyright = "the Tenfold maintainers, MIT licence"
language = "en"
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "reference", "mathml"]
nb_execution_mode = "off"  # notebooks are shown with the outputs that are committed, which tests check
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
highlight_language = "text"

autosummary_generate = True
autosummary_ignore_module_all = False
# Not in the reference: verbs and the service have pages of their own, and only the report calls its chapters.
autosummary_context = {"internal": ["tenfold.__main__", "tenfold.cli", "tenfold.serve", "tenfold.report.sections"]}
autodoc_default_options = {"members": True, "exclude-members": "model_config"}
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
default_role = "code"

nitpicky = True
# What is described elsewhere: nothing is fetched to link to it.
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(annotated_types|asyncio|collections|concurrent|contextlib|decimal|enum|fastapi|inspect|keras|logging|markupsafe|matplotlib|np|"
        r"numpy|onnx|onnxruntime|optuna|pathlib|PIL|prometheus_client|psycopg|pyarrow|pydantic|socket|sqlalchemy|starlette|subprocess|tensorflow|torch|types|"
        r"typer|typing|uvicorn)\..*|ModuleType|IncEx|Session|tenfold\.serve\.intake\.Result|tenfold\.pool\.[KT]|tenfold\.(files|runs)\.T",
    ),
    (r"py:.*", r"_PydanticGeneralMetadata|FieldInfo|NoneType|Ge|Gt|Le|Lt|MinLen|MaxLen|[\d.]+"),  # bounds of fields
]

html_theme = "furo"
html_title = "Tenfold"
html_static_path = ["_static"]
html_css_files = ["tenfold.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#005b8f", "color-brand-content": "#0072b2"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"},
    "navigation_with_keys": True,
}


def setup(app):
    """Lead a page's links to the notebooks, written as they hold in the repository, to their copies."""

    def to_copies(app, name, source):
        source[0] = source[0].replace("](../notebooks/", "](notebooks/")

    app.connect("source-read", to_copies)
