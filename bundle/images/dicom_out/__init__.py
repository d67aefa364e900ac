"""Write registered and fused volumes, and the transform between them, as DICOM."""
