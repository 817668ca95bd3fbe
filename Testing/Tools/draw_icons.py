"""Draw the icons of GenSeg: python Testing/Tools/draw_icons.py

A hippocampus in the two colors of its preset, in front of copies that stand for generated ones. The
thumbnail of the sample data shows a phantom.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPainterPath, QPen

from GenSegLib.phantoms import hippocampus
from GenSegLib.presets import load_preset

ROOT = Path(__file__).resolve().parents[2]
ICONS = ROOT / "GenSegSlicer" / "Resources" / "Icons"
SIZE = 128
COLORS = {value: QColor(*color) for value, color in load_preset("hippocampus-mri").colors.items()}
BACKGROUND, COPY = QColor(33, 49, 71), QColor(198, 213, 232)
PHANTOM_SEED = 4


def outline() -> QPainterPath:
    """Sagittal outline of a hippocampus."""
    path = QPainterPath(QPointF(12, 84))
    path.cubicTo(QPointF(10, 60), QPointF(36, 52), QPointF(54, 64))
    path.cubicTo(QPointF(68, 73), QPointF(80, 68), QPointF(86, 54))
    path.cubicTo(QPointF(92, 40), QPointF(116, 42), QPointF(116, 62))
    path.cubicTo(QPointF(116, 92), QPointF(84, 116), QPointF(52, 114))
    path.cubicTo(QPointF(28, 112), QPointF(13, 102), QPointF(12, 84))
    path.closeSubpath()
    return path


def draw_icon() -> QImage:
    """Draw the icon of the extension and its module."""
    image = QImage(SIZE, SIZE, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(BACKGROUND)
    painter.drawRoundedRect(QRectF(0, 0, SIZE, SIZE), 22, 22)
    for offset, alpha in ((36, 70), (18, 150)):
        color = QColor(COPY)
        color.setAlpha(alpha)
        _draw_body(painter, outline().translated(0, -offset), {0: color})
    _draw_body(painter, outline(), {0: COLORS[1], 63: COLORS[2]})
    painter.end()
    return image


def _draw_body(painter: QPainter, body: QPainterPath, colors: dict[int, QColor]) -> None:
    """Draw a body; each color fills the part to the right of its position."""
    painter.strokePath(body, QPen(BACKGROUND, 9))
    painter.fillPath(body, BACKGROUND)
    for left, color in colors.items():
        painter.setClipRect(QRectF(left, 0, SIZE - left, SIZE))
        painter.fillPath(body, color)
    painter.setClipping(False)


def draw_phantom() -> QImage:
    """Draw the thumbnail of the phantoms: a sagittal slice with its labels in color."""
    image, label = hippocampus.generate(np.random.default_rng(PHANTOM_SEED))
    x = int(np.argmax((label.array[0] > 0).sum(axis=(1, 2))))
    gray, tint = (volume.array[0, x].T[::-1, ::-1] for volume in (image, label))
    low, high = np.percentile(gray, (1, 99.5))
    colors = np.repeat(np.clip((gray - low) / (high - low), 0, 1)[..., None], 3, axis=2) * 255
    for value, color in COLORS.items():
        inside = tint == value
        colors[inside] = 0.45 * colors[inside] + 0.55 * np.array(color.getRgb()[:3])
    pixels = np.ascontiguousarray(colors.astype(np.uint8))
    height, width = pixels.shape[:2]
    slice_ = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    scaled = slice_.scaled(QSize(SIZE, SIZE), keep, smooth)
    thumbnail = QImage(SIZE, SIZE, QImage.Format.Format_RGB32)
    thumbnail.fill(Qt.GlobalColor.black)
    painter = QPainter(thumbnail)
    painter.drawImage((SIZE - scaled.width()) // 2, (SIZE - scaled.height()) // 2, scaled)
    painter.end()
    return thumbnail


def main() -> None:
    """Write the files."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QGuiApplication([])
    ICONS.mkdir(parents=True, exist_ok=True)
    draw_icon().save(str(ROOT / "GenSeg.png"))
    draw_icon().save(str(ICONS / "GenSegSlicer.png"))
    draw_phantom().save(str(ICONS / "GenSegPhantoms.png"))
    application.quit()


if __name__ == "__main__":
    main()
