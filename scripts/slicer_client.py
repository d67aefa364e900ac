"""Register and fuse two volumes from 3D Slicer through the MONAI Label server.

Paste into Slicer's Python console, or run ``Slicer --python-script scripts/slicer_client.py``,
after changing the three lines below. Only Slicer's own modules and Python's library are used.
"""

import json
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import slicer

SERVER = "http://127.0.0.1:8000"
FIXED = "head_fixed"  # ids in the server's datastore
MOVING = "head_moving"


SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".png", ".jpg", ".jpeg", ".tif", ".tiff")


def ask(path, data=None):
    """Answer of the server as bytes, and its file's name; its own sentence when it refuses."""
    try:
        with urllib.request.urlopen(SERVER + path, data) as answer:
            return answer.read(), answer.headers.get_filename() or ""
    except urllib.error.HTTPError as error:
        raise RuntimeError(error.read().decode()) from None


def fetch(image, tag, folder):
    """Download an image of the datastore or, with a tag, a result that is stored under it."""
    query = {"label": image, "tag": tag} if tag else {"image": image}
    kind = "label" if tag else "image"
    content, name = ask(f"/datastore/{kind}?" + urllib.parse.urlencode(query))
    suffix = next((s for s in SUFFIXES if name.lower().endswith(s)), ".nii.gz")
    path = Path(folder) / ((tag or "fixed") + suffix)
    path.write_bytes(content)
    return str(path)


form = urllib.parse.urlencode({"params": json.dumps({"moving": MOVING})}).encode()
query = urllib.parse.urlencode({"image": FIXED, "output": "json"})
figures = json.loads(ask("/infer/bimsrec?" + query, form)[0])
print(json.dumps(figures, indent=1))

with tempfile.TemporaryDirectory() as folder:  # no image of a patient stays on the disk
    warped = slicer.util.loadVolume(fetch(FIXED, "warped", folder))
    fused = slicer.util.loadVolume(fetch(FIXED, "fused", folder))
    transform = slicer.util.loadTransform(fetch(FIXED, "ddf", folder))
    try:
        fixed = slicer.util.loadVolume(fetch(FIXED, "", folder))
    except RuntimeError:  # the server cannot send the folder of a DICOM series: open it yourself
        fixed = fused

transform.CreateDefaultDisplayNodes()
display = transform.GetDisplayNode()
display.SetVisibility2D(True)  # the field as a warped grid in the slice views
display.SetVisualizationMode(display.VIS_MODE_GRID)
slicer.util.setSliceViewerLayers(background=fixed, foreground=warped, foregroundOpacity=0.5)
