"""The MONAI Label app: the model ``bimsrec`` behind MONAI Label's REST interface."""
