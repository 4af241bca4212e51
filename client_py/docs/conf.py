"""Settings of Sphinx, see tools/python_docs."""

import pathlib
import re
import sys
from typing import Any

from docutils.parsers.rst.roles import code_role

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "src"))

import rtmixd

project = "rtmixd for Python"
author = "the rtmixd authors"
release = version = rtmixd.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
html_theme = "furo"
html_title = f"rtmixd for Python {release}"
html_copy_source = False
html_show_copyright = False

default_role = "name"

autodoc_default_options = {
    "members": True,
    "inherited-members": "Exception, BaseException, tuple",
    "member-order": "bysource",
    "show-inheritance": True,
}
autodoc_typehints = "none"
autoclass_content = "class"
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_rtype = False
# Both surfaces have one.
napoleon_preprocess_types = True
napoleon_type_aliases = {"Client": ":py:class:`~rtmixd.Client`"}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3


def _name(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Any,
    options: Any = None,
    content: Any = (),
) -> Any:
    """Link what backticks name in docstrings: classes and their methods, but not parameters."""
    if re.match(r"~?([A-Z]|.*\.)", text):
        role = inliner.document.settings.env.get_domain("py").role("obj")
        return role("py:obj", rawtext, text, lineno, inliner, options or {}, content)
    return code_role(name, rawtext, text, lineno, inliner, options, content)


def setup(app: Any) -> None:
    """Add the role for backticks."""
    app.add_role("name", _name)
