"""Pictures: what is sent becomes an upright one without metadata, and that one gets its small sizes. Pillow's one door.

What is kept is encoded anew, whatever was sent. So nothing of a file but its pixels gets on: no place or name in its
metadata, no second file behind or inside it, nothing that another decoder might read in another way.
"""

import io
import math
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from msgspec import Struct
from PIL import Image, ImageCms, JpegImagePlugin, WebPImagePlugin

from commands.image_header import Header, Unreadable, read_header
from domain.errors import DeadwaxError, Unavailable

SIZES = (256, 1024)
"""The longer side of the small sizes, in pixels."""
SIZE_TYPE = "image/webp"
KEPT_PIXELS = 25_000_000
"""A picture of more is kept at half its width and height, or a quarter: as many as it takes to show one large."""
MAX_SIDE = 65_535
MAX_FRAMES = 1000
MAX_SCANS = 100
_BYTES_PER_PIXEL = {"JPEG": 4, "PNG": 4, "GIF": 4, "WEBP": 16}
"""What decoding takes; a WebP's decoder keeps canvases beside the picture."""
_ENCODED = {
    "JPEG": ("JPEG", "image/jpeg"),
    "PNG": ("PNG", "image/png"),
    "GIF": ("PNG", "image/png"),
    "WEBP": ("WEBP", "image/webp"),
}
_STRIP_ROWS = 256
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Imported ahead, or the first WebP of a process would have all the formats there are imported.
_FORMATS = (JpegImagePlugin.JpegImageFile.format, "PNG", "GIF", WebPImagePlugin.WebPImageFile.format)
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
# A thread of its own, whoever asks: freed memory stays with the thread that took it, so it stays that of one picture.
_decoder = ThreadPoolExecutor(1, thread_name_prefix="picture")


class NotAnImage(DeadwaxError):
    """Upload a valid image. The file you uploaded was either not an image or a corrupted image."""


class Picture(Struct, frozen=True, kw_only=True):
    """An upright picture as a file of its own, sizes in pixels."""

    file: BinaryIO
    content_type: str
    width: int
    height: int
    size_bytes: int


def upright(data: bytes, limit_pixels: int) -> Picture:
    """Decode the whole file and encode what it shows: its first frame, the right way up, in sRGB.

    A process does one at a time, so that it never needs more memory than the largest one takes: about five bytes for
    each pixel of the limit. Raises NotAnImage, for what is too large too, of which nothing is decoded; Unavailable.
    """
    try:
        header = read_header(data)
    except Unreadable:
        raise NotAnImage from None
    _refuse_bombs(header, limit_pixels)
    return _decoder.submit(_upright, data, header).result()


def _upright(data: bytes, header: Header) -> Picture:
    try:
        with _without_warnings():
            return _encoded(_decoded(data, header), header)
    except (NotAnImage, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            # Not the library's but the system's: no room for a file.
            raise Unavailable from error
        # Whatever a decoder makes of a broken file.
        raise NotAnImage from error


def small_sizes(data: bytes) -> dict[int, bytes]:
    """Return a kept picture in each of SIZES as WebP; a smaller one keeps its size."""
    return _decoder.submit(_small_sizes, data).result()


def _small_sizes(data: bytes) -> dict[int, bytes]:
    made = {}
    with _without_warnings():
        image = _in_full_colour(Image.open(io.BytesIO(data), formats=_FORMATS))
        for side in sorted(SIZES, reverse=True):
            # A JPEG is decoded no larger than this takes.
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            file = io.BytesIO()
            image.save(file, "WEBP", quality=80)
            made[side] = file.getvalue()
    return made


def _refuse_bombs(header: Header, limit_pixels: int) -> None:
    if max(header.width, header.height) > MAX_SIDE:
        raise NotAnImage(f"Ensure this image has no side of more than {MAX_SIDE} pixels.")
    if header.frames > MAX_FRAMES:
        raise NotAnImage(f"Ensure this image has no more than {MAX_FRAMES} frames.")
    cost_bytes = header.coefficient_bytes + _BYTES_PER_PIXEL[header.format] * header.pixels // _shrink(header) ** 2
    allowed = min(limit_pixels, header.pixels * 4 * limit_pixels // max(1, cost_bytes))
    if header.pixels > allowed:
        raise NotAnImage(f"Ensure this image has no more than {allowed / 1e6:.3g} million pixels.")
    if header.scans > MAX_SCANS:
        raise NotAnImage(f"Ensure this image has no more than {MAX_SCANS} scans.")


def _shrink(header: Header) -> int:
    """Return by how much width and height are divided as it is decoded: 1, 2, 4 or 8."""
    if header.format != "JPEG":
        return 1
    return _divisor(header.width * header.height)


def _divisor(pixels: int) -> int:
    return min(8, 1 << math.ceil(math.log2(max(1, math.sqrt(pixels / KEPT_PIXELS)))))


@contextmanager
def _without_warnings() -> Iterator[None]:
    # What is odd about a file is no news. Filters are a process's, not a thread's: here none but this one sets any.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _decoded(data: bytes, header: Header) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=(header.format,))
    if image.size != (header.width, header.height):
        raise NotAnImage
    if (divisor := _shrink(header)) > 1:
        image.draft(None, (header.width // divisor, header.height // divisor))
    image.load()
    return image


def _encoded(image: Image.Image, header: Header) -> Picture:
    options = _options(image, header)
    # Before anything makes another image of it, which knows no file.
    orientation, profile = _orientation(image), image.info.get("icc_profile")
    image = _in_srgb(image, profile)
    if (divisor := _divisor(image.width * image.height)) > 1:
        image = _reduced(image, divisor)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    # An encoder would write down what is known of the file sent.
    image.info = {name: value for name, value in image.info.items() if name == "transparency"}
    format, content_type = _ENCODED[header.format]
    file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed by whoever keeps it
    image.save(file, format, **options)
    size_bytes = file.tell()
    file.seek(0)
    return Picture(file=file, content_type=content_type, width=image.width, height=image.height, size_bytes=size_bytes)


def _options(image: Image.Image, header: Header) -> dict[str, Any]:
    """Return how to encode it: as well as it came, without much more bytes."""
    match header.format:
        case "JPEG":
            tables = getattr(image, "quantization", {})
            if image.mode == "CMYK" or _shrink(header) > 1 or not tables or sorted(tables) != list(range(len(tables))):
                return {"quality": 92}
            # With the tables that it was made with it loses next to nothing and grows no larger.
            return {"qtables": tables, "subsampling": JpegImagePlugin.get_sampling(image)}
        case "WEBP" if header.is_lossless:
            return {"lossless": True, "quality": 50, "method": 1}
        case "WEBP":
            return {"quality": 90, "method": 2}
    return {"compress_level": 6 if header.pixels < 4_000_000 else 1}


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - whatever is wrong with its metadata, the picture is good
        return 1
    return found if isinstance(found, int) else 1


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return it in grey, colours or a palette of them, as screens show them: with its colour profile applied."""
    if image.mode in {"I;16", "I;16B", "I"}:
        image.info.pop("transparency", None)
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode == "1":
        return image.convert("L")
    if profile and image.mode in {"RGB", "RGBA", "P", "CMYK"}:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                image = image if image.mode == "CMYK" else _in_full_colour(image)
                mode = "RGB" if image.mode == "CMYK" else image.mode
                return ImageCms.profileToProfile(image, source, _SRGB, outputMode=mode) or image
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            # A profile that is none, or another kind of picture's: browsers ignore it too.
            pass
    if image.mode not in {"L", "LA", "RGB", "RGBA", "P"}:
        return image.convert("RGB")
    return image


def _reduced(image: Image.Image, divisor: int) -> Image.Image:
    """Return it with width and height divided, strip by strip: on its way it takes further forms, all of them large."""
    width, height = (math.ceil(side / divisor) for side in image.size)
    mode = _in_full_colour(image.crop((0, 0, 1, 1))).mode
    made = Image.new(mode, (width, height))
    for top in range(0, height, _STRIP_ROWS):
        box = (0, top * divisor, image.width, min(image.height, (top + _STRIP_ROWS) * divisor))
        made.paste(_in_full_colour(image.crop(box)).reduce(divisor), (0, top))
    return made


def _in_full_colour(image: Image.Image) -> Image.Image:
    """Return a palette's picture, or one with a colour that stands for none, as one that can be resized."""
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode == "P" else image
