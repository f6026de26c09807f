"""A film of frames as MP4, by the ffmpeg that the package imageio-ffmpeg brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twin.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt

FPS = 25


def check_film(path: Path, size: tuple[int, int]) -> None:
    """Refuse a film that cannot be written, before its frames are drawn.

    Raises
    ------
    OutputError
        If its name or size does not fit.
    """
    if path.suffix.lower() != ".mp4":
        msg = f"{path}: films are written as .mp4; name such a file"
        raise OutputError(msg)
    if size[0] % 2 or size[1] % 2:
        msg = f"a film of {size[0]}x{size[1]} pixels cannot be encoded: give even numbers"
        raise OutputError(msg)


def write_film(
    path: Path, frames: Iterable[npt.NDArray[np.uint8]], size: tuple[int, int], fps: int = FPS
) -> Path:
    """Write frames as an MP4 file (H.264, any player opens it), whole or not at all.

    Parameters
    ----------
    path
        An `.mp4` file.
    frames
        Pictures (height, width, rgb) of one size.
    size
        Width and height in pixels, both even.
    fps
        Frames a second.

    Raises
    ------
    OutputError
        If the file cannot be written, or its name or size does not fit.
    """
    import imageio_ffmpeg

    check_film(path, size)
    part = path.with_name(f".{path.stem}.part.mp4")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        msg = f"{path}: cannot be written, {error.strerror or error}; name another file"
        raise OutputError(msg) from None
    writer = imageio_ffmpeg.write_frames(
        str(part), size, fps=fps, codec="libx264", quality=None, macro_block_size=2,
        output_params=["-crf", "20", "-preset", "veryfast", "-movflags", "+faststart",
                       "-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709",
                       "-color_primaries", "bt709", "-color_trc", "bt709"],
        ffmpeg_log_level="error",
    )  # fmt: skip
    try:
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
        writer.close()
        part.replace(path)
    except OSError as error:
        msg = f"{path}: cannot be written, {str(error).splitlines()[0]}; free space or name another"
        raise OutputError(msg) from None
    finally:
        writer.close()
        part.unlink(missing_ok=True)
    return path
