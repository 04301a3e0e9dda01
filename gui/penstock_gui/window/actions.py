"""The table of actions: what the menus, the run bar, the keys and the cheat sheet are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from penstock_gui.theme import Theme
from penstock_gui.widgets import safe_tip
from penstock_gui.window.situation import Situation

Reason = Callable[[Situation], str]
Words = Callable[[Situation], str]


def _always(now: Situation) -> str:
    return ""


def _has_routines(now: Situation) -> str:
    return "" if now.routines else "the flow is empty"


def _can_undo(now: Situation) -> str:
    return "" if now.undo_text is not None else "nothing has been edited"


def _can_redo(now: Situation) -> str:
    return "" if now.redo_text is not None else "nothing was undone"


def _any_selected(now: Situation) -> str:
    if now.selected or now.connection_selected:
        return ""
    return "select a routine or a wire first"


def _one_selected(now: Situation) -> str:
    return "" if now.selected_routine else "select one routine first"


def _routines_selected(now: Situation) -> str:
    return "" if now.selected else "select a routine first"


def _can_run(now: Situation) -> str:
    if now.why_not_steer:
        return now.why_not_steer
    if now.mode == "starting":
        return f"job {now.job_id} is starting"
    if now.mode in ("held", "pausing"):
        return ""
    if now.why_not_start:
        return now.why_not_start
    return "" if now.routines else "the flow is empty: add a routine, or open an example"


def _can_pause(now: Situation) -> str:
    return now.why_not_steer or {
        "idle": "no job is running",
        "pausing": "the job is pausing already",
        "held": "the job is held already",
    }.get(now.mode, "")


def _can_step(now: Situation) -> str:
    if now.why_not_steer:
        return now.why_not_steer
    if now.mode == "held":
        return ""
    if now.mode == "pausing":
        return "wait until what still runs has finished"
    return "pause the job first (F6), or set a breakpoint (F9)"


def _can_stop(now: Situation) -> str:
    return now.why_not_steer or ("no job is running" if now.mode == "idle" else "")


def _can_restart(now: Situation) -> str:
    return now.why_not_start or now.why_not_restart


def _can_kill(now: Situation) -> str:
    return now.why_not_kill


def _can_detach(now: Situation) -> str:
    return "" if now.attached else "this window isn't attached to a program"


def _can_break(now: Situation) -> str:
    return now.why_not_steer or _one_selected(now)


def _restart_hint(now: Situation) -> str:
    first = "" if now.mode == "idle" else f"Stop job {now.job_id}, and start it "
    return f"{first or f'Start job {now.job_id} '}once more with the same input"


def _run_words(now: Situation) -> str:
    return "Continue" if now.mode in ("held", "pausing") else "Run"


def _run_hint(now: Situation) -> str:
    if now.mode in ("held", "pausing"):
        return f"Let job {now.job_id} go on"
    if now.mode == "running":
        return "Start another job of this flow"
    return "Start a job of this flow"


def _breakpoint_words(now: Situation) -> str:
    return "Remove breakpoint" if now.has_breakpoint else "Set breakpoint"


def _undo_words(now: Situation) -> str:
    return f"Undo {now.undo_text or ''}".rstrip()


def _redo_words(now: Situation) -> str:
    return f"Redo {now.redo_text or ''}".rstrip()


@dataclass(frozen=True)
class ActionSpec:
    """One action. ``why_not`` gives the reason it can't be done now, or "".

    ``canvas`` keys act only while the canvas has the keyboard; ``color`` is the icon's token.
    ``words`` changes the text with the situation, ``hint`` the tooltip.
    """

    id: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    why_not: Reason = _always
    color: str = "text.2"
    canvas: bool = False
    checkable: bool = False
    words: Words | None = None
    hint: Words | None = None


TABLE: tuple[ActionSpec, ...] = (
    ActionSpec("file.new", "File", "New flow", ("Ctrl+N",), "file-plus"),
    ActionSpec("file.open", "File", "Open…", ("Ctrl+O",), "folder-open"),
    ActionSpec("file.save", "File", "Save", ("Ctrl+S",), "save"),
    ActionSpec("file.save_as", "File", "Save as…", ("Ctrl+Shift+S",)),
    ActionSpec("file.quit", "File", "Quit", ("Ctrl+Q",), "power"),
    ActionSpec("edit.undo", "Edit", "Undo", ("Ctrl+Z",), "undo-2", _can_undo, words=_undo_words),
    ActionSpec(
        "edit.redo",
        "Edit",
        "Redo",
        ("Ctrl+Shift+Z", "Ctrl+Y"),
        "redo-2",
        _can_redo,
        words=_redo_words,
    ),
    ActionSpec(
        "edit.add",
        "Edit",
        "Add routine",
        ("Shift+A",),
        "plus",
        canvas=True,
        hint=lambda now: "Choose a routine from the palette",
    ),
    ActionSpec("edit.delete", "Edit", "Delete", ("Del",), "trash", _any_selected, canvas=True),
    ActionSpec("edit.rename", "Edit", "Rename", ("F2",), "pencil", _one_selected),
    ActionSpec(
        "edit.select_all", "Edit", "Select all", ("Ctrl+A",), "", _has_routines, canvas=True
    ),
    ActionSpec("view.fit", "View", "Fit the flow", ("Home",), "scan", _has_routines, canvas=True),
    ActionSpec(
        "view.fit_selection",
        "View",
        "Fit the selection",
        ("F",),
        "crosshair",
        _routines_selected,
        canvas=True,
    ),
    ActionSpec("view.zoom_in", "View", "Zoom in", ("Ctrl+=", "Ctrl++"), "plus"),
    ActionSpec("view.zoom_out", "View", "Zoom out", ("Ctrl+-",), "minus"),
    ActionSpec("view.zoom_reset", "View", "Zoom to 100 %", ("Ctrl+0",)),
    ActionSpec("view.layout", "View", "Lay out the flow", ("Ctrl+L",), "network", _has_routines),
    ActionSpec("view.reset", "View", "Reset the window's layout"),
    ActionSpec("theme.system", "Theme", "As the system", checkable=True),
    ActionSpec("theme.light", "Theme", "Light", (), "sun", checkable=True),
    ActionSpec("theme.dark", "Theme", "Dark", (), "moon", checkable=True),
    ActionSpec(
        "run.run",
        "Run",
        "Run",
        ("F5",),
        "play!",
        _can_run,
        "state.done",
        words=_run_words,
        hint=_run_hint,
    ),
    ActionSpec(
        "run.pause",
        "Run",
        "Pause",
        ("F6",),
        "pause!",
        _can_pause,
        hint=lambda now: "Hold the job; what runs is let finish",
    ),
    ActionSpec(
        "run.step",
        "Run",
        "Step over",
        ("F10",),
        "redo-dot",
        _can_step,
        hint=lambda now: "Let the routine that is next run once, then hold again",
    ),
    ActionSpec(
        "run.restart",
        "Run",
        "Restart with the same input",
        ("Ctrl+Shift+F5",),
        "rotate-ccw",
        _can_restart,
        hint=_restart_hint,
    ),
    ActionSpec("run.stop", "Run", "Stop", ("Shift+F5",), "square!", _can_stop, "queue.high"),
    ActionSpec(
        "run.kill",
        "Run",
        "Kill engine",
        (),
        "octagon-x",
        _can_kill,
        hint=lambda now: "End the engine's process at once, with every job in it",
    ),
    ActionSpec(
        "run.launch",
        "Run",
        "Launch settings…",
        (),
        "sliders-horizontal",
        hint=lambda now: "Interpreter, working folder, environment, arguments, workers",
    ),
    ActionSpec(
        "run.attach",
        "Run",
        "Attach…",
        (),
        "plug",
        hint=lambda now: "Watch or steer the jobs of a program that runs already",
    ),
    ActionSpec(
        "run.detach",
        "Run",
        "Detach",
        (),
        "",
        _can_detach,
        hint=lambda now: "Leave the program alone: it goes on, this window closes",
    ),
    ActionSpec(
        "run.breakpoint",
        "Run",
        "Set breakpoint",
        ("F9",),
        "circle-dot",
        _can_break,
        "bp",
        words=_breakpoint_words,
        hint=lambda now: f"{_breakpoint_words(now)} before {now.selected_routine}",
    ),
    ActionSpec("help.keys", "Help", "Keys", ("F1",), "keyboard"),
    ActionSpec("help.about", "Help", "About Penstock", (), "info"),
)


class Actions(QObject):
    """One QAction per row of the table; `refresh` sets what can be done and why not.

    ``handlers`` maps the id of every row to what it does; ``canvas`` gets the keys that act
    only while it has the keyboard.
    """

    def __init__(
        self,
        theme: Theme,
        handlers: Mapping[str, Callable[[], object]],
        window: QWidget,
        canvas: QWidget,
        table: tuple[ActionSpec, ...] = TABLE,
    ) -> None:
        super().__init__(window)
        if {spec.id for spec in table} != set(handlers):
            missing = {spec.id for spec in table} ^ set(handlers)
            raise ValueError(f"actions and handlers differ: {sorted(missing)}")
        self.table = table
        self._theme = theme
        self._now = Situation()
        self._actions = {spec.id: self._make(spec, handlers[spec.id]) for spec in table}
        for spec in table:
            (canvas if spec.canvas else window).addAction(self._actions[spec.id])
        self._tint()
        self.refresh(self._now)
        theme.changed.connect(self._tint)

    def __getitem__(self, action_id: str) -> QAction:
        return self._actions[action_id]

    def of_menu(self, menu: str) -> list[QAction]:
        """The actions of a menu in the table's order."""
        return [self._actions[spec.id] for spec in self.table if spec.menu == menu]

    def refresh(self, now: Situation) -> None:
        """Enable what can be done in this situation; say of the rest why it can't."""
        self._now = now
        for spec in self.table:
            action = self._actions[spec.id]
            reason = spec.why_not(now)
            text = spec.words(now) if spec.words else spec.text
            if text != action.text():
                action.setText(text)
                action.setIconText(f" {text}")  # sheets know no gap between icon and text
            tip = safe_tip(_tip(spec, text, reason, now))
            if tip != action.toolTip():
                action.setToolTip(tip)
                action.setStatusTip("")
            action.setEnabled(not reason)
        self._tint_step(now)

    def _make(self, spec: ActionSpec, handler: Callable[[], object]) -> QAction:
        action = QAction(spec.text, self)
        action.setObjectName(spec.id)
        action.setIconText(f" {spec.text}")
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        action.setCheckable(spec.checkable)
        action.setIconVisibleInMenu(not spec.checkable)  # a tick stands in its place
        action.setAutoRepeat(spec.id.startswith("view.zoom"))
        action.setMenuRole(QAction.MenuRole.NoRole)
        if spec.canvas:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(lambda checked=False: handler())
        return action

    def _tint(self) -> None:
        for spec in self.table:
            if spec.icon:
                self._actions[spec.id].setIcon(self._theme.icon(spec.icon, spec.color))
        self._tint_step(self._now)

    def _tint_step(self, now: Situation) -> None:
        """The step button turns to the accent while something is held."""
        color = "accent" if now.mode == "held" else "text.2"
        self._actions["run.step"].setIcon(self._theme.icon("redo-dot", color))


def _tip(spec: ActionSpec, text: str, reason: str, now: Situation) -> str:
    keys = f" ({QKeySequence(spec.keys[0]).toString()})" if spec.keys else ""
    if reason:
        return f"{text}{keys}: {reason}"
    hint = spec.hint(now) if spec.hint else text.rstrip("…")
    return f"{hint}{keys}"
