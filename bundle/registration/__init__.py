"""From a loaded pair to the transform between its images."""

from bundle.registration.register import (
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
