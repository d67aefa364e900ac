"""From a loaded pair to the transform between its images."""

from bundle.registration.initialize import initialize
from bundle.registration.pairs import (
    InitializedPair,
    PictureRegistration,
    Registration,
    VolumeRegistration,
)
from bundle.registration.registration import register

__all__ = [
    "InitializedPair",
    "PictureRegistration",
    "Registration",
    "VolumeRegistration",
    "initialize",
    "register",
]
