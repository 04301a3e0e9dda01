"""The main window: puts canvas, docks, bars, menus and keys together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QMenu, QVBoxLayout, QWidget

from penstock.errors import PenstockError
from penstock.host import CommandRefused, StartRefused
from penstock_gui.assets import examples
from penstock_gui.canvas import FlowView
from penstock_gui.docks.inspector import InspectorPanel
from penstock_gui.docks.jobs import JobsPanel
from penstock_gui.docks.log import LogPanel
from penstock_gui.docks.output import OutputPanel
from penstock_gui.docks.palette import PalettePanel
from penstock_gui.docks.threads import ThreadsPanel
from penstock_gui.session import Session
from penstock_gui.settings import THEMES, Settings
from penstock_gui.theme import Theme
from penstock_gui.window.about import About
from penstock_gui.window.actions import Actions
from penstock_gui.window.attach_dialog import AttachDialog, Attaching, Leaving, Listens
from penstock_gui.window.canvas_header import CanvasHeader
from penstock_gui.window.cheat_sheet import CheatSheet
from penstock_gui.window.dialogs import CANCEL, STAY, Dialogs, Questions
from penstock_gui.window.docking import Docking
from penstock_gui.window.files import Files
from penstock_gui.window.host_bar import GoneBar, SourcesBar, StuckBar, WatchBar
from penstock_gui.window.launching import Launching
from penstock_gui.window.menus import PlacesMenu, fill, make_menu_bar, titled_menu
from penstock_gui.window.notice_bar import NoticeBar
from penstock_gui.window.run_bar import RunBar
from penstock_gui.window.situation import Situation
from penstock_gui.window.stall_bar import StallBar
from penstock_gui.window.start_hint import StartHint
from penstock_gui.window.status_bar import StatusLine
from penstock_gui.window.vitals import Vitals

SIZE = (1600, 1000)
START_EXAMPLE = "code_census"
_FLOW_MENU = ("run.launch", "file.new", "file.open")
CANVAS_MENU = (
    ("run.breakpoint",),
    ("edit.add", "edit.rename", "edit.delete"),
    ("view.fit", "view.fit_selection", "view.layout"),
)


class MainWindow(QMainWindow):
    """Composes; what is done is done by session, files and view.

    Without ``attaching`` it offers no way to other programs.

    Signals:
        closed(): the person has closed it and answered what had to be asked
        jobs_left(WhenWindowGoes): before that, what the person wants to become of live jobs
    """

    closed = Signal()
    jobs_left = Signal(str)

    def __init__(
        self,
        session: Session,
        theme: Theme,
        settings: Settings,
        questions: Questions | None = None,
        attaching: Attaching | None = None,
    ) -> None:
        super().__init__()
        self._attaching = attaching
        self._session = session
        self._theme = theme
        self._settings = settings
        self._questions = questions or Dialogs(theme, self)
        self._shown_before = False
        self.files = Files(session, settings, self._questions, self)
        self.launching = Launching(session, theme, settings, self)
        self.view = FlowView(session, theme)
        self.actions_table = Actions(theme, self._handlers(), self, self.view)
        self.actions_table["run.attach"].setVisible(attaching is not None)
        self.actions_table["run.detach"].setVisible(session.engine.placement == "attached")
        self._theme_menu = titled_menu("Theme", self)
        fill(self._theme_menu, self.actions_table, "Theme")
        self._canvas_menu = self._make_canvas_menu()
        self.notice = NoticeBar(theme)
        self.stall = StallBar(session, theme)
        self.gone = GoneBar(session, theme)
        self.stuck = StuckBar(session, theme)
        self.watch = WatchBar(session, theme)
        self.sources = SourcesBar(session, theme)
        self.header = CanvasHeader(session, theme, self.actions_table)
        self.hint = StartHint(session, theme, self.view, self._example_action())
        self.status = StatusLine(session, theme)
        self.vitals = Vitals(session, self)
        self._compose()
        self._listen()
        self.refresh()

    def refresh(self) -> None:
        """Enable the actions that can be done now, and name the window."""
        now = Situation.of(self._session)
        self.actions_table.refresh(now)
        for choice in THEMES:
            self.actions_table[f"theme.{choice}"].setChecked(choice == self._theme.choice)
        name = self._session.document.flow.name
        self.setWindowTitle(f"{name}{' •' if now.changed else ''} - Penstock")

    def reset_layout(self) -> None:
        """Put the docks where a new window has them."""
        self.docking.place()

    def save_layout(self) -> None:
        """Remember size and docks."""
        self._settings.geometry = self.saveGeometry()
        self._settings.state = self.docking.save()

    def live_jobs(self) -> int:
        """Jobs that closing the window could cancel now: those of others go on."""
        if self._session.engine.placement == "attached":
            return 0
        starting = 1 if self._session.mode == "starting" else 0
        return max(len(self._session.live_jobs), starting)

    # Composing.

    def _compose(self) -> None:
        session, theme, actions = self._session, self._theme, self.actions_table
        run = actions["run.run"]
        self._palette = PalettePanel(session, theme, save_action=actions["file.save"])
        self._inspector = InspectorPanel(session, theme)
        self._output = OutputPanel(session, theme, run_action=run)
        panels: dict[str, QWidget] = {
            "palette": self._palette,
            "inspector": self._inspector,
            "jobs": JobsPanel(session, theme, run_action=run),
            "threads": ThreadsPanel(session, theme, run_action=run),
            "log": LogPanel(session, theme, run_action=run),
            "output": self._output,
        }
        self.setCentralWidget(self._canvas_area())
        self.docking = Docking(self, theme, panels)
        self.setMenuBar(
            make_menu_bar(
                self,
                theme,
                actions,
                self.files,
                self._settings,
                [dock.toggleViewAction() for dock in self.docking.docks],
                self._theme_menu,
            )
        )
        self.addToolBar(RunBar(session, theme, actions, self._flow_menu(), self._theme_menu))
        self.addToolBar(self.docking.stripe_area, self.docking.make_stripe())
        self.setStatusBar(self.status)
        self._resize()

    def _canvas_area(self) -> QWidget:
        area = QWidget()
        box = QVBoxLayout(area)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        bars = (self.gone, self.stuck, self.watch, self.sources, self.stall, self.notice)
        for widget in (self.header, *bars, self.view):
            box.addWidget(widget)
        return area

    def _make_canvas_menu(self) -> QMenu:
        menu = titled_menu("Canvas", self)
        for group in CANVAS_MENU:
            menu.addActions([self.actions_table[name] for name in group])
            menu.addSeparator()
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        return menu

    def _flow_menu(self) -> QMenu:
        return PlacesMenu(
            "Flow",
            self.files,
            self._settings,
            self,
            with_examples=True,
            with_recent=True,
            first=[self.actions_table[name] for name in _FLOW_MENU],
        )

    def _example_action(self) -> QAction:
        action = QAction(f"Open the example {START_EXAMPLE}", self)
        action.setToolTip("A flow that counts what is in Python source files")
        action.setEnabled(START_EXAMPLE in examples())
        action.triggered.connect(lambda: self.files.open_example(START_EXAMPLE))
        return action

    def _resize(self) -> None:
        """The stored size and layout, else the default one as far as the screen has room."""
        if not self.restoreGeometry(self._settings.geometry):
            width, height = SIZE
            screen = self.screen()
            if screen.name() and screen.availableGeometry().width() > 0:
                room = screen.availableGeometry()
                width, height = min(width, room.width()), min(height, room.height())
            self.resize(width, height)
        self._restored = self.docking.restore(self._settings.state)

    def _handlers(self) -> dict[str, Callable[[], object]]:
        session, files, view = self._session, self.files, self.view
        return {
            "file.new": self._with_edits(files.new),
            "file.open": self._with_edits(files.open),
            "file.save": self._with_edits(files.save),
            "file.save_as": self._with_edits(files.save_as),
            "file.quit": self.close,
            "edit.undo": session.undo.undo,
            "edit.redo": session.undo.redo,
            "edit.add": self._add_routine,
            "edit.delete": session.edits.delete_selection,
            "edit.rename": self._rename,
            "edit.select_all": lambda: session.select(session.document.ids()),
            "view.fit": view.fit_all,
            "view.fit_selection": view.fit_selection,
            "view.zoom_in": view.zoom_in,
            "view.zoom_out": view.zoom_out,
            "view.zoom_reset": view.zoom_reset,
            "view.layout": view.auto_layout,
            "view.reset": self.reset_layout,
            "theme.system": lambda: self._use_theme("system"),
            "theme.light": lambda: self._use_theme("light"),
            "theme.dark": lambda: self._use_theme("dark"),
            "run.run": self._with_edits(self._run),
            "run.pause": session.pause,
            "run.step": session.step,
            "run.restart": session.restart,
            "run.stop": session.stop,
            "run.kill": session.kill,
            "run.launch": self.launching.open,
            "run.attach": self._ask_to_attach,
            "run.detach": self.close,
            "run.breakpoint": self._toggle_breakpoint,
            "help.keys": lambda: CheatSheet(self._theme, self).open(),
            "help.about": lambda: About(self._theme, self).open(),
        }

    def _listen(self) -> None:
        session, document = self._session, self._session.document
        for signal in (
            session.mode_changed,
            session.job_selected,
            session.engine.changed,
            session.selection_changed,
            session.breakpoints_changed,
            session.undo.indexChanged,
            session.undo.cleanChanged,
            document.reset,
            document.name_changed,
            document.path_changed,
            document.problems_changed,
        ):
            signal.connect(self.refresh)
        session.notice.connect(self.notice.say)
        session.bridge.refused.connect(self._on_refused)
        session.bridge.job_started.connect(self.notice.hide)
        session.trust_needed.connect(self._on_trust_needed)
        self.gone.output_wanted.connect(self._show_last_output)
        self.gone.settings_wanted.connect(self.launching.open)
        session.engine.changed.connect(self._say_once)
        self.watch.detach_wanted.connect(self.close)
        if session.remote_flows is not None:
            session.remote_flows.shown.connect(self._on_opened)
        self.files.failed.connect(self.notice.say)
        self.launching.failed.connect(self.notice.say)
        document.saved.connect(self.notice.hide)
        self.files.opened.connect(self._on_opened)
        self._inspector.id_entered.connect(self.view.setFocus)
        self.view.inspect_requested.connect(lambda: self.docking.show("inspector"))
        self.view.customContextMenuRequested.connect(self._on_menu_wanted)
        self.vitals.polled.connect(self.status.show_pool)

    # What actions and signals do.

    def _with_edits(self, use: Callable[[], object]) -> Callable[[], object]:
        """Use the flow with what stands in a field and hasn't been entered."""

        def committed() -> object:
            self._inspector.commit()
            return use()

        return committed

    def _run(self) -> None:
        """Launch settings that came with the flow are looked at once before they are used."""
        if self._session.mode in ("held", "pausing") or not self.launching.must_be_seen:
            self._session.run()
        else:
            self.launching.open(then=self._session.run)

    def _add_routine(self) -> None:
        self.docking.show("palette")
        self._palette.search.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _rename(self) -> None:
        self.docking.show("inspector")
        self._inspector.edit_id()

    def _toggle_breakpoint(self) -> None:
        routine_id = self._session.selection.routine
        if routine_id is not None:
            self._session.toggle_breakpoint(routine_id)

    def _ask_to_attach(self) -> None:
        if self._attaching is not None:
            dialog = AttachDialog(self._theme, self._attaching.listening, self)
            dialog.chosen.connect(self._attach)
            dialog.open()

    def _attach(self, listener: Listens, leaving: Leaving) -> None:
        if self._attaching is None:
            return
        try:
            self._attaching.attach(listener, leaving)
        except PenstockError as error:
            self.notice.say(f"{listener.name} isn't attached: {error}")

    def _say_once(self) -> None:
        """What a start was refused for is said by the line about the engine's end."""
        gone = self._session.engine.gone
        if gone is not None and self.gone.isVisible() and gone.text in self.notice.text:
            self.notice.hide()

    def _show_last_output(self) -> None:
        self.docking.show("output")
        self._output.show_last_words()

    def _use_theme(self, choice: str) -> None:
        self._settings.theme = choice
        self._theme.use(choice)
        self.refresh()

    def _on_opened(self) -> None:
        self.notice.hide()
        QTimer.singleShot(0, self.view, self.view.fit_all)

    def _on_refused(self, refused: StartRefused | CommandRefused) -> None:
        details = refused.details if isinstance(refused, StartRefused) else ""
        self.notice.say(refused.text, details)

    def _on_trust_needed(self, folder: Path) -> None:
        if self._questions.trust(folder):
            self._settings.add_trusted(folder)
            self._session.start_trusted()

    def _on_menu_wanted(self, at: QPoint) -> None:
        """What can be done with what was clicked: the press has selected it."""
        self._canvas_menu.popup(self.view.viewport().mapToGlobal(at))

    def _settle(self) -> None:
        """What can be done only after the window has its size."""
        if not self._restored:
            self.docking.size()
        self.view.setFocus()
        QTimer.singleShot(0, self.view, self.view.fit_all)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._shown_before:
            self._shown_before = True
            QTimer.singleShot(0, self, self._settle)

    def _may_leave_jobs(self) -> bool:
        """Ask what is to become of jobs that live; whether the window may close."""
        jobs, session = self.live_jobs(), self._session
        if not jobs:
            return True
        own = session.engine.placement == "own"
        when_gone = session.launch.when_window_goes
        answer = self._questions.close_running(jobs, when_gone if own else None)
        if answer == CANCEL:
            return False
        held = "hold" if when_gone == "hold" else "resume"
        self.jobs_left.emit(held if answer == STAY else "end")
        return True

    def closeEvent(self, event: QCloseEvent) -> None:
        self._inspector.commit()
        if not (self.files.may_leave() and self._may_leave_jobs()):
            event.ignore()
            return
        self.save_layout()
        self.vitals.stop()
        event.accept()
        self.closed.emit()
