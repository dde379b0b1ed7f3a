"""Where a face is drawn: an OpenGL context without a display, its programs and its buffers, used again and again.

S side of a picture in pixels, V vertices. Drawing is by moderngl on EGL; without a graphics card that is Mesa's
llvmpipe, which computes on the processor.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mimica.data.render_face import FaceModel
from mimica.data.render_hair import Curtain
from mimica.errors import AssetError, MissingExtra
from mimica.facs import UNITS

if TYPE_CHECKING:
    import moderngl

SURFACE_CODES = {"skin": 0, "hair": 1, "gums": 2, "teeth": 3, "left eye": 4, "right eye": 4, "lashes": 5, "inside": 6}
_TAPS = 10
_FINEST = 192
"""Pixels that a side is drawn with at least; smaller pictures are means of several pixels."""
_SCREEN = "in vec2 corner; out vec2 at; void main() { at = 0.5 + 0.5 * corner; gl_Position = vec4(corner, 0.0, 1.0); }"
_SOURCES = Path(__file__).parent


class Studio:
    """Draws one face model, sitter after sitter. Raises MissingExtra or AssetError where it cannot be had."""

    def __init__(self, model: FaceModel, size: int) -> None:
        self.model, self.size = model, size
        self.context = context()
        self.finer = max(2, -(-_FINEST // size)) if size < 384 else 1
        side = size * self.finer
        gl = self.context
        self.face: Any = gl.program(
            _source("render_hair.glsl", "render_face.vert"), _source("render_hair.glsl", "render_face.frag")
        )
        self.picture: Any = gl.program("#version 330\n" + _SCREEN, _source("render_picture.frag"))
        self.light = gl.texture((side, side), 4, dtype="f2")
        self.depth = gl.depth_texture((side, side))
        self.depth.compare_func = ""
        self.first = gl.framebuffer([self.light], self.depth)
        self.last = gl.framebuffer([gl.renderbuffer((side, side), 4)])
        self.behind = gl.texture((size, size), 3)
        self.screen = gl.vertex_array(
            self.picture, [(gl.buffer(np.array([-1, -1, 3, -1, -1, 3], "f4")), "2f", "corner")]
        )
        self._hair: list[Any] = []
        V = len(model.rest)
        self.moving = gl.buffer(reserve=V * 24, dynamic=True)
        kept = gl.buffer(model.marks().astype("f4"))
        places = [(self.moving, "3f 3f", "place", "normal"), (kept, "3f", "mark")]
        self.parts = [
            (SURFACE_CODES[name], gl.vertex_array(self.face, places, gl.buffer(corners.astype("i4"))))
            for name, corners in model.triangles.items()
            if len(corners)
        ]

    def backdrop(self, scene: np.ndarray) -> None:
        """What stands behind, uint8 [S, S, 3], from now on."""
        self.behind.write(np.ascontiguousarray(scene[::-1]))

    def tell(self, **uniforms: Any) -> None:
        """Set what the shaders are told, by name, from now on."""
        for name, value in uniforms.items():
            for program in (self.face, self.picture):
                if name in program:
                    uniform = program[name]
                    numbers = np.ravel(value).astype("f4")
                    # A compiler shortens an array to what it uses of it.
                    uniform.write(numbers[: uniform.array_length] if uniform.array_length > 1 else numbers)

    def dress(self, hair: Curtain | None) -> None:
        """The hanging hair that is drawn from now on."""
        for one in self._hair:
            one.release()
        self._hair = []
        if hair is not None:
            gl = self.context
            rows = gl.buffer(np.concatenate([hair.vertices, hair.normals, hair.vertices], 1).astype("f4"))
            corners = gl.buffer(hair.triangles.astype("i4"))
            self._hair = [
                gl.vertex_array(self.face, [(rows, "3f 3f 3f", "place", "normal", "mark")], corners),
                rows,
                corners,
            ]

    def draw(self, placed: np.ndarray) -> np.ndarray:
        """The picture uint8 [S, S, 3] of a posed face [V, 3]."""
        import moderngl

        self.moving.write(np.concatenate([placed, self.model.normals(placed)], 1).astype("f4"))
        self.first.use()
        self.first.clear(0.0, 0.0, 0.0, 0.0)
        self.context.enable_only(moderngl.DEPTH_TEST)
        worn = [(SURFACE_CODES["hair"], self._hair[0])] if self._hair else []
        for code, part in [*self.parts, *worn]:
            self.face["surface"].value = code
            part.render()
        self.last.use()
        self.context.enable_only(moderngl.NOTHING)
        for place, (name, texture) in enumerate(
            (("lights", self.light), ("depths", self.depth), ("behind", self.behind))
        ):
            texture.use(place)
            self.picture[name].value = place
        self.screen.render()
        side, n = self.size * self.finer, self.finer
        pixels = np.frombuffer(self.last.read(components=3, alignment=1), np.uint8).reshape(side, side, 3)[::-1]
        if n == 1:
            return pixels.copy()
        blocks = pixels.reshape(self.size, n, self.size, n, 3)
        return np.asarray((blocks.astype(np.uint16).sum((1, 3)) + n * n // 2) // (n * n)).astype(np.uint8)


@lru_cache(maxsize=1)
def context() -> moderngl.Context:
    """A context to draw in, without a display."""
    try:
        import moderngl
    except ImportError:
        raise MissingExtra("moderngl", "render") from None
    try:
        # Only Linux has EGL; elsewhere a context without a window is what is to be had.
        how: dict[str, Any] = {"backend": "egl"} if sys.platform.startswith("linux") else {}
        return moderngl.create_context(standalone=True, require=330, **how)
    except Exception as error:  # moderngl and the driver raise many kinds; all mean that it cannot draw here
        raise AssetError(
            f"this machine has no OpenGL 3.3 without a display ({error}); on Debian and Ubuntu it comes with: "
            "apt-get install libegl1 libgl1 libgl1-mesa-dri"
        ) from None


def _source(*files: str) -> str:
    named = "".join(f"#define AU{unit} {place}\n" for place, unit in enumerate(UNITS))
    codes = "".join(f"#define {name.upper()} {code}\n" for name, code in SURFACE_CODES.items() if " " not in name)
    text = "".join((_SOURCES / file).read_text(encoding="utf-8") for file in files)
    return f"#version 330\n#define UNITS {len(UNITS)}\n#define TAPS {_TAPS}\n#define EYE 4\n{named}{codes}{text}"
