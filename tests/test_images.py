"""Pictures that are sent, good and bad: what is kept of them, and what they cost."""

import io
import json
import random
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from commands.images import KEPT_PIXELS, MAX_FRAMES, MAX_SCANS, SIZES, NotAnImage, small_sizes, upright
from tests.importing import SHARED, needs_shared

LIMIT = 50_000_000
FILES = SHARED / "images"
BROKEN_METADATA = {"broken-exif.jpg", "invalid-exif.jpg"}
INVALID = "Upload a valid image. The file you uploaded was either not an image or a corrupted image."
ORIENTATION, GPS = 0x0112, 0x8825
RED, BLUE = (254, 0, 0), (0, 0, 254)
CHILD_LIMIT_BYTES = 100 * 1024**2
# For each file it prints why it is refused, the seconds it took, and by how much the process now has held at most.
CHILD = """
import json, sys, time
from commands.images import NotAnImage, upright

def most_held_bytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))

for number, path in enumerate(sys.argv[1:]):
    with open(path, "rb") as file:
        data = file.read()
    started, refused = time.monotonic(), None
    try:
        upright(data, 50_000_000).file.close()
    except NotAnImage as error:
        refused = str(error)
    seconds, data = time.monotonic() - started, None
    if number == 0:
        before = most_held_bytes()
    else:
        print(json.dumps([refused, seconds, most_held_bytes() - before]))
"""


# Sends one file from so many threads at once; prints by how much the process has then held at most.
AT_ONCE = (
    CHILD.split("for number", maxsplit=1)[0]
    + """
from concurrent.futures import ThreadPoolExecutor

with open(sys.argv[1], "rb") as file:
    data = file.read()
before = most_held_bytes()
with ThreadPoolExecutor(4) as threads:
    for made in [threads.submit(upright, data, 50_000_000) for _ in range(4)]:
        made.result().file.close()
print(most_held_bytes() - before)
"""
)


class Cost(NamedTuple):
    """What it took to deal with a file; `refused` says why it was, None where it was not."""

    refused: str | None
    seconds: float
    bytes_more: int


def files(kind: str) -> dict[str, bytes]:
    """Return the real files of a kind by name; none where they are not there."""
    return {path.name: path.read_bytes() for path in sorted((FILES / kind).glob("*"))}


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def quarters(width: int = 64, height: int = 32) -> Image.Image:
    """Make a picture whose upper left corner is red and whose upper right one is blue."""
    image = Image.new("RGB", (width, height), "white")
    image.paste(RED, (0, 0, width // 4, height // 4))
    image.paste(BLUE, (width * 3 // 4, 0, width, height // 4))
    return image


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = orientation
    return made


def kept(data: bytes, limit_pixels: int = LIMIT) -> tuple[Image.Image, bytes]:
    """Send a file; return what is kept of it, decoded and as it is. What was said of it is true."""
    picture = upright(data, limit_pixels)
    with picture.file as file:
        raw = file.read()
    image = Image.open(io.BytesIO(raw))
    image.load()
    assert (picture.width, picture.height, picture.size_bytes) == (*image.size, len(raw))
    assert picture.content_type == f"image/{(image.format or '').lower()}"
    return image, raw


def is_close(image: Image.Image, at: tuple[int, int], colour: tuple[int, ...]) -> bool:
    found = image.convert("RGB").getpixel(at)
    assert isinstance(found, tuple)
    return all(abs(a - b) < 40 for a, b in zip(found, colour, strict=True))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, data: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def gif(frames: int, width: int = 1, height: int = 1) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHH", 0, 0, width, height) + b"\x00\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\x00" * 6 + frame * frames + b"\x3b"


def with_sides(jpeg: bytes, width: int, height: int, frame: bytes = b"\xff\xc0") -> bytes:
    """Return a JPEG that claims other sides than it has."""
    at = jpeg.index(frame)
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


@needs_shared
def test_the_real_files_are_there() -> None:
    assert len(files("good")) == 17
    assert len(files("bad")) == 14


@needs_shared
def test_good_files_are_kept_without_what_they_say_of_their_maker() -> None:
    for name, data in files("good").items():
        with Image.open(io.BytesIO(data)) as sent:
            sides, turned = sent.size, sent.getexif().get(ORIENTATION, 1) > 4
        image, raw = kept(data)
        assert image.size == (sides[::-1] if turned else sides), name
        assert not image.getexif(), name
        assert not {"exif", "xmp", "icc_profile", "comment", "photoshop", "date:create"} & image.info.keys(), name
        for words in (b"Exif", b"adobe", b"http", b"Photoshop", b"GIMP", b"ImageMagick"):
            assert words not in raw, name
        sizes = small_sizes(raw)
        assert set(sizes) == set(SIZES)
        for side, made in sizes.items():
            with Image.open(io.BytesIO(made)) as small:
                assert small.format == "WEBP"
                assert max(small.size) == min(side, max(image.size)), name
                assert not small.getexif(), name


@needs_shared
def test_real_photographs_stand_upright() -> None:
    good = FILES / "good"
    reference, _ = kept((good / "hopper-baseline.jpg").read_bytes())
    for name in ("exif-orientation-6.jpg", "exif-orientation-8.webp"):
        image, _ = kept((good / name).read_bytes())
        # The flag is on the left, the background on the right is blue.
        for at in ((120, 20), (120, 60), (64, 110), (64, 60), (15, 15)):
            colour = reference.getpixel(at)
            assert isinstance(colour, tuple)
            assert is_close(image, at, colour), (name, at)
    portrait, _ = kept((good / "portrait-exif-6-photo.jpg").read_bytes())
    assert portrait.size == (1200, 1800)


@needs_shared
def test_bad_files_cost_neither_memory_nor_time(tmp_path: Path) -> None:
    paths = sorted((FILES / "bad").iterdir())
    for path, cost in zip(paths, in_child(tmp_path, paths), strict=True):
        assert (cost.refused is None) == (path.name in BROKEN_METADATA), path.name
        assert cost.seconds < 2, path.name
        assert cost.bytes_more < CHILD_LIMIT_BYTES, path.name


def in_child(tmp_path: Path, paths: Sequence[Path]) -> list[Cost]:
    """Send files in a process of its own, one after the other."""
    first = tmp_path / "first.png"
    first.write_bytes(encoded(quarters(), "PNG"))
    command = [sys.executable, "-c", CHILD, *map(str, (first, *paths))]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=Path(__file__).parents[1])
    return [Cost(*json.loads(line)) for line in done.stdout.splitlines()]


BOMBS: dict[str, Callable[[], bytes]] = {
    "a PNG of 50,000 by 50,000": lambda: png(50_000, 50_000, data=b"\x00" * 1_000_000),
    "a JPEG that claims 65,000 by 65,000": lambda: with_sides(encoded(quarters(), "JPEG"), 65_000, 65_000),
    "a GIF whose frame is 60,000 by 60,000": lambda: gif(1, 60_000, 60_000),
    "a GIF whose last frame is 60,000 by 60,000": lambda: gif(3)[:-1] + gif(1, 60_000, 60_000)[19:],
    "a GIF of very many frames": lambda: gif(90_000),
    "a WebP that claims 16,384 by 16,384": lambda: webp(16_384, 16_384),
    "a WebP of very many frames": lambda: webp(64, 64, frames=5000),
    "a large WebP, whose decoder wants most": lambda: webp(5000, 5000),
    "a PNG of very many frames": lambda: png(1, 1, *[chunk(b"fcTL", bytes(26))] * 5000, data=b"\x00" * 4),
    "a PNG with a comment that unfolds to a gigabyte": lambda: png(
        1, 1, chunk(b"zTXt", b"c\x00\x00" + zlib.compress(bytes(1 << 27), 9)), data=b"\x00" * 4
    ),
    "a progressive JPEG that wants all at once": lambda: with_sides(
        encoded(quarters(), "JPEG", progressive=True, subsampling=0), 7000, 7000, b"\xff\xc2"
    ),
    "a progressive JPEG of very many scans": lambda: many_scans(3000),
    "a JPEG of nothing but markers": lambda: b"\xff\xd8" + b"\xff\xe0\x00\x02" * 2_000_000,
    "a JPEG of stuffed bytes": lambda: b"\xff\xd8\xff\xe0\x00\x02" + b"\xff\x00" * 5_000_000,
    "a PNG of empty chunks": lambda: png(9, 9, *[chunk(b"tEXt", b"")] * 500_000),
    "a PNG that is one row": lambda: png(49_000_000, 1, data=bytes(147_000_001)),
    "a large PNG cut short": lambda: png(7000, 7000, data=bytes(147_007_000))[:-20],
}


def webp(width: int, height: int, frames: int = 0) -> bytes:
    """Make a WebP that claims a canvas, and so many frames."""
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"VP8X" + struct.pack("<II", 10, 2 if frames else 0) + canvas
    still = encoded(quarters(), "WEBP")[12:]
    body += b"".join([b"ANMF" + struct.pack("<I", 16 + len(still)) + bytes(16) + still] * frames) or still
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def many_scans(number: int) -> bytes:
    made = encoded(quarters(640, 480), "JPEG", progressive=True)
    last = made.rindex(b"\xff\xda")
    return made[:-2] + made[last:-2] * number + b"\xff\xd9"


def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    paths = []
    for number, make in enumerate(BOMBS.values()):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(make())
    for name, cost in zip(BOMBS, in_child(tmp_path, paths), strict=True):
        assert cost.refused is not None, name
        assert cost.seconds < 2, name
        assert cost.bytes_more < CHILD_LIMIT_BYTES, name


def test_many_at_once_take_the_memory_of_one(tmp_path: Path) -> None:
    path = tmp_path / "photograph.jpg"
    path.write_bytes(encoded(quarters(4000, 3000), "JPEG", exif=exif(6)))
    command = [sys.executable, "-c", AT_ONCE, str(path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=Path(__file__).parents[1])
    # Its pixels as they are stored, and upright.
    assert int(done.stdout) < 2 * 4000 * 3000 * 4 + 20 * 1024**2


def test_a_refusal_of_what_is_too_large_says_what_is_allowed() -> None:
    with pytest.raises(NotAnImage, match=r"^Ensure this image has no more than 50 million pixels\.$"):
        upright(png(50_000, 50_000), LIMIT)
    with pytest.raises(NotAnImage, match=r"^Ensure this image has no more than 12\.5 million pixels\.$"):
        upright(webp(5000, 5000), LIMIT)
    with pytest.raises(NotAnImage, match=f"^Ensure this image has no more than {MAX_FRAMES} frames"):
        upright(gif(MAX_FRAMES + 1), LIMIT)
    with pytest.raises(NotAnImage, match=f"^Ensure this image has no more than {MAX_SCANS} scans"):
        upright(many_scans(MAX_SCANS), LIMIT)
    assert kept(gif(MAX_FRAMES))[0].size == (1, 1)
    with pytest.raises(NotAnImage):
        upright(encoded(quarters(), "PNG"), 64 * 32 - 1)
    assert kept(encoded(quarters(), "PNG"), 64 * 32)[0].size == (64, 32)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        encoded(quarters(), "BMP"),
        encoded(quarters(), "TIFF"),
        encoded(quarters(), "JPEG").replace(b"\xff\xc0", b"\xff\xc9"),
        png(8, 8, data=b"\x00"),
        gif(0),
        gif(1, 0, 5),
    ],
)
def test_what_is_no_image_or_one_of_another_kind_is_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage, match=INVALID.replace(".", r"\.")):
        upright(data, LIMIT)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_metadata_says(format: str, orientation: int) -> None:
    shown = quarters()
    turns = [
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_90,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_270,
    ]
    stored = shown if orientation == 1 else shown.transpose(turns[orientation - 2])
    options = {"quality": 95} if format != "PNG" else {}
    image, _ = kept(encoded(stored, format, exif=exif(orientation), **options))
    assert image.size == (64, 32)
    assert is_close(image, (2, 2), RED)
    assert is_close(image, (61, 2), BLUE)
    for small in small_sizes(encoded(image, "PNG")).values():
        assert is_close(Image.open(io.BytesIO(small)), (2, 2), RED)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_the_picture_is_kept(format: str) -> None:
    secret = exif(1)
    secret[0x013B] = "Lena Secret"
    secret.get_ifd(GPS).update({1: "N", 2: (64.0, 8.0, 0.0), 29: "2024:01:01"})
    options: dict[str, Any] = {"exif": secret}
    if format == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>Lena Secret</x:xmpmeta>")
        options["pnginfo"].add_text("Comment", "Lena Secret", zip=True)
    else:
        options["xmp"] = b"<x:xmpmeta>Lena Secret</x:xmpmeta>"
        options["comment"] = b"Lena Secret"
    sent = encoded(quarters(), format, **options) + b"PK\x03\x04 Lena Secret"
    assert b"Lena Secret" in sent
    image, raw = kept(sent)
    assert not image.getexif()
    assert not image.getexif().get_ifd(GPS)
    for words in (b"Lena", b"Exif", b"xmp", b"PK\x03\x04", b"2024"):
        assert words not in raw
    assert b"Lena" not in b"".join(small_sizes(raw).values())


@pytest.mark.parametrize(
    "broken", [b"Exif\x00\x00", b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", b"Exif\x00\x00II" + b"\xff" * 99]
)
def test_broken_metadata_do_not_spoil_a_good_picture(broken: bytes) -> None:
    plain = encoded(quarters(), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    image, _ = kept(plain[:2] + segment + plain[2:])
    assert is_close(image, (2, 2), RED)


def test_colours_are_those_that_the_profile_means() -> None:
    """A profile whose red is what sRGB calls green, and the other way round."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    named = bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    for format in ("JPEG", "PNG", "WEBP"):
        image, raw = kept(encoded(quarters(), format, icc_profile=named))
        assert is_close(image, (2, 2), (0, 254, 0)), format
        assert b"swap" not in raw
        image, _ = kept(encoded(quarters(), format, icc_profile=b"no profile at all"))
        assert is_close(image, (2, 2), RED)


@pytest.mark.parametrize(
    ("image", "format"),
    [
        (quarters().convert("CMYK"), "JPEG"),
        (quarters().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        (quarters().convert("P", palette=Image.Palette.ADAPTIVE), "GIF"),
        (quarters().convert("RGBA"), "WEBP"),
    ],
)
def test_every_kind_of_colour_is_kept(image: Image.Image, format: str) -> None:
    found, _ = kept(encoded(image, format))
    assert found.mode in {"RGB", "RGBA", "P"}
    assert is_close(found, (2, 2), RED)
    assert is_close(found, (61, 2), BLUE)


def test_greys_of_every_depth_are_kept() -> None:
    for image in (Image.new("L", (8, 8), 128), Image.new("I;16", (8, 8), 128 << 8)):
        found, _ = kept(encoded(image, "PNG"))
        assert (found.mode, found.getpixel((4, 4))) == ("L", 128)
    found, _ = kept(encoded(Image.new("1", (8, 8), 1), "PNG"))
    assert (found.mode, found.getpixel((4, 4))) == ("L", 255)
    found, _ = kept(encoded(Image.new("L", (8, 8), 128), "JPEG"))
    assert found.mode == "L"


@pytest.mark.parametrize("clear", [None, 0, 1])
def test_pngs_of_every_make_are_kept(clear: int | None) -> None:
    """Whatever their colours, their depth and the colour that stands for none."""
    for colours, depths, channels in ((0, (1, 2, 4, 8, 16), 1), (2, (8, 16), 3), (3, (1, 2, 4, 8), 1), (4, (8, 16), 2)):
        for depth in depths:
            header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 4, depth, colours, 0, 0, 0))
            palette = chunk(b"PLTE", bytes(range(6))) if colours == 3 else b""
            clearing = {0: struct.pack(">H", clear or 0), 2: bytes(6), 3: bytes([clear or 0])}.get(colours)
            tail = chunk(b"tRNS", clearing) if clear is not None and clearing is not None else b""
            row = b"\x00" + b"\x00" * (depth * channels)
            body = chunk(b"IDAT", zlib.compress(row * 4)) + chunk(b"IEND", b"")
            found, raw = kept(b"\x89PNG\r\n\x1a\n" + header + palette + tail + body)
            assert found.size == (8, 4), (colours, depth)
            assert len(small_sizes(raw)) == 2, (colours, depth)


def test_what_is_transparent_stays_so() -> None:
    clear = quarters().convert("RGBA")
    clear.putpixel((32, 16), (0, 0, 0, 0))
    palette = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
    index = palette.getpixel((32, 16))
    for data in (
        encoded(clear, "PNG"),
        encoded(clear, "WEBP", lossless=True),
        encoded(palette, "PNG", transparency=index),
        encoded(palette, "GIF", transparency=index),
        encoded(quarters(), "PNG", transparency=(255, 255, 255)),
    ):
        found, raw = kept(data)
        for image in (found, *(Image.open(io.BytesIO(small)) for small in small_sizes(raw).values())):
            pixel = image.convert("RGBA").getpixel((32, 16))
            assert isinstance(pixel, tuple)
            assert pixel[3] < 128


def test_without_loss_stays_without_loss_and_a_jpeg_grows_no_larger() -> None:
    noise = Image.effect_noise((160, 120), 80)
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        found, _ = kept(encoded(noise, format, **options))
        assert found.convert("L").tobytes() == noise.tobytes()
    for quality in (30, 75, 95):
        sent = encoded(Image.merge("RGB", (noise, noise, noise)), "JPEG", quality=quality)
        _, raw = kept(sent)
        assert len(raw) < 1.1 * len(sent)


def test_a_huge_photograph_is_kept_at_half_its_sides(tmp_path: Path) -> None:
    """Decoded at once at that size where its format allows it."""
    sides = (7000, 5000)
    assert sides[0] * sides[1] > KEPT_PIXELS
    path = tmp_path / "huge.jpg"
    path.write_bytes(encoded(quarters(*sides), "JPEG", exif=exif(6)))
    picture = upright(path.read_bytes(), LIMIT)
    picture.file.close()
    assert (picture.width, picture.height) == (2500, 3500)
    [cost] = in_child(tmp_path, [path])
    assert cost.refused is None
    assert cost.bytes_more < CHILD_LIMIT_BYTES


def test_a_large_picture_without_such_a_format_is_kept_at_half_its_sides_too() -> None:
    clear = quarters(5101, 5101).convert("RGBA")
    image, _ = kept(encoded(clear, "PNG", compress_level=1))
    assert image.size == (2551, 2551)
    assert is_close(image, (5, 5), RED)
    assert is_close(image, (2540, 5), BLUE)
    assert is_close(image, (1275, 2540), (255, 255, 255))


def test_what_was_damaged_anywhere_is_kept_or_refused_and_nothing_else() -> None:
    chance = random.Random(7)  # noqa: S311 - the same damage every time
    small = quarters(48, 40)
    whole = [
        encoded(small, "JPEG", exif=exif(6)),
        encoded(small, "JPEG", progressive=True),
        encoded(small, "PNG", exif=exif(6)),
        encoded(small, "GIF"),
        encoded(small, "WEBP", exif=exif(6)),
        encoded(small, "WEBP", lossless=True),
    ]
    refused = 0
    started = time.monotonic()
    for data in whole:
        for _ in range(60):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 6)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            if chance.random() < 0.3:
                del damaged[chance.randrange(len(damaged)) :]
            try:
                kept(bytes(damaged))
            except NotAnImage:
                refused += 1
    assert 0 < refused < 360
    assert time.monotonic() - started < 20
