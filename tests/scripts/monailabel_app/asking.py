"""How the tests ask the server."""

from __future__ import annotations

import json

import requests

QUICK = {"init": "none"}


def infer(server, image, params=None, files=None, output="image", model="bimsrec"):
    url = f"{server}/infer/{model}"
    data = {"params": json.dumps(params or {})}
    return requests.post(url, params={"image": image, "output": output}, data=data, files=files)
