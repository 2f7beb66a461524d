"""Questions to the vendor's client for Datature Vi; runs where `vi-sdk` is installed, and prints JSON.

python vi_client.py annotations DATASET ASSET…       what it returns for these assets, each with the error it met
python vi_client.py assets DATASET PAGE_SIZE         ids over all pages, or the error
python vi_client.py everything DATASET               the loop of its documentation: seconds and number of annotations
python vi_client.py download DATASET FOLDER          what became of two downloads of an export
python vi_client.py surroundings DATASET             datasets, one dataset, an asset with its link, objects, an export
"""

import json
import sys
import time

import msgspec
import vi
from vi.api.resources import waiter

waiter.RESOURCE_WAITER_POLL_INTERVAL_SECONDS = 0.05


def annotations(client, dataset, *assets):
    """Return annotations by asset, as JSON values, or the name of the error."""
    found = {}
    for asset in assets:
        try:
            rows = list(client.annotations.list(dataset_id=dataset, asset_id=asset).all_items())
            found[asset] = [msgspec.json.decode(msgspec.json.encode(row)) for row in rows]
        except Exception as error:  # noqa: BLE001  # whatever it meets is the answer
            found[asset] = type(error).__name__
    return found


def assets(client, dataset, size):
    """Return the ids of all assets, or the name of the error."""
    try:
        pages = client.assets.list(dataset_id=dataset, pagination={"page_size": int(size)})
        return [asset.asset_id for asset in pages.all_items()]
    except Exception as error:  # noqa: BLE001  # whatever it meets is the answer
        return type(error).__name__


def everything(client, dataset):
    """List assets, page by page by hand, since its own iteration breaks; then each one's annotations."""
    started, token, named, count = time.perf_counter(), None, 0, 0
    while True:
        listed = client.assets.list(dataset_id=dataset, pagination={"page_size": 1000, "page_token": token})
        named += len(listed.items)
        for asset in listed.items:
            count += len(list(client.annotations.list(dataset_id=dataset, asset_id=asset.asset_id).all_items()))
        token = listed.next_page
        if not token:
            return {"assets": named, "annotations": count, "seconds": time.perf_counter() - started}


def surroundings(client, dataset):
    """Use the rest that an exporter needs."""
    one = client.datasets.get(dataset)
    (first, *_) = client.assets.list(dataset_id=dataset, contents=True).items
    export = client.datasets.create_export(dataset)
    done = export
    while done.status.download_url is None:
        done = client.datasets.get_export(dataset, export.dataset_export_id)
    return {
        "datasets": [each.dataset_id for each in client.datasets.list().items],
        "name": one.name,
        "statuses": sorted(one.asset_statuses),
        "count": client.assets.count(dataset_id=dataset),
        "link": first.contents.asset.url,
        "annotation": client.annotations.get(dataset, "asset-00001", "annot-000001").annotation_id,
        "export": done.status.download_url.url,
    }


def download(client, dataset, folder):
    """Download an export twice, as its documentation shows; return what became of each."""
    outcomes = []
    for _ in range(2):
        try:
            client.datasets.download(dataset, save_dir=folder)
            outcomes.append("fine")
        except Exception as error:  # noqa: BLE001  # whatever it meets is the answer
            outcomes.append(type(error).__name__)
    return outcomes


with vi.Client() as opened:
    answer = globals()[sys.argv[1]](opened, *sys.argv[2:])
print(json.dumps(answer))
