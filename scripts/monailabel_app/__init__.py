"""The MONAI Label app: the bundle's models behind MONAI Label's REST interface."""
