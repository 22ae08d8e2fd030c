"""Check what `deadwax log prove` printed, without Deadwax.

    python3 -I verify_proof.py PROOF.json [--key PUBLIC_KEY]

An event is proven where its hash leads to the root that the seal states (RFC 6962), and the seal is signed (Ed25519)
with the key that you were given some other way: say it with --key, as `deadwax log key` shows it. The signature is
checked with the `cryptography` package; without it everything else is, and that is said. Exit code 0: proven.
"""

import argparse
import base64
import hashlib
import json
import struct
import sys
import uuid
from pathlib import Path
from typing import Any


def event_leaf(event: dict[str, Any], before: bytes) -> bytes:
    """Hash the event with the leaf of its stream's event before: five fields, each after its length."""
    fields = (
        struct.pack(">q", event["position"]),
        uuid.UUID(event["stream"]).bytes,
        struct.pack(">q", event["version"]),
        event["topic"].encode(),
        base64.b64decode(event["state"], validate=True),
    )
    packed = struct.pack(">h", len(fields)) + b"".join(struct.pack(">i", len(field)) + field for field in fields)
    return hashlib.sha256(b"\0" + before + packed).digest()


def root_from(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """Climb from the leaf to the root (RFC 9162, 2.1.3.2); None where the path is of another tree."""
    if not 0 <= index < size:
        return None
    node, last = index, size - 1
    found = leaf
    for step in path:
        if last == 0:
            return None
        if node % 2 or node == last:
            found = hashlib.sha256(b"\1" + step + found).digest()
            while node % 2 == 0 and node:
                node, last = node // 2, last // 2
        else:
            found = hashlib.sha256(b"\1" + found + step).digest()
        node, last = node // 2, last // 2
    return found if last == 0 else None


def signature_is_good(statement: bytes, signature: bytes, key: bytes) -> bool | None:
    """Return None where nothing is installed to tell."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, statement)
    except InvalidSignature:
        return False
    return True


def problem_of(proof: dict[str, Any], key: str | None) -> str | None:
    """Return what is wrong with the proof, None where nothing is."""
    if proof["format"] != "deadwax proof 1":
        return "this is not a proof that this script knows"
    statement = json.loads(proof["seal"]["statement"])
    if key is not None and statement["key"] != key.lower():
        return f"the seal is of another key: {statement['key']}"
    event = proof["event"]
    if not statement["after"] < event["position"] <= statement["last"]:
        return "the seal is about other positions"
    leaf = event_leaf(event, bytes.fromhex(proof["before"]))
    root = root_from(leaf, proof["index"], statement["count"], [bytes.fromhex(step) for step in proof["path"]])
    if root is None or root.hex() != statement["root"]:
        return "the event does not lead to the root that was sealed"
    signature = bytes.fromhex(proof["seal"]["signature"])
    good = signature_is_good(proof["seal"]["statement"].encode(), signature, bytes.fromhex(statement["key"]))
    if good is None:
        sys.stderr.write("The signature is NOT checked: `pip install cryptography` to have it checked too.\n")
    return "the signature is not the key's" if good is False else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("proof", type=Path, help="the file; - reads standard input")
    parser.add_argument("--key", help="the public key, hexadecimal, that seals are to be signed with")
    asked = parser.parse_args()
    try:
        proof = json.loads(sys.stdin.read() if str(asked.proof) == "-" else asked.proof.read_text())
        problem = problem_of(proof, asked.key)
        sealed = json.loads(proof["seal"]["statement"])
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        problem, sealed = f"this cannot be read as a proof: {error!r}", {}
    if problem:
        sys.stdout.write(f"NOT PROVEN: {problem}\n")
        return 1
    event = proof["event"]
    sys.stdout.write(
        f"Proven: position {event['position']} is {event['topic']}, version {event['version']} of stream"
        f" {event['stream']},\nin seal {sealed['number']} of {sealed['sealed']}, signed by {sealed['key']}\n"
    )
    if asked.key is None:
        sys.stdout.write("Compare that key with the one you were given, or say it with --key.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
