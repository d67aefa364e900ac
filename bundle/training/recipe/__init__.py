"""The recipe of the weights: its stages, how far it is, and what the weights were made of."""

from bundle.training.recipe.files import put_file, read_json, sha256, write_json, write_text
from bundle.training.recipe.progress import (
    DONE,
    begin,
    held,
    is_done,
    mark_done,
    note_of,
)
from bundle.training.recipe.record import (
    METADATA,
    digests,
    files_digest,
    folder_digest,
    into_metadata,
    put_record,
    record_of,
)
from bundle.training.recipe.stages import (
    BASE,
    RECIPE,
    SOURCES,
    Stage,
    command,
    scaled,
    sources_of,
    stages,
)

__all__ = [
    "BASE",
    "DONE",
    "METADATA",
    "RECIPE",
    "SOURCES",
    "Stage",
    "begin",
    "command",
    "digests",
    "files_digest",
    "folder_digest",
    "held",
    "into_metadata",
    "is_done",
    "mark_done",
    "note_of",
    "put_file",
    "put_record",
    "read_json",
    "record_of",
    "scaled",
    "sha256",
    "sources_of",
    "stages",
    "write_json",
    "write_text",
]
