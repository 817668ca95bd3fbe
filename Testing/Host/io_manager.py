"""`slicer.app.coreIOManager()`: load and save volumes, segmentations and scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .scene import ApplicationScene

_FILE_TYPES = {
    ".mrml": "SceneFile",
    ".mrb": "SceneFile",
    ".seg.nrrd": "SegmentationFile",
    ".nii": "VolumeFile",
    ".nii.gz": "VolumeFile",
    ".nrrd": "VolumeFile",
    ".nhdr": "VolumeFile",
    ".mha": "VolumeFile",
    ".mhd": "VolumeFile",
}

# Bits of vtkSlicerVolumesLogic::LoadingOptions by property: whether they are set by default
_VOLUME_OPTIONS = {
    "labelmap": (1, False),
    "center": (2, False),
    "singleFile": (4, False),
    "autoWindowLevel": (8, True),
    "discardOrientation": (16, False),
}


class IOManager:
    """Loads and saves files for `slicer.util`."""

    def __init__(self, application: ApplicationScene) -> None:
        self._scene = application.scene
        self._logics = application.logics

    def fileType(self, path: str) -> str:
        return _FILE_TYPES.get(_extension(path), "NoFile")

    def fileWriterFileType(self, node: Any) -> str:
        return node.GetClassName()

    def loadNodes(
        self, file_type: str, properties: dict[str, Any], loaded: Any = None, messages: Any = None
    ) -> bool:
        """Load a file into the scene and add its node to `loaded`. Return False on failure."""
        load = getattr(self, f"_load_{file_type}", None)
        if load is None:
            raise RuntimeError(f"The desktop host has no reader for {file_type}")
        node = load(properties)
        if loaded is not None and node and node is not True:
            loaded.AddItem(node)
        return bool(node)

    def loadFile(self, path: str) -> bool:
        return self.loadNodes(self.fileType(path), {"fileName": path})

    def _load_VolumeFile(self, properties: dict[str, Any]) -> Any:
        path = properties["fileName"]
        options = sum(
            bit for name, (bit, default) in _VOLUME_OPTIONS.items() if properties.get(name, default)
        )
        name = properties.get("name") or _stem(path)
        return self._logics["Volumes"].AddArchetypeVolume(path, name, options)

    def _load_SegmentationFile(self, properties: dict[str, Any]) -> Any:
        path = properties["fileName"]
        return self._logics["Segmentations"].LoadSegmentationFromFile(
            path, bool(properties.get("autoOpacities", True)), properties.get("name") or _stem(path)
        )

    def _load_SceneFile(self, properties: dict[str, Any]) -> bool:
        path, clear = properties["fileName"], properties.get("clear", False)
        if path.endswith(".mrb"):
            return bool(self._scene.ReadFromMRB(path, clear))
        self._scene.SetURL(path)
        return bool(self._scene.Connect() if clear else self._scene.Import())

    def saveNodes(self, file_type: str, properties: dict[str, Any], messages: Any = None) -> bool:
        """Save a node, or the scene. Return False on failure."""
        path = str(properties["fileName"])
        if file_type == "SceneFile":
            return self._save_scene(path)
        node = self._scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode(path)
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        if "useCompression" in properties:
            storage.SetUseCompression(int(properties["useCompression"]))
        return bool(storage.WriteData(node))

    def _save_scene(self, path: str) -> bool:
        if path.endswith(".mrb"):
            return bool(self._scene.WriteToMRB(path))
        if path.endswith(".mrml"):
            self._scene.SetURL(path)
            self._scene.SetRootDirectory(str(Path(path).parent))
            return bool(self._scene.Commit(path))
        return bool(self._scene.SaveSceneToSlicerDataBundleDirectory(path))


def _extension(path: str) -> str:
    name = Path(path).name.lower()
    return max((each for each in _FILE_TYPES if name.endswith(each)), key=len, default="")


def _stem(path: str) -> str:
    name = Path(path).name
    return name[: len(name) - len(_extension(path))]
