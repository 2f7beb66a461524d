"""Questions to the vendor's client for Datature Nexus; runs where `datature` is installed, and prints JSON.

python nexus_client.py everything PROJECT            all annotations over all pages, as JSON values
python nexus_client.py surroundings PROJECT          workspace, projects, assets of a group, one annotation
"""

import json
import sys

import msgspec
from datature.nexus import Client


def plain(value):
    """Return a response as JSON values, without what the answer did not say."""
    return {key: each for key, each in msgspec.json.decode(msgspec.json.encode(value)).items() if each is not None}


def everything(client, project):
    """Return all annotations."""
    found, token = [], None
    while True:
        page = {"limit": 1000} if token is None else {"limit": 1000, "page": token}
        answer = client.get_project(project).annotations.list(pagination=page, include_attributes=True)
        found += [plain(each) for each in answer.data]
        token = answer.next_page
        if not token:
            return found


def surroundings(client, project):
    """Use the rest that an exporter needs."""
    one = client.get_project(project)
    assets = one.assets.list(filters={"groups": ["main"]})
    return {
        "workspace": client.get_info().id,
        "projects": [each.get_info().id for each in client.list_projects()],
        "assets": [each.id for each in assets.data],
        "annotation": one.annotations.get(sys.argv[3]).id,
    }


opened = Client(sys.argv[-1])
print(json.dumps(globals()[sys.argv[1]](opened, sys.argv[2])))
