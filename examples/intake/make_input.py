"""Makes a folder of documents whose content is known: pictures of text, source files, paragraphs.

    python make_input.py FOLDER [--seed 1] [--count 60]

Writes FOLDER/manifest.json: {"documents": [...]}, one object a file with what is true of it:
file, kind ("image", "source" or "text"), type (label of filetype.identify), and for images and
texts the text itself, its language, keywords (one of them should be found) and, in English, the
sentiment. The same seed gives the same documents on a machine with the same fonts.
"""

import argparse
import io
import json
import pathlib
import random
import sysconfig
import textwrap
import tomllib

from PIL import Image, ImageDraw, ImageFilter, ImageFont

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent

FONTS = ["DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "LiberationSerif-Regular.ttf"]
FONT_PIXELS = (37, 45)  # a scan of 11 point print at 240 to 300 dots an inch
MARGIN = 24  # pixels
LINE_CHARACTERS = 44

# Folders with sources of a known type. Short files, and tests made of tables, say too little: the
# model takes one in a hundred of them for plain text.
SOURCES = [
    ("python", pathlib.Path(sysconfig.get_path("stdlib")), "json/*.py email/*.py http/*.py"),
    ("python", HERE, "make_input.py load.py"),
    ("c", PROJECT / "src", "base/*.c loop/*.c http/*.c"),
    ("shell", PROJECT / "dev", "setup"),
]
SOURCE_BYTES_MIN = 3000
SOURCE_BYTES_MAX = 60000


def paragraphs() -> list[dict]:
    """language, text, keywords and, in English, sentiment of each paragraph of paragraphs.toml."""
    with open(HERE / "paragraphs.toml", "rb") as file:
        found = tomllib.load(file)["paragraph"]
    return [{**paragraph, "text": paragraph["text"].strip()} for paragraph in found]


def sources() -> list[tuple[str, pathlib.Path]]:
    """(type, path) of each source file, in a fixed order."""
    return [
        (label, path)
        for label, folder, patterns in SOURCES
        for pattern in patterns.split()
        for path in sorted(folder.glob(pattern))
        if SOURCE_BYTES_MIN <= path.stat().st_size <= SOURCE_BYTES_MAX
        and not path.stem.endswith("_test")
    ]


def fonts(size: int) -> list:
    """Those of FONTS that this machine has, at that size in pixels; else the one of Pillow."""
    found = []
    for name in FONTS:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            pass
    return found or [ImageFont.load_default(size)]


def grain(image: Image.Image, rng: random.Random) -> Image.Image:
    noise = Image.frombytes("L", image.size, rng.randbytes(image.width * image.height))
    return Image.blend(image, noise, rng.uniform(0.05, 0.2))


def pale(image: Image.Image, rng: random.Random) -> Image.Image:
    paper, ink = rng.randint(190, 235), rng.randint(20, 90)
    return image.point([ink + (paper - ink) * level // 255 for level in range(256)])


def blur(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.9)))


def tilt(image: Image.Image, rng: random.Random) -> Image.Image:
    angle = rng.uniform(-1.2, 1.2)
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def clean(image: Image.Image, rng: random.Random) -> Image.Image:
    return image


def picture(text: str, rng: random.Random) -> Image.Image:
    """A grey image of the text, black on white, in a random font and size with random noise."""
    size = rng.randint(*FONT_PIXELS)
    font = rng.choice(fonts(size))
    lines = textwrap.fill(text, LINE_CHARACTERS)
    spacing = size // 2
    ruler = ImageDraw.Draw(Image.new("L", (1, 1)))
    _, _, width, height = ruler.multiline_textbbox((0, 0), lines, font, spacing=spacing)
    image = Image.new("L", (int(width) + 2 * MARGIN, int(height) + 2 * MARGIN), 255)
    ImageDraw.Draw(image).multiline_text((MARGIN, MARGIN), lines, 0, font, spacing=spacing)
    return rng.choice([clean, grain, pale, blur, tilt])(image, rng)


def encoded(image: Image.Image, rng: random.Random) -> tuple[str, bytes]:
    """(type, bytes) of the image as a PNG or JPEG file."""
    label = rng.choice(["png", "jpeg"])
    file = io.BytesIO()
    image.save(file, label, **({"quality": rng.randint(60, 90)} if label == "jpeg" else {}))
    return label, file.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60, help="documents, a third of each kind")
    arguments = parser.parse_args()

    rng = random.Random(arguments.seed)
    texts, files = paragraphs(), sources()
    rng.shuffle(texts)
    rng.shuffle(files)
    documents = []
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.count):
        kind = ("image", "source", "text")[number % 3]
        if kind == "source":
            label, path = files[number // 3 % len(files)]
            data, facts = path.read_bytes(), {}
        else:
            facts = texts[number // 3 % len(texts)]
            label, data = "txt", facts["text"].encode()
            if kind == "image":
                label, data = encoded(picture(facts["text"], rng), rng)
        name = f"{number:03}.{label}"
        (arguments.folder / name).write_bytes(data)
        documents.append({"file": name, "kind": kind, "type": label, **facts})
    manifest = json.dumps({"documents": documents}, ensure_ascii=False, indent=1)
    (arguments.folder / "manifest.json").write_text(manifest, encoding="utf-8")
    print(f"{len(documents)} documents in {arguments.folder}")


if __name__ == "__main__":
    main()
