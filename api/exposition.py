"""Prometheus's text format, for numbers that are read from the database."""

from collections.abc import Iterable, Iterator

Sample = tuple[str, float]


def labelled(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def family(name: str, type: str, meaning: str, samples: Iterable[Sample]) -> Iterator[str]:
    """Yield the lines of one metric; a sample is what follows its name, and its value."""
    yield f"# HELP deadwax_{name} {meaning}"
    yield f"# TYPE deadwax_{name} {type}"
    for suffix, value in samples:
        yield f"deadwax_{name}{suffix} {float(value)}"
