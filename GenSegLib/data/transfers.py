"""Fetches a large file over HTTP so that an interrupted transfer goes on where it stopped.

Light: the standard library alone.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import GenSegError

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all (0 where the server does not say)."""

CHUNK = 1 << 18
TIMEOUT_S = 30.0
TELL_EVERY_S = 0.2
_CLOSED = (PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError)


def fetch(url: str, part: Path, progress: Progress | None = None) -> None:
    """Complete the file `part` from `url`; what it already holds is not transferred again.

    A server that knows no range requests sends the whole file anew. The content is not checked:
    use `require_md5`.

    Raises:
        GenSegError: the server cannot be reached, refuses, or the transfer breaks off. `part`
            keeps what has arrived.
    """
    present = part.stat().st_size if part.exists() else 0
    try:
        with _open(url, present) as response:
            _receive(response, part, present, progress)
    except urllib.error.HTTPError as fault:
        if fault.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and present:
            _settle(url, part, present, fault.headers.get("Content-Range", ""), progress)
            return
        raise GenSegError(f"{url}: the server answers {fault.code} {fault.reason}") from fault
    except (OSError, http.client.HTTPException) as fault:
        raise _explained(url, part, fault) from fault


def require_md5(path: Path, expected: str) -> None:
    """Compare a file with its MD5 sum and remove it where they differ.

    Raises:
        GenSegError: they differ.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        path.unlink()
        raise GenSegError(
            f"the download is damaged (MD5 {digest.hexdigest()} instead of {expected}) and was "
            "removed; download it again"
        )


def _open(url: str, present: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "GenSeg"} | ({"Range": f"bytes={present}-"} if present else {})
    _require_safe(url)
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_SafeRedirects)
    response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_S)
    return response


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a server that sends us elsewhere, as long as nobody can listen or change there."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse another address than the user could have given."""
        _require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_safe(url: str) -> None:
    """Allow TLS, and this machine without it: no file:, no ftp:, nothing in the clear."""
    parts = urllib.parse.urlsplit(url)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not (here or (parts.scheme == "https" and parts.hostname)):
        raise GenSegError(f"{url!r} is no safe web address; it starts with https://")


def _receive(
    response: http.client.HTTPResponse, part: Path, present: int, progress: Progress | None
) -> None:
    """Append what the server sends, or start anew where it sends the whole file."""
    resumed = response.status == http.client.PARTIAL_CONTENT and _first_byte(response) == present
    if response.status == http.client.PARTIAL_CONTENT and not resumed:
        raise http.client.HTTPException("the server sends another range than asked for")
    start = present if resumed else 0
    length = response.length  # None where the server does not say
    total = 0 if length is None else start + length
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab" if resumed else "wb") as stream:
        done = _copy(response, stream, start, total, progress)
    if total and done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _copy(
    response: http.client.HTTPResponse,
    stream: BinaryIO,
    done: int,
    total: int,
    progress: Progress | None,
) -> int:
    told_at = 0.0
    while chunk := response.read(CHUNK):
        stream.write(chunk)
        done += len(chunk)
        now = time.monotonic()
        if progress is not None and (done == total or now - told_at > TELL_EVERY_S):
            progress(done, total)
            told_at = now
    return done


def _first_byte(response: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found.group(1)) if found else None


def _settle(url: str, part: Path, present: int, span: str, progress: Progress | None) -> None:
    """Nothing is left to send: `part` is complete, or it is no part of this file."""
    if span.endswith(f"/{present}"):
        if progress is not None:
            progress(present, present)
        return
    part.unlink()
    fetch(url, part, progress)


def _explained(url: str, part: Path, fault: Exception) -> GenSegError:
    """One line for the user; what has arrived stays for the next attempt."""
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return GenSegError(f"{part} cannot be written: the disk is full; make room")
    if isinstance(fault, _CLOSED):
        return GenSegError(f"{part} cannot be written; choose another folder")
    present = part.stat().st_size if part.exists() else 0
    reason = " ".join(str(getattr(fault, "reason", fault)).split()) or type(fault).__name__
    if present:
        return GenSegError(
            f"{url}: the download was interrupted after {present / 1e6:.1f} MB ({reason}); "
            "call it again to go on from there"
        )
    return GenSegError(f"{url} cannot be reached ({reason}); check the internet connection")
