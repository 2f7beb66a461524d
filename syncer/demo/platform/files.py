"""Files behind the data of tasks: uploads, and objects of a connected storage, proxied or by a signed link."""

import base64
import re
from urllib.parse import unquote

from syncer.demo.platform.answers import Answer, Refused, page
from syncer.demo.platform.site import Call, Site

_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


def upload(site: Site, call: Call) -> Answer:
    """Answer `GET /data/upload/{project}/{name}`: no length, connection closed after it; 500 for an unknown file."""
    found = site.store.uploads.get(unquote(call.path))
    if found is None:
        raise Refused(page(500))
    answer = _part(found, call)
    answer.streamed = True
    return answer


def resolve(site: Site, call: Call) -> Answer:
    """Answer `GET /tasks/{id}/resolve/`: the object, or 303 to its signed link; an empty 404 without a storage."""
    site.task(call.ids[0])
    address = base64.urlsafe_b64decode(call.params.get("fileuri", "")).decode()
    found = site.store.objects.get(address)
    if found is None:
        return Answer(status=404, media="text/html")
    if isinstance(found, str):
        return Answer(status=303, media="text/html", headers={"Location": found})
    answer = _part(found, call)
    answer.headers["ETag"] = f'"{len(found)}"'
    return answer


def _part(data: bytes, call: Call) -> Answer:
    wanted = _RANGE.match(call.headers.get("Range", ""))
    media = "application/octet-stream"
    if wanted is not None and int(wanted[1]) >= len(data):
        return Answer(status=416, media=media, headers={"Content-Range": f"bytes */{len(data)}"})
    if wanted is None:
        return Answer(data, media=media, headers={"Accept-Ranges": "bytes"})
    first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
    headers = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
    return Answer(data[first : last + 1], 206, media, headers)
