"""The model that *Apply* uses: chosen by run or folder, with a card that says what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata
from GenSegSlicerLib.Bindings import Binding, ChoiceBinding, PathBinding
from GenSegSlicerLib.InlineMessage import InlineMessage
from GenSegSlicerLib.ModelCard import modelCard
from GenSegSlicerLib.RunHistory import modelFolder


class ModelChooser:
    """Offers known models and reads the one that is chosen.

    Attributes:
        metadata: what the chosen model is, None without a usable one.
        fault: why there is none, in one line.
        bindings: for the section that this chooser belongs to.
    """

    def __init__(self, ui: Any, logic: Any) -> None:
        self.metadata: ModelMetadata | None = None
        self.fault = ""
        self._logic = logic
        self._card = InlineMessage(ui.modelCardLabel)
        self._selector = ChoiceBinding(
            ui.modelSelector, "modelFolder", lambda path: modelTitle(Path(path))
        )
        self.bindings: list[Binding] = [
            self._selector,
            PathBinding(ui.modelFolderEdit, "modelFolder"),
        ]
        self._shown: str | None = None

    def offer(self) -> None:
        """List the models of finished runs and those used lately."""
        models = self._logic.models()
        none = _("Choose a model") if models else _("No model yet: train one, or choose a folder")
        choices = [(str(path), modelTitle(path), str(path)) for path in models]
        self._selector.setChoices([("", none, ""), *choices])

    def show(self, folder: str) -> None:
        """Read the model of a folder, and show its card."""
        if folder == self._shown:
            return
        self._shown = folder
        self.metadata, self.fault = None, ""
        if not folder:
            self.fault = _("Choose a model")
            self._card.clear()
            return
        try:
            self.metadata = ModelMetadata.load(modelFolder(Path(folder)))
        except GenSegError as fault:
            self.fault = str(fault)
            self._card.error(self.fault)
        else:
            self._card.info(modelCard(self.metadata))

    def forget(self) -> None:
        """Read the folder anew the next time: a training may have written it meanwhile."""
        self._shown = None


def modelTitle(folder: Path) -> str:
    """Name a model in a list: the run that made it, or its folder."""
    return folder.parent.name if folder.name == "model" else folder.name
