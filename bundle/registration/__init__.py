"""From a loaded pair to the transform between its images."""

from bundle.registration.registration import (
    InitializedPair,
    PictureRegistration,
    Registration,
    VolumeRegistration,
    initialize,
    register,
)

__all__ = [
    "InitializedPair",
    "PictureRegistration",
    "Registration",
    "VolumeRegistration",
    "initialize",
    "register",
]
