"""What is a page of the console made of? Views that it asks for, tables that it shows, actions that it offers.

Values only: routes, menus, forms, CSV files and the walking tests are all made from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.console.frame.session import Visit
from gateway.console.frame.words import Words
from gateway.staff.roles import Role

REGISTRAR, APPROVER, AUDITOR = Role.REGISTRAR, Role.APPROVER, Role.AUDITOR
KEY_OFFICER, REGENCY_OPERATOR, ENGINEER = Role.KEY_OFFICER, Role.REGENCY_OPERATOR, Role.ENGINEER
EVERYBODY = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the member of an item (dotted for one inside another), how it is shown, and where it leads.

    `kind`: text | code | state | time | day | money | number | yes | list | codes. `link` is a path whose {names} are members of
    the item. Heading: the text `column.<name>` (`label` instead of the name when given).
    """

    name: str
    kind: str = "text"
    link: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table over a list of a view: `items` is the member of the document of the ask `of` that holds it.

    `more`: (item, words) → what an item has beside its members. Texts: `table.<name>` (caption) and `table.<name>.empty`
    (what to do when nothing is there). `?csv=<name>` gives all of it.
    """

    name: str
    of: str
    columns: tuple[Column, ...]
    items: str = "items"
    more: Callable[[Mapping[str, Any], Words], Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A view that a page reads, sealed under `scope`: templates find its document as `docs.<name>`.

    `path`: name in the view's path → name in the page's path ("=text" for a text as it is). An engineer's own partner is
    put into `partner` for views of `nik.verify`. `roles`: who reads it, all that may open the page when empty; for others
    `docs.<name>` is None, and nothing is read. `query`: parameters of the page's own query that the view takes; `fixed`
    such that it is always given. `also` is a scope that serves as well, for readers of another role. `optional`: a
    refusal leaves `docs.<name>` None instead of refusing the page, and stands in `problems.<name>`. `needs`: parameters of
    the page's query without which it is not asked yet.
    """

    name: str
    view: str
    scope: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    also: str = ""
    optional: bool = False
    roles: frozenset[Role] = frozenset()
    needs: tuple[str, ...] = ()


PAGED = ("cursor", "limit")
"""The query of a list that pages by cursor."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form: a member of the body (dotted for one inside another), and how it is typed.

    `kind`: text | area | number | day | choice | many | names (several, with commas) | nik | yes | json | hidden | fixed (shown,
    and not typed). `choices` are slugs, each named by the text
    `choice.<slug>` (the slug itself where there is none). `value` is the member of the watched document (or `=text`) that it
    starts with. `among` is the member of the watched document that holds the choices (through lists: `keys.client_id`).
    Texts: `field.<name>`, and `field.<name>.hint` where there is one (`label` instead of the name when given).
    """

    name: str
    kind: str = "text"
    required: bool = True
    choices: tuple[str, ...] = ()
    value: str = ""
    among: str = ""
    label: str = ""

    @property
    def key(self) -> str:
        """The key of its text."""
        return f"field.{self.label or self.name}"


@dataclass(frozen=True, slots=True)
class Action:
    """An act that a page offers, by a form at `<path of the page>/do/<act>`.

    `path` as of an Ask (names of the page's path, "=text", or "field:<name>" for a form's own hidden field). `body` is the
    struct of gateway.verification; None for an act without one. `watch` is the ask whose ETag the form carries as If-Match.
    `after`: where to go then, with {names} of the page's path and of the answer's document; empty: back to the page.
    `grave`: asks for confirmation in words and shows in red. `step_up`: asks for a fresh passkey first. `when`: member of the
    watched document → value that it must have for the action to be offered (True, False: whether
    it holds anything; a tuple: one of these). `shows_once`: the answer's document is shown on a
    page of its own (`act.<act>.once`), never to be seen again, instead of `after`. `guarded`: whether the ETag of what is
    watched is sent as If-Match. `compose` makes the body from (the form, the watched document), and raises forms.Wrong;
    `preview` gives (heading key, text) of what was understood of (the form, words), to be confirmed before it is done.
    `also` is a scope that serves as well, as of an Ask.
    Texts: `act.<act>` (the button), `act.<act>.what` (what will happen, how it is undone), `act.<act>.done`.
    """

    act: str
    roles: frozenset[Role]
    scope: str
    body: Any = None
    fields: tuple[Field, ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)
    watch: str = ""
    after: str = ""
    grave: bool = False
    step_up: bool = False
    when: Mapping[str, Any] = field(default_factory=dict)
    shows_once: bool = False
    also: str = ""
    guarded: bool = True
    compose: Callable[[Any, Any], Any] | None = None
    preview: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its path under /console (`{id}` names a parameter), who may open it, what it reads, shows and offers.

    `files`: name of an ask → media type: `?file=<name>` gives what its view sends as a file, whose first line is its document.
    `name` names its texts (`page.<name>`, `page.<name>.lead`) and its template (`<name>.html`; without one of its own it is
    shown by `plain.html`: lead, facts of the first document, tables, actions). `menu` puts it into the menu. `parent` is the
    page that leads here (crumb and which menu entry is current). `search`: fields of a form that *posts* to the page itself,
    whose values become the body of the first ask (`search_body`), for what must never stand in a URL. `filters`: fields
    of a GET form for the query of its asks. `script`: a file of static/ that this page loads beside console.js. `live`: the
    page may be asked for again and again with `?live`, each time under the entry of its opening as long as that stands for it
    (`Watching`). `made`: (documents by the names of their asks, the visit, now in microseconds) → what the template is given
    as `made`, for what is not as plain as a member of a document. `own` answers what is posted to the page itself: an async
    function of (screen, visit, page, form), for what is more than one act; `writers` may post it (empty: whoever may open it).
    """

    name: str
    path: str
    roles: frozenset[Role]
    asks: tuple[Ask, ...] = ()
    tables: tuple[TableSpec, ...] = ()
    actions: tuple[Action, ...] = ()
    menu: bool = False
    parent: str = ""
    facts: tuple[Column, ...] = ()
    filters: tuple[Field, ...] = ()
    search: tuple[Field, ...] = ()
    search_body: Any = None
    script: str = ""
    template: str = ""
    live: bool = False
    made: Callable[[Mapping[str, Any], Visit, int], Mapping[str, Any]] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    own: Callable[[Any, Visit, Any, Mapping[str, Any]], Any] | None = None
    writers: frozenset[Role] = frozenset()
