"""Two requests at once."""

from __future__ import annotations

import threading
import time

from scripts.monailabel_app.main import BiMSRecApp
from scripts.monailabel_app.task import MODELS, TAGS


class SlowDatastore:
    """Remembers which model a label is of; takes its time."""

    def __init__(self):
        self.labels = {}

    def get_label_uri(self, image, tag):
        return self.labels.get(tag)

    def remove_label(self, image, tag):
        time.sleep(0.01)
        self.labels.pop(tag, None)

    def save_label(self, image, file, tag, info):
        time.sleep(0.05)
        self.labels[tag] = info["model"]


def test_all_results_of_an_image_are_those_of_one_request(tmp_path):
    app, datastore = BiMSRecApp.__new__(BiMSRecApp), SlowDatastore()
    app._storing = threading.Lock()
    threads = []
    for name, model in (("bimsrec", MODELS["bimsrec"]), ("bimsrec_fuse", MODELS["bimsrec_fuse"])):
        folder = tmp_path / name
        folder.mkdir()
        for pattern in TAGS.values():
            (folder / pattern.replace("*", "nii.gz")).touch()
        request = {"image": "head", "model": name}
        arguments = (request, model.tags, folder, datastore)
        threads.append(threading.Thread(target=app._store, args=arguments))
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert len(set(datastore.labels.values())) == 1 and datastore.labels
