"""Lists of image pairs and the data sets made from them."""
