"""`slicer.app.coreIOManager()`: nodes and scenes to files and back, by Slicer's storage."""

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
    ".h5": "TransformFile",
    ".tfm": "TransformFile",
    ".tsv": "TableFile",
    ".csv": "TableFile",
    ".txt": "TextFile",
    ".vtk": "ModelFile",
    ".stl": "ModelFile",
    ".ctbl": "ColorTableFile",
}

# Order of vtkSlicerVolumesLogic::LoadingOptions
_LABEL_MAP, _CENTER, _SINGLE_FILE, _AUTO_WINDOW, _DISCARD_ORIENTATION = 1, 2, 4, 8, 16


class IoManager:
    """Loads and saves what `slicer.util` asks for."""

    def __init__(self, application: ApplicationScene) -> None:
        self._scene = application.scene
        self._logics = application.logics

    def fileType(self, path: str) -> str:
        name = Path(path).name.lower()
        fitting = [ending for ending in _FILE_TYPES if name.endswith(ending)]
        return _FILE_TYPES[max(fitting, key=len)] if fitting else "NoFile"

    def fileWriterFileType(self, node: Any) -> str:
        return node.GetClassName()

    def loadNodes(
        self, file_type: str, properties: dict[str, Any], loaded: Any = None, messages: Any = None
    ) -> bool:
        """Load a file into the scene; `loaded` collects the nodes. False where that fails."""
        read = getattr(self, f"_load_{file_type}", None)
        if read is None:
            raise RuntimeError(f"The desktop host has no reader for {file_type}")
        node = read(dict(properties))
        if node is None:
            return False
        if loaded is not None and node is not True:
            loaded.AddItem(node)
        return True

    def loadFile(self, path: str) -> bool:
        return self.loadNodes(self.fileType(path), {"fileName": path})

    def _load_VolumeFile(self, properties: dict[str, Any]) -> Any:
        path = properties["fileName"]
        options = _LABEL_MAP * bool(properties.get("labelmap"))
        options += _CENTER * bool(properties.get("center"))
        options += _SINGLE_FILE * bool(properties.get("singleFile"))
        options += _AUTO_WINDOW * bool(properties.get("autoWindowLevel", True))
        options += _DISCARD_ORIENTATION * bool(properties.get("discardOrientation"))
        name = properties.get("name") or _stem(path)
        return self._logics["Volumes"].AddArchetypeVolume(path, name, options)

    def _load_SegmentationFile(self, properties: dict[str, Any]) -> Any:
        path = properties["fileName"]
        name = properties.get("name") or _stem(path)
        return self._logics["Segmentations"].LoadSegmentationFromFile(
            path, bool(properties.get("autoOpacities", True)), name
        )

    def _load_TransformFile(self, properties: dict[str, Any]) -> Any:
        return self._logics["Transforms"].AddTransform(properties["fileName"], self._scene)

    def _load_TableFile(self, properties: dict[str, Any]) -> Any:
        path = properties["fileName"]
        return self._logics["Tables"].AddTable(path, properties.get("name") or _stem(path))

    def _load_ModelFile(self, properties: dict[str, Any]) -> Any:
        return self._logics["Models"].AddModel(properties["fileName"])

    def _load_TextFile(self, properties: dict[str, Any]) -> Any:
        node = self._scene.AddNewNodeByClass("vtkMRMLTextNode", _stem(properties["fileName"]))
        storage = self._scene.AddNewNodeByClass("vtkMRMLTextStorageNode")
        storage.SetFileName(properties["fileName"])
        node.SetAndObserveStorageNodeID(storage.GetID())
        return node if storage.ReadData(node) else None

    def _load_ColorTableFile(self, properties: dict[str, Any]) -> Any:
        return self._logics["Colors"].LoadColorFile(
            properties["fileName"], _stem(properties["fileName"])
        )

    def _load_SceneFile(self, properties: dict[str, Any]) -> Any:
        path = properties["fileName"]
        clear = properties.get("clear", False)
        if path.endswith(".mrb"):
            return self._scene.ReadFromMRB(path, clear) or None
        self._scene.SetURL(path)
        done = self._scene.Connect() if clear else self._scene.Import()
        return bool(done) or None

    def saveNodes(self, file_type: str, properties: dict[str, Any], messages: Any = None) -> bool:
        """Write a node, or the scene, to a file. False where that fails."""
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

    def exportNodes(
        self,
        node_ids: list[str],
        paths: list[str],
        properties: dict[str, Any],
        hardened: bool = False,
        messages: Any = None,
    ) -> bool:
        """Write nodes without a change to how the scene stores them."""
        return all(
            self._export(self._scene.GetNodeByID(node_id), path, hardened)
            for node_id, path in zip(node_ids, paths)
        )

    def _export(self, node: Any, path: str, hardened: bool) -> bool:
        storage = node.CreateDefaultStorageNode()
        storage.UnRegister(None)
        copy = node.NewInstance()
        copy.UnRegister(None)
        copy.Copy(node)
        if hardened and node.GetParentTransformNode() is not None:
            copy.ApplyTransform(node.GetParentTransformNode().GetTransformToParent())
        storage.SetFileName(path)
        return bool(storage.WriteData(copy))

    def _save_scene(self, path: str) -> bool:
        if path.endswith(".mrb"):
            return bool(self._scene.WriteToMRB(path))
        if path.endswith(".mrml"):
            self._scene.SetURL(path)
            self._scene.SetRootDirectory(str(Path(path).parent))
            return bool(self._scene.Commit(path))
        return bool(self._scene.SaveSceneToSlicerDataBundleDirectory(path))


def _stem(path: str) -> str:
    name = Path(path).name
    fitting = [ending for ending in _FILE_TYPES if name.lower().endswith(ending)]
    return name[: -len(max(fitting, key=len))] if fitting else name
