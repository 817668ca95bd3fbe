"""Resumable download of large files over HTTP.

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
"""Called with the downloaded and total bytes (0 if unknown)."""

CHUNK = 1 << 18
TIMEOUT_S = 30.0
_REPORT_INTERVAL_S = 0.2
_NOT_WRITABLE = (PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError)


def fetch(url: str, part: Path, progress: Progress | None = None) -> None:
    """Download `url` to the file `part`, or resume after the bytes that it already holds.

    Servers without range requests send the whole file again. The content is not verified: use
    `require_md5`.

    Raises:
        GenSegError: the server cannot be reached, refuses, or the transfer is interrupted. `part`
            keeps the received bytes.
    """
    present = part.stat().st_size if part.exists() else 0
    try:
        with _open(url, present) as response:
            _receive(response, part, present, progress)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and present:
            _finish_or_restart(url, part, error.headers.get("Content-Range", ""), progress)
            return
        raise GenSegError(
            f"{url}: the server answered {error.code} {error.reason}; check the address"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _user_error(url, part, error) from error


def require_md5(path: Path, expected: str) -> None:
    """Compare a file with its MD5 sum; remove it if they differ.

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
            f"the download was damaged (MD5 {digest.hexdigest()} instead of {expected}) and has "
            "been removed; download it again"
        )


def _open(url: str, present: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "GenSeg"} | ({"Range": f"bytes={present}-"} if present else {})
    _require_https(url)
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(_HttpsRedirects)
    response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_S)
    return response


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to secure addresses only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Check the address of a redirect."""
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_https(url: str) -> None:
    """Allow HTTPS, and HTTP to this computer."""
    parts = urllib.parse.urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not (is_local or (parts.scheme == "https" and parts.hostname)):
        raise GenSegError(f"{url!r} is not a secure web address; use one that starts with https://")


def _receive(
    response: http.client.HTTPResponse, part: Path, present: int, progress: Progress | None
) -> None:
    """Append the response to `part`, or replace it if the server sends the whole file."""
    is_partial = response.status == http.client.PARTIAL_CONTENT
    if is_partial and _first_byte(response) != present:
        raise http.client.HTTPException("the server sent another range than requested")
    start = present if is_partial else 0
    total = 0 if response.length is None else start + response.length
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab" if is_partial else "wb") as stream:
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
    reported_at = 0.0
    while chunk := response.read(CHUNK):
        stream.write(chunk)
        done += len(chunk)
        now = time.monotonic()
        if progress is not None and (done == total or now - reported_at > _REPORT_INTERVAL_S):
            progress(done, total)
            reported_at = now
    return done


def _first_byte(response: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found.group(1)) if found else None


def _finish_or_restart(url: str, part: Path, content_range: str, progress: Progress | None) -> None:
    """Finish if `part` is complete; otherwise it belongs to another file, so start again."""
    size = part.stat().st_size
    if content_range.endswith(f"/{size}"):
        if progress is not None:
            progress(size, size)
        return
    part.unlink()
    fetch(url, part, progress)


def _user_error(url: str, part: Path, error: Exception) -> GenSegError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return GenSegError(f"{part}: the disk is full; free some space and try again")
    if isinstance(error, _NOT_WRITABLE):
        return GenSegError(f"{part}: cannot be written; choose another folder")
    present = part.stat().st_size if part.exists() else 0
    reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
    if present:
        return GenSegError(
            f"{url}: the download was interrupted after {present / 1e6:.1f} MB ({reason}); start "
            "it again to resume"
        )
    return GenSegError(f"{url}: cannot be reached ({reason}); check the internet connection")
